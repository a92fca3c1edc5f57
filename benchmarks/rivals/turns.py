"""Ours and its rivals in turn: one computes while the others wait.

Each rival is a process of its own, in the interpreter that `RIVALS_PYTHON` names, and runs a script
of `benchmarks/rivals/workers/`, which imports nothing of this project. It times itself, after a
warm-up in which it chooses the fastest of several ways. Ours is compared with a rival's best round.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE = Path(__file__).parent
PAUSE = 0.5
"""Seconds between two turns, in which the threads of the first one stop to spin."""
OURS = "ours"


def interpreter() -> str:
    """Return the interpreter of the rivals.

    Raises
    ------
    SystemExit
        If `RIVALS_PYTHON` is not set.
    """
    python = os.environ.get("RIVALS_PYTHON")
    if not python:
        sys.exit(
            "error: RIVALS_PYTHON is not set; expected the Python of an environment into which "
            "benchmarks/rivals/requirements.txt was installed"
        )
    return python


@dataclass(frozen=True)
class Rival:
    """How a rival is started.

    Parameters
    ----------
    script : str
        Name of a script in `workers`, without ``.py``.
    contestant : str
        One of those that the script serves.
    settings : mapping
        Its parameters, which JSON can express.
    check : callable
        Gets every report, and raises if the rival did not compute the same.
    python : str, default=None
        Its interpreter; None is that of the rivals.
    """

    script: str
    contestant: str
    settings: Mapping[str, Any]
    check: Callable[[dict[str, Any]], None]
    python: str | None = None


class Worker:
    """A rival's process, which computes whenever it is asked to.

    Attributes
    ----------
    words : str
        The rival with its versions and the way that it found fastest.
    """

    def __init__(self, rival: Rival) -> None:
        self._rival = rival
        script = HERE / "workers" / f"{rival.script}.py"
        self._process = subprocess.Popen(
            [rival.python or interpreter(), script, rival.contestant, json.dumps(rival.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )
        self.words: str = self._read()["words"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def compute(self) -> float:
        """Let it compute once, and check what it found; return the seconds that it reports."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        report = self._read()
        self._rival.check(report)
        return float(report["seconds"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            name, status = self._rival.contestant, self._process.wait()
            raise RuntimeError(f"the rival {name!r} ended with status {status}; see above")
        report: dict[str, Any] = json.loads(line)
        return report


def take(ours: Callable[[], float], rivals: Sequence[Rival], rounds: int) -> dict[str, list[float]]:
    """Let ours and every rival compute in turn; return the seconds of every round.

    Ours is warmed up first. The keys are `OURS` and the rivals' words.
    """
    ours()
    seconds: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(rival)) for rival in rivals]
        turns = {OURS: ours} | {worker.words: worker.compute for worker in workers}
        for i in range(rounds):
            for words, compute in turns.items():
                time.sleep(PAUSE)
                seconds[words].append(compute())
                print(f"round {i + 1}: {words}: {seconds[words][-1]:.2f} s", flush=True)
    return dict(seconds)


def rows(
    what: str, seconds: Mapping[str, list[float]], promised: str, n_images: int | None = None
) -> list[inputs.Row]:
    """Return how many times as fast as each rival's best round ours is, then what each one took.

    Parameters
    ----------
    what : str
        What all of them do.
    seconds : mapping
        From `take`.
    promised : str
        For the strongest rival, which is the first row.
    n_images : int, optional
        In one round, for rates instead of seconds.

    Examples
    --------
    >>> seconds = {OURS: [2.0, 1.0, 2.0], "slow": [9.0, 8.0, 9.0], "fast": [5.0, 6.0, 4.0]}
    >>> [(row.what, list(row.values)) for row in rows("sums", seconds, ">= 2")][:2]
    [('sums: as fast as the best round of fast', [2.0, 4.0, 2.0]), \
('sums: as fast as the best round of slow', [4.0, 8.0, 4.0])]
    """
    theirs = sorted(set(seconds) - {OURS}, key=lambda words: min(seconds[words]))
    ratios = [
        inputs.Row(
            f"{what}: times as fast as the best round of {words}",
            [min(seconds[words]) / own for own in seconds[OURS]],
            promised="" if place else promised,
        )
        for place, words in enumerate(theirs)
    ]
    taken = [
        inputs.Row(
            f"{what}: {words}",
            [n_images / value for value in seconds[words]] if n_images else seconds[words],
            "images/s" if n_images else "s",
        )
        for words in (OURS, *theirs)
    ]
    return ratios + taken
