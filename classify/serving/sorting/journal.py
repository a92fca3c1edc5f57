"""What a sorting has done, on disk before it is done: the undo file.

It is called `UNDO_NAME` and is in the folder that images are sorted into: a line of JSON that says
how they are sorted, then one for every step. Lines are only appended, and synced before the steps
that they announce.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, get_args

from classify.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

How = Literal["link", "copy", "move"]
HOW: tuple[How, ...] = get_args(How)

UNDO_NAME = ".undo-sorting.jsonl"
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """An image that is put into a folder.

    Parameters
    ----------
    number : int
        From 1.
    source : str
        Its absolute path, or its address.
    target : str
        Its new path in the folder to sort into, with slashes.
    size, mtime_ns : int
        Of the file before, in bytes and in nanoseconds since 1970; 0 at an address.
    sha256 : str or None, default=None
        Of the content, if it is copied.
    """

    number: int
    source: str
    target: str
    size: int
    mtime_ns: int
    sha256: str | None = None


@dataclass
class State:
    """What an undo file says.

    Parameters
    ----------
    settings : mapping
        How images are sorted.
    is_new : bool, default=False
        Whether the folder was created for them.
    n_entries : int, default=0
        Numbers are given up to this one.
    n_done : int, default=0
        Entries up to this one have been carried out, unless they are in `void`.
    void : set of int, default=set()
        Entries that have not been carried out and will not be.
    folders : list of str, default=[]
        Folders that the sorting has created, each after the one that it is in.
    is_being_undone : bool, default=False
        Whether an undo has begun.
    value_range : list, default=None
        Of the recipe with which images were predicted; see `classify.serving.prediction`.
    """

    settings: Mapping[str, Any]
    is_new: bool = False
    n_entries: int = 0
    n_done: int = 0
    void: set[int] = field(default_factory=set)
    folders: list[str] = field(default_factory=list)
    is_being_undone: bool = False
    value_range: list[Any] | None = None


class Journal:
    """An undo file that is read, and appended to.

    Parameters
    ----------
    folder : Path
        The folder that images are sorted into.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / UNDO_NAME

    def begin(self, settings: Mapping[str, Any], *, is_new: bool) -> None:
        """Create the file.

        Parameters
        ----------
        settings : mapping
            How images are sorted.
        is_new : bool
            Whether the folder was created for them.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        self.append([{"format": FORMAT, "created": is_new, "settings": dict(settings)}])

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append lines, and wait until they are on disk.

        Raises
        ------
        OSError
            If that fails; nothing is appended then.
        """
        lines = "".join(json.dumps(record) + "\n" for record in records)
        with self.path.open("ab", buffering=0) as file:
            start = file.tell()
            try:
                unwritten = memoryview(lines.encode("ascii"))
                while unwritten:  # a full disk cuts a write short
                    unwritten = unwritten[file.write(unwritten) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(start)
                raise

    def announce(self, folders: Iterable[str], entries: Iterable[Entry]) -> None:
        """Note folders and images before they are there."""
        self.append(
            [
                *({"folder": name} for name in folders),
                *({"entry": dataclasses.asdict(entry)} for entry in entries),
            ]
        )

    def state(self) -> State | None:
        """Return what the file says; None if there is none. An incomplete last line is deleted.

        Raises
        ------
        ModelError
            If it is not an undo file of this version, or damaged.
        OSError
            If it cannot be read or shortened.
        """
        if not self.path.exists() or not self._drop_incomplete_line():
            return None
        lines = self._records()
        header = next(lines)
        if header.get("format") != FORMAT:
            raise ModelError(
                f"{self.path} was written by another version: expected the format {FORMAT}, found "
                f"{header.get('format')!r}; use that version"
            )
        settings = header.get("settings")
        if not isinstance(settings, dict) or settings.get("how") not in HOW:
            raise self._damaged(f"settings with one of {', '.join(HOW)}", header)
        state = State(settings, header.get("created") is True)
        for record in lines:
            match record:
                case {"entry": _}:
                    state.n_entries = self._entry(record).number
                case {"folder": str(name)}:
                    state.folders.append(self._inside(name))
                case {"done": int(number)}:
                    state.n_done = number
                case {"void": int(number)}:
                    state.void.add(number)
                case {"value_range": list(value_range)}:
                    state.value_range = value_range
                case {"undo": True}:
                    state.is_being_undone = True
        return state

    def entries(self, state: State) -> Iterator[Entry]:
        """Yield the entries that are not void."""
        for record in self._records():
            if "entry" in record and record["entry"]["number"] not in state.void:
                yield self._entry(record)

    def delete(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    def _records(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="ascii", errors="replace") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if not isinstance(record, dict):
                    raise self._damaged(f"a JSON object in line {number}", line)
                yield record

    def _drop_incomplete_line(self) -> int:
        """Delete what follows the last line break; return the number of bytes that are left."""
        with self.path.open("rb+") as file:
            complete = sum(len(line) for line in file if line.endswith(b"\n"))
            if complete < file.tell():
                file.truncate(complete)
        return complete

    def _entry(self, record: Mapping[str, Any]) -> Entry:
        try:
            entry = Entry(**record["entry"])
        except TypeError as error:
            raise self._damaged("an entry", record) from error
        self._inside(entry.target)
        return entry

    def _inside(self, name: str) -> str:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise self._damaged(f"paths in {self.folder}", name)
        return name

    def _damaged(self, expected: str, found: object) -> ModelError:
        return ModelError(
            f"{self.path} is damaged: expected {expected}, found {str(found)[:80]!r}; its other "
            "lines say what was sorted"
        )
