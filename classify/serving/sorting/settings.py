"""How images are sorted, and what is said if that fails."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache import disk
from classify.errors import ModelError
from toolkit.errors import ToolkitError
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from classify.serving.sorting.destinations import By
    from classify.serving.sorting.journal import How

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class SortSettings:
    """How images are sorted.

    Parameters
    ----------
    folder : Path
        Where the folders are created.
    by : {"class", "top", "uncertain"}, default="class"
        See `classify.serving.sorting.destinations.destination`.
    how : {"link", "copy", "move"}, default="link"
        Hard links take no space, and leave the images where they are.
    """

    folder: Path
    by: By = "class"
    how: How = "link"


@contextlib.contextmanager
def failing_clearly(settings: SortSettings) -> Iterator[None]:
    """Turn an `OSError` into a `ModelError` that says what to do.

    Raises
    ------
    ModelError
    """
    folder = settings.folder
    try:
        yield
    except ToolkitError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise ModelError(
                f"cannot sort into {folder}: {reason}; what is sorted so far is in its undo file: "
                "make room, and run the same command again, or put everything back"
            ) from error
        if error.errno == errno.EXDEV or (
            settings.how == "link" and error.errno in disk.NO_HARD_LINKS
        ):
            raise _no_link(settings, error) from error
        file = f" ({printable(str(error.filename))})" if error.filename else ""
        raise ModelError(
            f"cannot sort into {folder}: {reason}{file}; solve that and run the same command "
            "again, or choose another folder",
            setting="sort_into",
        ) from error


def _no_link(settings: SortSettings, error: OSError) -> ModelError:
    links = "hard links" if settings.how == "link" else "moves"
    if error.errno == errno.EXDEV:
        where = "is on another file system than the images, where they are impossible"
    else:
        where = f"is where they are impossible: {error.strerror}"
    return ModelError(
        f"cannot sort into {settings.folder} by {links}: it {where}; copy the images, or choose "
        "another folder",
        setting="copy",
    )
