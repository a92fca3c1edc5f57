"""What a worker says: one line of JSON when it is ready, and one for each line that it reads."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Report = dict[str, Any]
    Contestant = tuple[str, Callable[[], Report]]

T = TypeVar("T")


def serve(contestants: Mapping[str, Callable[..., Contestant]]) -> None:
    """Make the contestant that the arguments name, and let it compute whenever a line arrives.

    The first argument is a key of `contestants`, the second an object in JSON with its parameters.
    A contestant is its name, with versions and settings, and a function that computes once and
    returns a report with the ``seconds`` that it took.
    """
    name, settings = sys.argv[1:]
    # Whatever libraries print goes to standard error.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    words, compute = contestants[name](**json.loads(settings))
    print(json.dumps({"words": words}), file=lines)
    for _ in sys.stdin:
        print(json.dumps(compute()), file=lines)


def fastest(ways: Mapping[str, Callable[[T], Any]], trial: T) -> str:
    """Return the key of the way that takes least time for `trial`, once it is warm."""
    if len(ways) == 1:
        return next(iter(ways))
    seconds = {}
    for words, way in ways.items():
        way(trial)
        seconds[words] = timed(way, trial)[0]
        print(f"{words}: {seconds[words]:.2f} s", file=sys.stderr, flush=True)
    return min(seconds, key=seconds.__getitem__)


def timed(way: Callable[[T], Any], task: T) -> tuple[float, Any]:
    """Return the seconds that a way takes for a task, and its result."""
    started = time.perf_counter()
    result = way(task)
    return time.perf_counter() - started, result
