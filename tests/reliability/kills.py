"""SIGKILL before and after every step of a commit, and at random moments: nothing is lost.

Steps are the system calls (SQLite's own included) of a process that opens a cache and commits two
shards, once in a new cache and once in a filled one: strace kills it on entering the n-th call of
each kind. Killed before a call is killed after the one before it. Besides, it is killed before
lines of the package `cache`, which needs no strace; without it, before every one. After each kill
the cache is opened: what was committed is there and right, at most one shard is to be computed
again, `verify` is clean, and the next commit goes on.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import common

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from common import Board

CHANGING = {
    "openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "utimensat",
}  # fmt: skip
OTHERS = {
    "read", "pread64", "lseek", "close", "fcntl", "flock", "newfstatat", "fstat", "stat", "lstat",
    "access", "faccessat", "faccessat2", "getdents64", "fchmod", "fchown", "geteuid",
}  # fmt: skip
FILLED, COMMITS = 2, 2  # shards
SOURCES = f"{common.ROOT / 'cache'}{os.sep}"


class Kills:
    """Counts kills, and what they broke."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.count = 0
        self.reached: dict[str, int] = {}
        self.broken: list[str] = []
        self.board = common.Board()
        self.folder = scratch / "cache"
        self.base = {"new": scratch / "new", "filled": scratch / "filled"}
        common.commit_shards(self.base["filled"], common.Board(), range(FILLED))

    def prepare(self, base: str) -> Callable[[], None]:
        """Make a fresh cache, and return what a child is to do with it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        begun = 0
        if base == "filled":
            shutil.copytree(self.base[base], self.folder)
            begun = FILLED
        self.board.begun = self.board.done = begun
        numbers = range(begun, begun + COMMITS)
        return lambda: common.commit_shards(self.folder, self.board, numbers)

    def check(self, where: str, ended: int) -> bool:
        """Count a kill and look at what it left; return whether the child was killed at all."""
        if ended == 0:
            return False
        if ended != -signal.SIGKILL:
            self.broken.append(f"{where}: ended with {ended}")
            return True
        self.count += 1
        self.reached[where] = self.reached.get(where, 0) + 1
        problems = common.broken_promises(self.folder, self.board.begun, self.board.done)
        self.broken += [f"{where}: {problem}" for problem in problems]
        return True


def at_calls(kills: Kills, base: str, times: dict[str, int], most: int) -> None:
    """Kill at every system call of these names, or about `most` evenly spaced ones of each."""
    counts = common.calls_of(kills.prepare(base), kills.scratch)
    wanted = {name: count for name, count in counts.items() if name in times}
    common.say(f"{base} cache: {sum(wanted.values())} calls: {wanted}")
    for name, count in wanted.items():
        for n in range(1, count + 1, max(1, count // most)):
            for _ in range(times[name]):
                kill = f"inject={name}:signal=SIGKILL:when={n}"
                work = kills.prepare(base)
                ended = common.trace(work, "-o", os.devnull, f"--trace={name}", "-e", kill)
                kills.check(f"{base} cache, {name} {n}", ended)


def at_lines(kills: Kills, base: str, lines: Sequence[int]) -> None:
    """Kill before the n-th line of `cache` that runs, for each n, until there is none left."""
    for n in lines:
        work = kills.prepare(base)
        if not kills.check(f"{base} cache, line {n}", common.run(_killed_at_line(work, n))):
            break


def _killed_at_line(work: Callable[[], None], n: int) -> Callable[[], None]:
    def stopped() -> None:
        seen = 0

        def watch(frame, event, argument):  # type: ignore[no-untyped-def]
            nonlocal seen
            if not frame.f_code.co_filename.startswith(SOURCES):
                return None
            if event == "line":
                seen += 1
                if seen == n:
                    os.kill(os.getpid(), signal.SIGKILL)
            return watch

        sys.settrace(watch)
        work()

    return stopped


def at_random(kills: Kills, times: int, rng: random.Random) -> None:
    """Kill a child that commits one shard after another, at random moments."""
    common.say(f"{times} random moments")
    for i in range(times):
        kills.prepare("new")
        pid, go = common.start(lambda: _commit_forever(kills.folder, kills.board))
        go()
        time.sleep(rng.uniform(0.0, 0.15))
        os.kill(pid, signal.SIGKILL)
        kills.check(f"random moment {i}", common.finish(pid))


def _commit_forever(folder: Path, board: Board) -> None:
    common.commit_shards(folder, board, range(10**6))


def main() -> int:
    """Kill, and print how often and how many rows were lost."""
    full = common.wants_full(__doc__)
    rng = random.Random(common.SEED)
    with common.scratch_folder() as scratch:
        kills = Kills(scratch)
        at_random(kills, 200 if full else 20, rng)
        moments = kills.count
        if common.can_trace():
            times = dict.fromkeys(CHANGING, 10 if full else 1)
            if full:
                times |= dict.fromkeys(OTHERS, 1)
            for base in kills.base:
                at_calls(kills, base, times, 10**6 if full else 15)
        else:
            common.say(f"no kills at system calls: {common.NO_STRACE}")
        calls = kills.count - moments
        step = 59 if not full else 5 if calls else 1
        common.say(f"lines of the package, {step} apart")
        for base in kills.base:
            at_lines(kills, base, range(1, 10**6, step))
    return common.conclude(
        f"{kills.count} kills ({moments} at random moments, {calls} at system calls, "
        f"{kills.count - moments - calls} between lines): "
        f"{sum('lost' in problem for problem in kills.broken)} with rows lost, "
        f"{sum('wrong' in problem for problem in kills.broken)} with wrong rows, "
        f"{len(kills.broken)} promises broken",
        kills.broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
