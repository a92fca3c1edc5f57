"""Sort images into folders by what was predicted for them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cache import disk
from classify.serving.sorting import actions
from classify.serving.sorting.destinations import destination
from classify.serving.sorting.journal import Entry
from classify.serving.sorting.names import file_name, safe_name
from classify.serving.sorting.settings import failing_clearly
from extract.errors import ImageError
from toolkit.addresses import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from classify.serving.prediction import Prediction, ValueRange
    from classify.serving.sorting.journal import Journal, State
    from classify.serving.sorting.settings import SortSettings

FILES_TOGETHER = 256
"""So many files are announced in the undo file before they are placed."""


@dataclass
class SortResult:
    """What a sorting has done.

    Parameters
    ----------
    folders : Counter
        Folder -> number of images that were sorted into it now.
    n_before : int, default=0
        Number of images that an earlier command had sorted.
    left : Counter
        Reason -> number of images that were not sorted.
    """

    folders: Counter[str] = field(default_factory=Counter)
    n_before: int = 0
    left: Counter[str] = field(default_factory=Counter)


class Sorter:
    """Sorts images block by block; `open_sorter` opens one.

    Attributes
    ----------
    result : SortResult
        What was done so far.
    is_unused : bool
        Whether nothing was ever sorted into the folder.
    value_range : ValueRange or None
        Of the recipe that the first command had.
    """

    def __init__(
        self,
        settings: SortSettings,
        journal: Journal,
        names: Mapping[str, str],
        roots: Sequence[Path],
    ) -> None:
        self._settings, self._journal, self._names = settings, journal, names
        self._roots = roots
        self._known: set[bytes] = set()
        self._moved: set[bytes] = set()
        self._last_numbers: dict[str, int] = {}
        self._is_named = cache(self._is_in_roots)
        self._n_entries = 0
        self.result, self.is_unused = SortResult(), True
        self.value_range: ValueRange | None = None

    def __contains__(self, file: str) -> bool:
        """Return whether a file has been sorted, and has not changed since."""
        source = _absolute(file)
        try:
            size, mtime_ns = _size_and_time(source)
        except OSError:
            return False
        return _digest(source, size, mtime_ns) in self._known

    def has_moved(self, file: str) -> bool:
        """Return whether an earlier command has moved a file from where it was."""
        return _digest(_absolute(file)) in self._moved

    def go_on(self, state: State) -> None:
        """Learn what earlier commands have sorted, and complete what a killed one has begun."""
        self._n_entries = state.n_entries
        if state.value_range is not None:
            bits, black, white = state.value_range
            self.value_range = bits, black, white
        void = []
        how = self._settings.how
        for entry in self._journal.entries(state):
            if entry.number > state.n_done and not actions.complete(
                entry, self._settings.folder, how
            ):
                void.append(entry.number)
                continue
            self.result.n_before += 1
            if how == "move":
                self._moved.add(_digest(entry.source))
            else:
                self._known.add(_digest(entry.source, entry.size, entry.mtime_ns))
        if state.n_done < state.n_entries:
            self._journal.append(
                [*({"void": number} for number in void), {"done": state.n_entries}]
            )

    def keep_value_range(self, value_range: ValueRange) -> None:
        """Note the range for later commands, unless there is one."""
        if self.value_range is None:
            self.value_range = value_range
            with failing_clearly(self._settings):
                self._journal.append([{"value_range": value_range}])

    def place(self, predictions: Iterable[Prediction]) -> None:
        """Sort images, unless they have been sorted.

        Raises
        ------
        ModelError
            If a file cannot be placed. What was placed before is in the undo file.
        """
        rest = iter(predictions)
        while batch := list(itertools.islice(rest, FILES_TOGETHER)):
            with failing_clearly(self._settings):
                self._place_together(batch)

    def _place_together(self, predictions: Sequence[Prediction]) -> None:
        names: set[str] = set()
        planned = (self._plan(prediction, names) for prediction in predictions)
        entries = [entry for entry in planned if entry is not None]
        if not entries:
            return
        folder = self._settings.folder
        folders = dict.fromkeys(entry.target.partition("/")[0] for entry in entries)
        new = [name for name in folders if not (folder / name).is_dir()]
        self._journal.announce(new, entries)
        self.is_unused = False
        for name in new:
            (folder / name).mkdir()
        for entry in entries:
            self._carry_out(entry)
        for name in folders:
            disk.sync_folder(folder / name)
        self._journal.append([{"done": self._n_entries}])

    def _plan(self, prediction: Prediction, names: set[str]) -> Entry | None:
        """Return where an image goes; None if it stays where it is, which is counted."""
        source = _absolute(str(prediction.path))
        reason = self._reason_to_stay(source, prediction)
        if reason is None:
            try:
                size, mtime_ns = _size_and_time(source)
            except OSError:
                reason = "gone since it was listed"
        if reason is not None:
            self.result.left[reason] += 1
            return None
        key = _digest(source, size, mtime_ns)
        if key in self._known:
            return None
        target = self._free_name(prediction, names)
        entry = Entry(self._n_entries + 1, source, target, size, mtime_ns)
        if self._settings.how == "copy":
            copied = self._copy(entry)
            if copied is None:
                self.result.left["unreadable"] += 1
                return None
            entry = copied
        self._known.add(key)
        names.add(target)
        self._n_entries = entry.number
        return entry

    def _reason_to_stay(self, source: str, prediction: Prediction) -> str | None:
        if is_address(source):
            return None if prediction.reason is None else "not to be fetched"
        if self._settings.how != "move":
            return None
        if Path(source).is_symlink():
            return "a link, and links are not moved"
        parent = str(Path(source).parent)
        return None if self._is_named(parent) else "behind a link to another folder, and not moved"

    def _is_in_roots(self, parent: str) -> bool:
        """Return whether a folder is really in one of those that were named."""
        real = Path(parent).resolve()
        return any(real.is_relative_to(root) for root in self._roots)

    def _free_name(self, prediction: Prediction, names: set[str]) -> str:
        """Return the first name in its folder that no file has and none of `names` is."""
        folder, prefix = destination(prediction, self._settings.by, self._names)
        name = prediction.path.name
        if is_address(str(prediction.path)):
            name = safe_name(name)
        plain = f"{folder}/{prefix}{name}"
        for number in itertools.count(self._last_numbers.get(plain, 1)):
            target = f"{folder}/{file_name(prefix, name, number)}"
            if target not in names and not os.path.lexists(self._settings.folder / target):
                if number > 1:
                    self._last_numbers[plain] = number
                return target
        raise AssertionError("unreachable")

    def _copy(self, entry: Entry) -> Entry | None:
        """Copy a file under a temporary name; return its entry, or None if it cannot be read."""
        temporary = actions.temporary_name(self._settings.folder, entry.number)
        try:
            sha256 = actions.copy_file(entry.source, temporary)
        except (ImageError, FileNotFoundError, PermissionError):
            if not temporary.exists():  # it is the folder to sort into that cannot be written to
                raise
            temporary.unlink()
            return None
        return dataclasses.replace(entry, sha256=sha256)

    def _carry_out(self, entry: Entry) -> None:
        """Place a file; under the next name if its own has been taken meanwhile."""
        folder, how = self._settings.folder, self._settings.how
        while True:
            try:
                actions.place(entry, folder, how)
            except FileExistsError:
                entry = self._renamed(entry)
            else:
                self.result.folders[entry.target.partition("/")[0]] += 1
                return

    def _renamed(self, entry: Entry) -> Entry:
        name = Path(entry.target)
        for number in itertools.count(2):
            target = f"{name.parent.name}/{file_name('', name.name, number)}"
            if not os.path.lexists(self._settings.folder / target):
                break
        renamed = dataclasses.replace(entry, number=self._n_entries + 1, target=target)
        self._n_entries = renamed.number
        self._journal.append([{"void": entry.number}])
        self._journal.announce([], [renamed])
        if self._settings.how == "copy":
            folder = self._settings.folder
            old, new = (actions.temporary_name(folder, each.number) for each in (entry, renamed))
            old.replace(new)
        return renamed


def _absolute(file: str) -> str:
    return file if is_address(file) else os.path.abspath(file)  # noqa: PTH100 - keeps links


def _size_and_time(source: str) -> tuple[int, int]:
    """Return the size of a file and its time in nanoseconds; zeros for an address."""
    if is_address(source):
        return 0, 0
    status = Path(source).stat()
    return status.st_size, status.st_mtime_ns


def _digest(*fields: object) -> bytes:
    """Return what stands for a file in little memory."""
    return hashlib.blake2b(repr(fields).encode("utf-8", "surrogatepass"), digest_size=16).digest()
