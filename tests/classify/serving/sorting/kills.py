"""Kill a sorting, or an undo, before each of its system calls; print what is not as before.

A process of its own, because it forks: `python -m tests.classify.serving.sorting.kills FOLDER HOW`.
"""

from __future__ import annotations

import itertools
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify.serving.sorting.journal import UNDO_NAME
from tests.classify.serving.sorting.conftest import Home, tree, visible
from tests.classify.serving.sorting.test_sorter import SORTED

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = ("link", "unlink", "replace", "rename", "mkdir", "rmdir", "fsync", "open", "utime")


def is_killed(action: Callable[[], object], at: int) -> bool:
    """Do something in another process, which ends before its call number `at`."""
    child = os.fork()
    if child == 0:
        calls = iter(range(10**6))

        def dying(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if next(calls) == at:
                    os._exit(9)
                return function(*args, **kwargs)

            return call

        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


def kill_everywhere(folder: Path, how: str) -> int:
    """Return the number of kills; print a line for each that leaves something else."""
    for number in itertools.count():
        homes = [Home(folder / f"{number}-{which}") for which in range(3)]
        undone, repeated, stopped = homes
        before = [tree(home.images) for home in homes]
        stopped.sort(how=how)
        was_killed = [
            is_killed(partial(undone.sort, how=how), number),
            is_killed(partial(repeated.sort, how=how), number),
            is_killed(stopped.undo, number),
        ]
        repeated.sort(how=how)
        if visible(repeated.sorted) != SORTED:
            print(number, "repeated", visible(repeated.sorted))
        for home, images in zip(homes, before, strict=True):
            left = home.undo().n_left if (home.sorted / UNDO_NAME).exists() else 0
            if left or tree(home.images) != images or visible(home.sorted):
                print(number, home.images.parent.name, left, visible(home.sorted))
        if not any(was_killed):
            return number
    raise AssertionError("unreachable")


if __name__ == "__main__":
    print(kill_everywhere(Path(sys.argv[1]), sys.argv[2]), "kills")
