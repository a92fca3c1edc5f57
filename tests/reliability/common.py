"""What the scripts about the store share: a stub embedder, children to be killed, and the check.

A child reports through memory that it shares with its parent, so that reporting makes no system
call, which a fault that is put into every call would hit.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import hashlib
import logging
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - the path above comes first

from cache.location import cache_folder  # noqa: E402 - the path above comes first
from cache.maintenance.upkeep import verify  # noqa: E402 - the path above comes first
from cache.store import SHARD_ROWS, Store  # noqa: E402 - the path above comes first
from toolkit.errors import ToolkitError  # noqa: E402 - the path above comes first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEED = 3
ROWS = SHARD_ROWS
SHAPE = (2, 2, 8)
CANONICAL = '{"backbone":"stub"}'
FINGERPRINT = hashlib.sha256(CANONICAL.encode()).hexdigest()
SECONDS_A_CHILD_MAY_TAKE = 60.0
NO_STRACE = "strace is not installed, or may not attach to a process here"

_PR_SET_PTRACER = 0x59616D61


# --- the stub embedder ---------------------------------------------------------------------------


@functools.cache
def digest(number: int) -> str:
    """Return the SHA-256 that stands for an image file."""
    return hashlib.sha256(b"image %d" % number).hexdigest()


@functools.cache
def _embedding(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(SHAPE).astype(np.float32)


def embeddings(numbers: Sequence[int]) -> np.ndarray:
    """Return what the images' embeddings have to be."""
    return np.stack([_embedding(number) for number in numbers])


def commit(store: Store, numbers: Sequence[int]) -> None:
    """Commit the embeddings of images as one shard."""
    store.append(FINGERPRINT, CANONICAL, [digest(i) for i in numbers], embeddings(numbers))


def shard(number: int) -> range:
    """Return the images of a shard."""
    return range(number * ROWS, (number + 1) * ROWS)


def commit_shards(folder: Path, board: Board, numbers: Sequence[int]) -> None:
    """Do what a command does: open the cache, commit shards; say what has begun and returned."""
    store = Store(cache_folder(folder))
    for number in numbers:
        board.begun = number + 1
        commit(store, shard(number))
        board.done = number + 1


# --- children ------------------------------------------------------------------------------------


class Board:
    """Numbers and a text that a child leaves for its parent."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 << 16)

    def _get(self, place: int) -> int:
        return int(struct.unpack_from("<q", self._memory, 8 * place)[0])

    def _set(self, place: int, value: int) -> None:
        struct.pack_into("<q", self._memory, 8 * place, value)

    begun = property(lambda self: self._get(0), lambda self, value: self._set(0, value))
    done = property(lambda self: self._get(1), lambda self, value: self._set(1, value))
    status = property(lambda self: self._get(2), lambda self, value: self._set(2, value))

    @property
    def text(self) -> str:
        """The text; at most 32,000 bytes."""
        return self._memory[1024:].split(b"\0")[0].decode("utf-8", "replace")

    @text.setter
    def text(self, value: str) -> None:
        data = value.encode("utf-8", "replace")[:32000] + b"\0"
        self._memory[1024 : 1024 + len(data)] = data


def start(work: Callable[[], None]) -> tuple[int, Callable[[], None]]:
    """Fork a child that waits to be let go; return its process id and what lets it go."""
    may_go = mmap.mmap(-1, 1)
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError, AttributeError):  # lets strace attach where it need be
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        try:
            while may_go[0] == 0:
                time.sleep(0.0005)
            work()
        except BaseException:  # noqa: BLE001 - a child must not run on into its parent's code
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def go() -> None:
        may_go[0] = 1

    return pid, go


def finish(pid: int) -> int:
    """Wait for a child; return its exit status, or minus the signal that killed it."""
    deadline = time.monotonic() + SECONDS_A_CHILD_MAY_TAKE
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"a child hung for {SECONDS_A_CHILD_MAY_TAKE:.0f} s")
        time.sleep(0.0005)


def run(work: Callable[[], None]) -> int:
    """Do something in a child and return how it ended."""
    pid, go = start(work)
    go()
    return finish(pid)


def trace(work: Callable[[], None], *options: str) -> int:
    """Do something in a child under strace, and return how it ended.

    Its system calls are counted from here on, because strace is attached to it only now.
    """
    pid, go = start(work)
    tracer = subprocess.Popen(
        ["strace", "-qq", "-p", str(pid), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    status = Path(f"/proc/{pid}/status")
    while "TracerPid:\t0\n" in status.read_text(encoding="ascii"):
        if tracer.poll() is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise OSError((tracer.stderr or sys.stdin).read())
        time.sleep(0.0005)
    go()
    ended = finish(pid)
    tracer.communicate()
    return ended


@functools.cache
def can_trace() -> bool:
    """Tell whether strace is here and works."""
    if shutil.which("strace") is None:
        return False
    try:
        return trace(lambda: None, "-o", os.devnull) == 0
    except OSError:
        return False


def calls_of(work: Callable[[], None], scratch: Path) -> dict[str, int]:
    """Return how often each system call is made."""
    log = scratch / "calls.log"
    ended = trace(work, "-o", str(log))
    assert ended == 0, ended
    count: dict[str, int] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        name = line.split("(")[0]
        if name.isidentifier():
            count[name] = count.get(name, 0) + 1
    log.unlink()
    return count


# --- the check -----------------------------------------------------------------------------------


def broken_promises(folder: Path, begun: int, done: int) -> list[str]:
    """Return what is not as promised in a cache that a child was stopped in.

    Parameters
    ----------
    folder : Path
        The cache.
    begun, done : int
        How many shards the child had begun to commit, and how many of these commits had returned.
    """
    broken: list[str] = []
    try:
        _check(folder, begun, done, broken)
    except ToolkitError as error:
        broken.append(f"{type(error).__name__}: {error}")
    return broken


def _check(folder: Path, begun: int, done: int, broken: list[str]) -> None:
    store = Store(folder)
    numbers = range(begun * ROWS)
    absent = set(store.missing(FINGERPRINT, [digest(i) for i in numbers]))
    lost = [i for i in range(done * ROWS) if digest(i) in absent]
    if lost:
        broken.append(f"{len(lost)} committed rows lost")
    if len(absent) > ROWS:
        broken.append(f"{len(absent)} rows to compute again, more than a shard")
    broken += wrong_rows(store, [i for i in numbers if digest(i) not in absent])
    broken += [f"verify: {problem}" for problem in verify(store).problems]
    again = [i for i in numbers if digest(i) in absent]
    if again:
        commit(store, again)
        broken += [f"going on: {line}" for line in wrong_rows(store, numbers)]
        broken += [f"verify, going on: {problem}" for problem in verify(store).problems]


def wrong_rows(store: Store, numbers: Sequence[int]) -> list[str]:
    """Read rows, and return a sentence if any is not what it has to be."""
    if not numbers:
        return []
    rows = store.read(FINGERPRINT, [digest(i) for i in numbers])
    wrong = int((rows != embeddings(numbers)).any(axis=(1, 2, 3)).sum())
    return [f"{wrong} wrong rows"] if wrong else []


# --- scripts -------------------------------------------------------------------------------------


def wants_full(description: str | None) -> bool:
    """Read a script's command line; return whether it asks for the full counts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the full counts")
    full = bool(parser.parse_args().full)
    logging.disable(logging.CRITICAL)
    say(f"seed {SEED}")
    return full


def say(line: str) -> None:
    """Tell how far a script is."""
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder, in memory where the system has such folders: fsync costs nothing there."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="reliability-", dir=where) as folder:
        yield Path(folder)


def conclude(line: str, broken: Sequence[str]) -> int:
    """Say what is broken, print a script's count as its last line, return its exit status."""
    for problem in broken[:50]:
        say(f"BROKEN: {problem}")
    print(line, flush=True)
    return 1 if broken else 0
