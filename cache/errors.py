"""The error tree of the whole toolkit.

::

    ToolkitError
    ├── CacheError (OSError)
    │   ├── CorruptCacheError
    │   └── CacheSchemaError
    ├── AddressError (OSError)
    ├── DataError (ValueError)            extract.errors
    │   ├── ImageError
    │   └── ArchiveError
    ├── DecoderError (OSError)            extract.decoders
    ├── DownloadError (OSError)           extract.errors
    │   └── UnreachableError              extract.download
    ├── WeightsError (ValueError)         extract.errors
    ├── RecipeError (ValueError)          extract.errors
    ├── EngineError (ImportError)         extract.errors
    ├── ClusterError (OSError)            extract.errors
    ├── RecordError (ValueError)          reports.errors
    ├── ClassifierError (ValueError)      classify.errors
    └── ModelError (ValueError)           classify.errors

Every message says what happened, what was expected, what was found and what to do next; the
command line prints it as one line and leaves with exit status 2.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ToolkitError(Exception):
    """Root of every error that the toolkit raises on purpose."""


class CacheError(ToolkitError, OSError):
    """The cache folder cannot be used as asked."""


class CorruptCacheError(CacheError):
    """Bytes in the cache are not the bytes that were committed."""


class CacheSchemaError(CacheError):
    """The cache was written by a version of the toolkit with another layout."""


class AddressError(ToolkitError, OSError):
    """An address cannot be taken, or what is there does not answer."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return a hint at what was perhaps meant, to follow a word that is not known; or nothing.

    Examples
    --------
    >>> did_you_mean("logreq", ["svm", "logreg"]), did_you_mean("forest", ["svm", "logreg"])
    (' (did you mean logreg?)', '')
    """
    close = get_close_matches(found, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""
