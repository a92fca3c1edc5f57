"""The disk says no, at every call: one clear error, nothing lost, and the next run goes on.

A process opens a cache, commits two shards, reads them, prunes and verifies, each by the functions
that the command line calls; strace makes the n-th system call of one kind fail, for every n until
the run passes unharmed. Besides, files may not grow beyond a limit, which cuts writes short, and
Python's own writes are cut short at every length.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import common

from cache.cli import main as cache_command
from cache.errors import CorruptCacheError
from cache.maintenance import upkeep
from cache.store import Store
from toolkit.console import run as run_command

if TYPE_CHECKING:
    from collections.abc import Callable

_CREATING = {"openat", "mkdir", "rename", "unlink", "utimensat"}
_WRITING = {"write", "pwrite64", "fsync", "fdatasync", "ftruncate"}
_READING = {"read", "pread64", "lseek", "newfstatat", "getdents64", "fcntl", "flock"}
FAULTS = {
    "ENOSPC": _CREATING - {"unlink"} | _WRITING,
    "EIO": _CREATING | _WRITING | _READING,
    "EMFILE": {"openat"},
    "EACCES": {"openat", "mkdir", "rename", "unlink"},
}
FILLED, COMMITS = 2, 2  # shards
COMMANDS = ("ls", "verify", "verify --repair", "prune --max-size 0B", "clear")


class Faults:
    """Counts faults, and what they broke."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.count = self.clear = self.unharmed = 0
        self.broken: list[str] = []
        self.board = common.Board()
        self.folder = scratch / "cache"
        self.filled = scratch / "filled"
        common.commit_shards(self.filled, common.Board(), range(FILLED))

    def prepare(self, new: bool) -> Callable[[], None]:
        """Make a fresh cache, and return what a child is to do with it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if not new:
            shutil.copytree(self.filled, self.folder)
        begun = 0 if new else FILLED
        self.board.begun = self.board.done = begun
        self.board.status, self.board.text = -1, ""
        return lambda: self._command(range(begun, begun + COMMITS))

    def _command(self, numbers: range) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
            self.board.status = run_command(self._work, argparse.Namespace(numbers=numbers))
        self.board.text = said.getvalue()

    def _work(self, args: argparse.Namespace) -> None:
        common.commit_shards(self.folder, self.board, args.numbers)
        store = Store(self.folder)
        numbers = range(args.numbers.stop * common.ROWS)
        assert common.wrong_rows(store, numbers) == []
        upkeep.prune(store, older_than=1e6)
        for problem in upkeep.verify(store).problems:
            raise CorruptCacheError(problem)

    def check(self, where: str, ended: int) -> bool:
        """Look at what a run with a fault has said and left; return whether it failed."""
        self.count += 1
        lines = self.board.text.splitlines()
        if ended != 0 or self.board.status not in (0, 2):
            self.broken.append(f"{where}: ended with {ended}, status {self.board.status}: {lines}")
        elif self.board.status == 2:
            self.clear += 1
            if sum(line.startswith("error: ") for line in lines) != 1:
                self.broken.append(f"{where}: not one line of error: {lines}")
        else:
            self.unharmed += 1
        problems = common.broken_promises(self.folder, self.board.begun, self.board.done)
        self.broken += [f"{where}: {problem}" for problem in problems]
        return bool(self.board.status)


def at_calls(faults: Faults, new: bool, every: int) -> None:
    """Make every call fail with every error that it can fail with."""
    counts = common.calls_of(faults.prepare(new), faults.scratch)
    for error, names in FAULTS.items():
        wanted = {name: counts[name] for name in sorted(names) if name in counts}
        common.say(f"{error}, {'new' if new else 'filled'} cache: {wanted}")
        for name, count in wanted.items():
            for n in range(1, count + 2, every):
                inject = f"inject={name}:error={error}:when={n}"
                work = faults.prepare(new)
                ended = common.trace(work, "-o", os.devnull, f"--trace={name}", "-e", inject)
                faults.check(f"{error} at {name} {n}, {'new' if new else 'filled'} cache", ended)


def at_lengths(faults: Faults, every: int) -> None:
    """Let no file grow beyond a length, for every length up to that of the longest file."""
    longest = max(path.stat().st_size for path in faults.filled.rglob("*"))
    common.say(f"files no longer than 0 to {2 * longest:,} bytes")

    def limited(work: Callable[[], None], length: int) -> Callable[[], None]:
        def stopped() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (length, length))
            work()

        return stopped

    for length in range(0, 2 * longest, every):
        work = faults.prepare(new=bool(length // every % 2))
        faults.check(f"files of {length} bytes at most", common.run(limited(work, length)))


def with_short_writes(faults: Faults, lengths: range) -> None:
    """Let every write of a shard take fewer bytes than it is given."""
    real_open = pathlib.Path.open

    def short(length: int) -> object:
        class Short(io.FileIO):
            def write(self, data: Any) -> Any:
                return super().write(memoryview(data)[:length])

        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if mode == "xb":
                return io.BufferedWriter(Short(path, "xb"))
            return real_open(path, mode, *args, **kwargs)

        return opened

    common.say(f"writes of {lengths} bytes")
    for length in lengths:
        work = faults.prepare(new=False)

        def cut_short(work: Callable[[], None] = work, length: int = length) -> None:
            with mock.patch.object(pathlib.Path, "open", short(length)):
                work()

        ended = common.run(cut_short)
        if faults.check(f"writes of {length} bytes", ended):
            faults.broken.append(f"writes of {length} bytes: {faults.board.text}")


def on_the_command_line(faults: Faults, rng: random.Random, times: int) -> None:
    """Let ``python -m cache`` meet faults: status 2 and one line, or as if nothing had been."""
    for command in COMMANDS:

        def work(command: str = command) -> None:
            arguments = [*command.split(), "--cache", str(faults.folder), "--quiet"]
            with contextlib.redirect_stderr(io.StringIO()) as said:
                with contextlib.redirect_stdout(io.StringIO()):
                    faults.board.status = cache_command(arguments)
                faults.board.text = said.getvalue()

        faults.prepare(new=False)
        counts = common.calls_of(work, faults.scratch)
        points = [
            (error, name, n)
            for error, names in FAULTS.items()
            for name in sorted(names)
            for n in range(1, counts.get(name, 0) + 1)
        ]
        common.say(f"python -m cache {command}: {len(points)} faults")
        for error, name, n in rng.sample(points, min(times, len(points))):
            faults.prepare(new=False)
            inject = f"inject={name}:error={error}:when={n}"
            ended = common.trace(work, "-o", os.devnull, f"--trace={name}", "-e", inject)
            where = f"{error} at {name} {n}, python -m cache {command}"
            faults.count += 1
            lines = faults.board.text.splitlines()
            errors = [line for line in lines if line.startswith("error: ")]
            if ended or (faults.board.status, len(errors)) not in ((0, 0), (2, 1)):
                faults.broken.append(f"{where}: {ended}, {faults.board.status}, {lines}")
            faults.clear += len(errors)
            faults.unharmed += not errors
            # Those that delete may have done so, and a repair drops what the disk did not deliver.
            keeps = command in ("ls", "verify")
            faults.broken += [
                f"{where}: {problem}"
                for problem in common.broken_promises(faults.folder, FILLED, FILLED * keeps)
                if keeps or "compute again" not in problem
            ]


def main() -> int:
    """Let the disk fail, and print how often and what came of it."""
    full = common.wants_full(__doc__)
    with common.scratch_folder() as scratch:
        faults = Faults(scratch)
        faults.prepare(new=True)()  # so that nothing is imported for the first time in a child
        at_lengths(faults, 256 if full else 4096)
        with_short_writes(faults, range(1, 8400, 83 if full else 1009))
        if common.can_trace():
            for new in (True, False):
                at_calls(faults, new, 1 if full else 23)
            on_the_command_line(faults, random.Random(common.SEED), 10**6 if full else 8)
        else:
            common.say(f"no faults at system calls: {common.NO_STRACE}")
    return common.conclude(
        f"{faults.count} faults, {faults.clear} with one clear error, {faults.unharmed} without "
        f"effect, {len(faults.broken)} promises broken",
        faults.broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
