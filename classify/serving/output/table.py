"""A table of predictions that is complete under its name, and goes on after an interruption.

Rows are collected in ``NAME.part``: a line of JSON that says which table it is, one for the range
of deep images, then one for each row, with the file's size and time. Only the complete table gets
its name.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache import disk, locks
from classify.errors import ModelError
from toolkit.addresses import as_path, file_state, is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import IO

    from classify.serving.output.rows import RowFormat
    from classify.serving.prediction import Prediction, ValueRange

_PROBLEM = 4
"""The column that says why a file cannot be used."""


@dataclass(frozen=True)
class TableTarget:
    """The file that a table is written to.

    Parameters
    ----------
    path : Path
    overwrite : bool, default=False
        Whether a file of that name is replaced, and rows of another table are discarded.
    """

    path: Path
    overwrite: bool = False

    @property
    def part(self) -> Path:
        """Where rows are collected."""
        return self.path.with_name(f"{self.path.name}.part")

    def check(self) -> None:
        """Raise an error if the name is taken, or its folder cannot be written to.

        Raises
        ------
        ModelError
        """
        if not os.access(self.path.parent, os.W_OK):
            exists = self.path.parent.exists()
            reason = "it cannot be written to" if exists else "there is no such folder"
            raise ModelError(
                f"cannot write {self.path} to the folder {self.path.parent}: {reason}; choose "
                "another folder",
                setting="csv",
            )
        if self.path.is_dir():
            raise ModelError(f"{self.path} is a folder; give the table another name", setting="csv")
        if not self.overwrite and os.path.lexists(self.path):
            raise ModelError(
                f"{self.path} exists, and no file is overwritten; give the table another name, or "
                "say that it is to be replaced",
                setting="force",
            )


class PartialTable:
    """The rows of a table so far; `open_table` opens one.

    Attributes
    ----------
    value_range : ValueRange or None
        Of the recipe that the first command had.
    """

    def __init__(self, target: TableTarget, rows: RowFormat, file: IO[str]) -> None:
        self._target, self._rows, self._file = target, rows, file
        self._dropped: set[int] = set()
        self._written: set[str] = set()
        self._n_lines = 0
        self.value_range: ValueRange | None = None

    def __contains__(self, file: str) -> bool:
        return file in self._written

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._written)

    def go_on(self, files: Collection[str], is_moved: Callable[[str], bool]) -> None:
        """Read the rows of an earlier command, and keep those that are still right.

        Parameters
        ----------
        files : collection of str
            The files of the table. A row of another file is dropped, and so is that of a file whose
            size or time has changed.
        is_moved : callable
            Whether an earlier command has moved a file, so that its row is right.
        """
        listed = {file: file for file in files}
        for row in _rows_of(self._target.part):
            if isinstance(row, dict):
                bits, black, white = row["value_range"]
                self.value_range = bits, black, white
                continue
            path = str(row[0])
            is_right = row[1] == _state(path) if path in listed else is_moved(path)
            if is_right:
                self._written.add(listed.get(path, path))
            else:
                self._dropped.add(self._n_lines)
            self._n_lines += 1

    def keep_value_range(self, value_range: ValueRange) -> None:
        """Note the range for later commands, unless there is one."""
        if self.value_range is None:
            self.value_range = value_range
            with _writing(self._target):
                self._file.write(json.dumps({"value_range": value_range}) + "\n")
                self._file.flush()

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Append rows, unless they are there, and wait until they are on disk.

        Raises
        ------
        ModelError
            If the disk is full.
        """
        with _writing(self._target):
            for prediction in predictions:
                path = str(prediction.path)
                if path in self._written:
                    continue
                row = [path, _state(path), self._rows.cells(prediction)]
                self._file.write(json.dumps(row) + "\n")
                self._written.add(path)
                self._n_lines += 1
            self._file.flush()
            os.fsync(self._file.fileno())

    def publish(self) -> tuple[int, int]:
        """Give the table its name; return how many files are images, and how many are not.

        Raises
        ------
        ModelError
            If the file cannot be written. The rows are kept.
        """
        temporary = self._target.path.with_name(f"{self._target.path.name}.tmp")
        with _writing(self._target):
            try:
                with temporary.open("w", encoding="utf-8", newline="") as file:
                    n_broken = self._write_csv(file)
                    file.flush()
                    os.fsync(file.fileno())
                if self._target.overwrite:
                    temporary.replace(self._target.path)
                else:
                    disk.rename_new(temporary, self._target.path)
            finally:
                temporary.unlink(missing_ok=True)
            self._target.part.unlink()
            disk.sync_folder(self._target.path.parent)
        return len(self) - n_broken, n_broken

    def _write_csv(self, file: IO[str]) -> int:
        """Write the rows that are right; return how many are of files that are no images."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self._rows.columns)
        n_broken = 0
        rows = (row for row in _rows_of(self._target.part) if isinstance(row, list))
        for line, row in enumerate(rows):
            if line not in self._dropped:
                writer.writerow(row[2])
                n_broken += bool(row[2][_PROBLEM])
        return n_broken


@contextlib.contextmanager
def open_table(
    target: TableTarget, rows: RowFormat, settings: Mapping[str, Any]
) -> Iterator[PartialTable]:
    """Open the rows of a table, and keep other commands from writing to it.

    Parameters
    ----------
    target : TableTarget
    rows : RowFormat
        The columns.
    settings : mapping
        What decides the predictions, as JSON has it. Rows that were collected with other settings
        are an error, unless they may be discarded.

    Raises
    ------
    ModelError
        If the table exists, cannot be written to, or another command is writing it.
    """
    target.check()
    header = {"columns": list(rows.columns), **settings}
    with contextlib.ExitStack() as stack:
        with _writing(target):
            lock = target.path.with_name(f"{target.path.name}.lock")
            if not stack.enter_context(locks.claimed(lock)):
                raise ModelError(
                    f"another command is writing {target.path}; wait until it has ended, or give "
                    f"the table another name (if none is running, delete {lock})",
                    setting="csv",
                )
            _check_part(target, header)
            file = stack.enter_context(target.part.open("a", encoding="utf-8"))
            if not file.tell():
                file.write(json.dumps(header) + "\n")
                file.flush()
        table = PartialTable(target, rows, file)
        try:
            yield table
        finally:
            if not len(table):
                file.close()
                target.part.unlink(missing_ok=True)


def _check_part(target: TableTarget, header: Mapping[str, Any]) -> None:
    """Delete an incomplete last line; raise an error if the rows are those of another table."""
    if not target.part.exists():
        return
    with target.part.open("rb+") as file:
        first = file.readline()
        file.seek(0)
        complete = sum(len(line) for line in file if line.endswith(b"\n"))
        file.truncate(complete)
    if not complete:
        return
    try:
        found = json.loads(first)
    except ValueError:
        found = None
    if found == header:
        return
    if target.overwrite:
        target.part.unlink()
        return
    names = ["its content"]
    if isinstance(found, dict):
        names = [name for name in {**header, **found} if header.get(name) != found.get(name)]
    raise ModelError(
        f"{target.part} has the first rows of another table: {', '.join(names)} differ; repeat "
        "the command that wrote them, delete the file, or say that it is to be replaced",
        setting="force",
    )


def _rows_of(part: Path) -> Iterator[Any]:
    with part.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            yield json.loads(line)


def _state(path: str) -> list[int] | None:
    """Return what changes when a file does; unlike its change time, a hard link leaves it as it is.

    None if there is no file, or its server states nothing.
    """
    file = as_path(path)
    if is_remote(file):
        state = file_state(file)
        return None if state is None else [state.size, state.version]
    try:
        status = file.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


@contextlib.contextmanager
def _writing(target: TableTarget) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise ModelError(
            f"{target.path} has been written by another program meanwhile, and no file is "
            f"overwritten; the rows are kept in {target.part}: move one of the files away, and run "
            "the same command again",
            setting="force",
        ) from error
    except OSError as error:
        rows = f"; the rows so far are kept in {target.part}" if target.part.exists() else ""
        raise ModelError(
            f"cannot write {target.path}: {error.strerror or error}{rows}; solve that and run the "
            "same command again, or write elsewhere",
            setting="csv",
        ) from error
