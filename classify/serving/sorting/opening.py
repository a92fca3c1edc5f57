"""Open a folder to sort into: what must be right before anything is predicted."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import locks
from classify.errors import ModelError
from classify.serving.sorting import actions
from classify.serving.sorting.journal import Journal
from classify.serving.sorting.names import folder_names
from classify.serving.sorting.settings import failing_clearly
from classify.serving.sorting.sorter import Sorter
from toolkit.addresses import is_address
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from classify.serving.sorting.journal import State
    from classify.serving.sorting.settings import SortSettings

LOCK_NAME = ".undo-sorting.lock"
_NAMED = 3

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_sorter(
    settings: SortSettings,
    model: Mapping[str, Any],
    classes: Iterable[str],
    files: Sequence[str],
    roots: Iterable[str],
) -> Iterator[Sorter]:
    """Open a folder to sort into, and keep other commands out of it.

    Parameters
    ----------
    settings : SortSettings
    model : mapping
        What decides the predictions, as JSON has it.
    classes : iterable of str
        The names of all classes.
    files : sequence of str
        The images that are to be sorted.
    roots : iterable of str
        The files and folders that were named; what is not in them is not moved.

    Raises
    ------
    ModelError
        If the folder cannot be written to, was sorted into in another way, or hard links to the
        images cannot be in it.
    """
    folder = settings.folder
    is_new = not os.path.lexists(folder)
    named = [_folder_of(root) for root in roots if not is_address(root)]
    header = {"by": settings.by, "how": settings.how, **model}
    try:
        with contextlib.ExitStack() as stack:
            with failing_clearly(settings):
                folder.mkdir(parents=True, exist_ok=True)
                claim(folder, stack)
                actions.delete_temporary_files(folder)
            journal = Journal(folder)
            sorter = Sorter(settings, journal, _names(classes), named)
            try:
                with failing_clearly(settings):
                    state = journal.state()
                    if state is None:
                        _check_files(settings, files)
                        journal.begin(header, is_new=is_new)
                    else:
                        sorter.is_unused = False
                        _check_state(settings, state, header)
                        sorter.go_on(state)
                yield sorter
            finally:
                with contextlib.suppress(OSError):
                    actions.delete_temporary_files(folder)
                    if sorter.is_unused:
                        journal.delete()
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def claim(folder: Path, stack: contextlib.ExitStack) -> None:
    """Keep other commands out of a folder that is sorted into, until the stack is closed.

    Raises
    ------
    ModelError
        If another command is using it.
    """
    lock = folder / LOCK_NAME
    if not stack.enter_context(locks.claimed(lock)):
        raise ModelError(
            f"another command is sorting into {folder}; wait until it has ended (if none is "
            f"running, delete {lock})"
        )


def _check_files(settings: SortSettings, files: Sequence[str]) -> None:
    """Raise an error if the images cannot be linked or moved; before anything is predicted."""
    if settings.how == "copy":
        return
    remote = next((file for file in files if is_address(file)), None)
    if remote is not None:
        verb = "linked" if settings.how == "link" else "moved"
        raise ModelError(
            f"{printable(remote)} is an address, and what is there cannot be {verb}; copy the "
            "images, which fetches them",
            setting="copy",
        )
    by_parent = {os.path.dirname(file): file for file in files}  # noqa: PTH120 - of 100,000 texts
    by_device = {os.stat(parent or ".").st_dev: file for parent, file in by_parent.items()}  # noqa: PTH116
    for device, file in by_device.items():
        if settings.how == "move":
            if device != settings.folder.stat().st_dev:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            continue
        probe = actions.temporary_name(settings.folder, 0)
        probe.unlink(missing_ok=True)
        os.link(os.path.realpath(file), probe)
        probe.unlink()


def _check_state(settings: SortSettings, state: State, header: Mapping[str, Any]) -> None:
    if state.is_being_undone:
        raise ModelError(
            f"an undo of what was sorted into {settings.folder} has begun, and is not complete; "
            "complete it, or choose another folder",
            setting="undo",
        )
    if state.settings != header:
        names = [
            name
            for name in {**header, **state.settings}
            if header.get(name) != state.settings.get(name)
        ]
        raise ModelError(
            f"{settings.folder} was sorted into in another way: {', '.join(names)} differ; put "
            "everything back first, or choose another folder",
            setting="undo",
        )


def _names(classes: Iterable[str]) -> dict[str, str]:
    """Return the names of folders; log which are not those of their classes."""
    names = folder_names(classes)
    changed = [(label, name) for label, name in names.items() if label != name]
    if changed:
        listed = ", ".join(f"{name!r} for {str(label)!r}" for label, name in changed[:_NAMED])
        more = ", ..." if len(changed) > _NAMED else ""
        logger.warning(
            "%s a name that is possible for a folder: %s%s",
            plural(len(changed), "class gets", "classes get"),
            listed,
            more,
        )
    return names


def _folder_of(root: str) -> Path:
    path = Path(root)
    return (path if path.is_dir() else path.parent).resolve()
