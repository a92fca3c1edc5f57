"""The root of all errors that the toolkit raises on purpose.

::

    ToolkitError
    ├── CacheError (OSError)              cache.errors
    │   ├── CorruptCacheError
    │   └── CacheSchemaError
    ├── AddressError (OSError)            toolkit.errors
    ├── DataError (ValueError)            extract.errors
    │   ├── ImageError
    │   └── ArchiveError
    ├── DecoderError (OSError)            extract.images.decoder_pool
    ├── DownloadError (OSError)           extract.errors
    │   └── UnreachableError              extract.datasets.download
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
    """Root of every error that the toolkit raises on purpose.

    Parameters
    ----------
    *args
        The message.
    setting : str, optional
        Name of the setting that helps, as in ``"cache"``. A library does not know how its caller
        sets it; a command line adds the option of that name to the message.

    Examples
    --------
    >>> ToolkitError("the folder is not empty; choose another one", setting="out").setting
    'out'
    """

    def __init__(self, *args: object, setting: str | None = None) -> None:
        super().__init__(*args)
        self.setting = setting


class AddressError(ToolkitError, OSError):
    """An address cannot be used, or the server behind it does not respond."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return a hint at what was perhaps meant, to follow a word that is not known; or nothing.

    Examples
    --------
    >>> did_you_mean("logreq", ["svm", "logreg"]), did_you_mean("forest", ["svm", "logreg"])
    (' (did you mean logreg?)', '')
    """
    close = get_close_matches(found, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""
