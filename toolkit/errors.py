"""The base class of all errors that the toolkit raises on purpose.

::

    ToolkitError
    ├── CacheError (OSError)              cache.errors
    │   ├── CorruptCacheError
    │   └── CacheSchemaError
    ├── AddressError (OSError)            toolkit.errors
    ├── DataError (ValueError)            extract.errors
    │   ├── ImageError
    │   └── ArchiveError
    ├── DecoderError (OSError)            extract.images.decoders.pool
    ├── DownloadError (OSError)           extract.errors
    │   └── UnreachableError              extract.datasets.sources.download
    ├── WeightsError (ValueError)         extract.errors
    ├── RecipeError (ValueError)          extract.errors
    ├── EngineError (ImportError)         extract.errors
    ├── ClusterError (OSError)            extract.errors
    ├── RecordError (ValueError)          reports.errors
    ├── ClassifierError (ValueError)      classify.errors
    ├── ModelError (ValueError)           classify.errors
    └── ReviewError (OSError)             classify.errors

Every message says what happened, what was expected, what was found and what to do next. A command
line prints it as one line and exits with status 2.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ToolkitError(Exception):
    """Base class of all errors that the toolkit raises on purpose.

    Parameters
    ----------
    *args : object
        The message.
    setting : str, default=None
        Name of the setting that helps, for example ``"cache"``. It is a parameter of the library's
        functions; a command line adds the option of that name to the message.

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
    """Return a hint that follows an unknown word, or an empty text if nothing is similar.

    Parameters
    ----------
    found : str
        The unknown word.
    known : iterable of str
        The words that would be valid.

    Returns
    -------
    str
        Begins with a space.

    Examples
    --------
    >>> did_you_mean("logreq", ["svm", "logreg"]), did_you_mean("forest", ["svm", "logreg"])
    (' (did you mean logreg?)', '')
    """
    close = get_close_matches(found, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""
