"""Training in the background: one at a time, with its progress."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from classify.reviewing.retraining import Retrained
    from toolkit.progress import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobState:
    """How far a training is.

    Parameters
    ----------
    is_running : bool
    stage : str
        What it does.
    done, total : int
        Units of this stage.
    retrained : Retrained or None
        The result of the last one that has finished.
    problem : str
        Why the last one has failed; "" if it has not.
    """

    is_running: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    retrained: Retrained | None = None
    problem: str = ""


class RetrainingJob:
    """Runs a training in a thread of its own.

    Parameters
    ----------
    train : callable
        Takes a callback for progress.
    """

    def __init__(self, train: Callable[[Progress], Retrained]) -> None:
        self._train = train
        self._lock = threading.Lock()
        self._state = JobState()

    @property
    def state(self) -> JobState:
        """How far it is now."""
        return self._state

    def start(self) -> JobState:
        """Start a training, unless one is running; return how far it is."""
        with self._lock:
            if not self._state.is_running:
                self._state = JobState(is_running=True, stage="reading embeddings")
                # Nothing is lost if the server ends before it does.
                threading.Thread(target=self._run, name="retraining", daemon=True).start()
        return self._state

    def _run(self) -> None:
        try:
            self._state = JobState(retrained=self._train(self._report))
        except ToolkitError as error:
            self._state = JobState(problem=f"{error}.")
        except Exception:
            logger.exception("training with the corrected labels failed")
            self._state = JobState(
                problem="The training failed; the terminal of the server says why."
            )

    def _report(self, stage: str, done: int, total: int) -> None:
        self._state = replace(self._state, stage=stage, done=done, total=total)
