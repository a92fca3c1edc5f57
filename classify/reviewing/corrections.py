"""The file of decisions of a review: read, and appended to so that nothing confirmed is lost."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cache import disk
from classify.errors import ReviewError
from classify.reviewing.appending import AppendedFile
from extract.datasets.corrections import read_decisions, warn_of_new_classes
from extract.datasets.decisions import (
    HEADER,
    KEEP,
    LEAVE_OUT,
    RELABEL,
    UNDO,
    Decision,
    is_appendable,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

CORRECTIONS_NAME = "corrections.csv"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What is decided about an image.

    Parameters
    ----------
    label : str
        Which it has now; empty if it is left out.
    decision : str or None
        The decision that holds; None if there is none.
    version : int
        Number of rows of the image in the file.
    """

    label: str
    decision: str | None = None
    version: int = 0


class Corrections:
    """The decisions about the images of a run, in memory and in a file.

    A decision is in the file, and the file on the disk, before a method returns. Methods may be
    called from any number of threads.

    Parameters
    ----------
    path : Path
        ``corrections.csv`` in the folder of the run; it is created if need be.
    labels : mapping of str to str
        The label that each image has in the run, by its path.
    classes : collection of str
        The classes of the run.

    Raises
    ------
    ReviewError
        If another process is reviewing the run, or there is such a file and it is something else.
    DataError
        If it cannot be read as a table.

    Notes
    -----
    The file itself is locked, as long as it is open. The last row of a process that was killed may
    be incomplete; it was not confirmed, and is cut off. A file that a spreadsheet has saved with
    other separators is written anew once, with the same rows.

    Where the file cannot be created, this is only logged, and tried again with every decision.
    """

    def __init__(self, path: Path, labels: Mapping[str, str], classes: Collection[str]) -> None:
        self.path = path
        self._labels, self._classes = labels, classes
        self._lock = threading.Lock()
        self._file: AppendedFile | None = None
        self._rows: list[Decision] = []
        self._made: dict[str, list[Decision]] = {}
        self._versions: dict[str, int] = {}
        try:
            self._open()
        except ReviewError:
            raise
        except OSError as error:
            logger.warning(
                "no decision can be saved until %s can be written: %s",
                path,
                error.strerror or error,
            )

    def close(self) -> None:
        """Close the file; another process may then review the run."""
        with self._lock:
            self._close()

    @property
    def revision(self) -> int:
        """The number of decisions."""
        return len(self._rows)

    def decided_since(self, revision: int) -> list[str]:
        """Return the images that were decided since there were `revision` decisions."""
        return list(dict.fromkeys(decision.path for decision in self._rows[revision:]))

    def state(self, path: str) -> State:
        """Return what is decided about an image of the run."""
        made, version = self._made.get(path), self._versions.get(path, 0)
        if not made:
            return State(self._labels[path], None, version)
        return State(made[-1].label, made[-1].decision, version)

    def changes(self) -> dict[str, str]:
        """Return the label of each image whose label is not that of the run; "" if left out."""
        with self._lock:
            now = {path: self.state(path).label for path in self._made if path in self._labels}
        return {path: label for path, label in now.items() if label != self._labels[path]}

    def relabel(self, path: str, label: str, version: int | None = None) -> State:
        """Give an image a label; that of the run confirms it.

        Parameters
        ----------
        path, label : str
        version : int, optional
            Of the state that whoever decides has seen.

        Raises
        ------
        ReviewError
            If the decision cannot be written, or another one was made meanwhile. It then does not
            count.
        """
        kind = KEEP if label == self._labels[path] else RELABEL
        return self._decide(path, label, kind, version)

    def leave_out(self, path: str, version: int | None = None) -> State:
        """Leave an image out; see `relabel`."""
        return self._decide(path, "", LEAVE_OUT, version)

    def undo(self, path: str, version: int) -> State:
        """Take back the last decision about an image.

        Parameters
        ----------
        path : str
        version : int
            Of the state that the decision has led to.

        Raises
        ------
        ReviewError
            If there is none, another one has followed, or it cannot be written.
        """
        with self._lock:
            made = self._made.get(path, [])
            if not made:
                raise ReviewError("there is no decision about this image to take back")
            if version != self._versions[path]:
                raise ReviewError(
                    "this image was decided again since, perhaps in another tab; nothing was "
                    "taken back"
                )
            before = made[-2].label if len(made) > 1 else self._labels[path]
            self._write(path, before, UNDO)
            return self.state(path)

    def _decide(self, path: str, label: str, kind: str, version: int | None) -> State:
        with self._lock:
            if version is not None and version != self._versions.get(path, 0):
                raise ReviewError(
                    "nothing was saved: this image was decided meanwhile, in another tab. What was "
                    "decided is shown now; decide again to change it"
                )
            self._write(path, label, kind)
            return self.state(path)

    def _write(self, path: str, label: str, kind: str) -> None:
        decision = Decision(path, label, kind, datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            if self._file is not None and not self._file.is_unchanged:
                self._close()
            if self._file is None:
                self._open()
            assert self._file is not None
            self._file.append(decision.encode())
        except ReviewError:
            raise
        except OSError as error:
            self._close()  # what was written of it is cut off when the file is opened again
            raise ReviewError(
                f"the decision was NOT saved: {self.path} cannot be written "
                f"({error.strerror or error}); mend that and decide again"
            ) from error
        self._apply(decision)

    def _open(self) -> None:
        """Open, lock and read the file; create it if need be."""
        file = AppendedFile(self.path)
        try:
            if not file.size:
                file.append(HEADER)
                disk.sync_folder(self.path.parent)
            decisions = read_decisions(self.path, self._labels, self._classes)
            if decisions is None:
                raise ReviewError(
                    f"{self.path} is not the file of a review: expected the columns "
                    f"{HEADER.decode().strip()}; rename it or move it away"
                )
            if decisions[: len(self._rows)] != self._rows:
                raise ReviewError(
                    f"the decision was NOT saved: another program has changed {self.path}; end "
                    "the server and start it again"
                )
            data = self.path.read_bytes()
            if is_appendable(data):
                file.end_with_row(data)
            else:
                disk.publish(self.path, HEADER + b"".join(each.encode() for each in decisions))
                file.close()
                file = AppendedFile(self.path)
        except BaseException:
            file.close()
            raise
        self._check_names(decisions)
        self._file = file
        for decision in decisions[len(self._rows) :]:
            self._apply(decision)

    def _check_names(self, decisions: Sequence[Decision]) -> None:
        """Refuse images that the run does not have, and mention classes that it does not have."""
        for decision in decisions:
            if decision.path not in self._labels:
                raise ReviewError(
                    f"{self.path} names {decision.path!r}, which the run does not have; remove its "
                    "rows"
                )
        labels = {each.label for each in decisions} - {""}
        warn_of_new_classes(self.path, labels, self._classes)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _apply(self, decision: Decision) -> None:
        made = self._made.setdefault(decision.path, [])
        if decision.decision == UNDO:
            del made[-1:]
            kept = made[-1].label if made else self._labels.get(decision.path, decision.label)
            if decision.label != kept:  # somebody has edited the file: the label of a row holds
                made.append(decision)
        else:
            made.append(decision)
        self._versions[decision.path] = self._versions.get(decision.path, 0) + 1
        self._rows.append(decision)
