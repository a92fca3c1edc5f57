"""Many processes on one cache: no exception, no lost row, and what a serial run would have given.

Eight writers, four readers, one that prunes to nothing and one that verifies work on the same 2,000
images. Each writer and reader opens the cache again and again, as commands do, and reads back what
it was told is there. Then 16 processes open a new cache in the same moment, again and again.
"""

from __future__ import annotations

import contextlib
import functools
import random
import shutil
import sqlite3
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import common
from common import FINGERPRINT, digest

from cache.location import cache_folder
from cache.maintenance.upkeep import prune, verify
from cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IMAGES = 2000
WRITERS, READERS, TOGETHER = 8, 4, 16


def write(folder: Path, rng: random.Random) -> None:
    """Do what an extraction does: compute what is missing of some images, then read them all."""
    store = Store(cache_folder(folder))
    numbers = some_images(rng)
    missing = set(store.missing(FINGERPRINT, [digest(i) for i in numbers]))
    todo = [i for i in numbers if digest(i) in missing]
    for start in range(0, len(todo), common.ROWS):
        common.commit(store, todo[start : start + common.ROWS])
    check(store, numbers)


def read(folder: Path, rng: random.Random) -> None:
    """Read those of some images that are there."""
    store = Store(cache_folder(folder))
    numbers = some_images(rng)
    missing = set(store.missing(FINGERPRINT, [digest(i) for i in numbers]))
    time.sleep(rng.uniform(0, 0.02))
    check(store, [i for i in numbers if digest(i) not in missing])


def prune_all(folder: Path, rng: random.Random) -> int:
    """Delete whatever no running command uses; return how many shards that were."""
    gone = prune(Store(cache_folder(folder)), max_bytes=rng.choice((0, 0, 10**6)))
    time.sleep(rng.uniform(0, 0.05))
    return len(gone)


def verify_all(folder: Path, rng: random.Random) -> None:
    """Read every byte that is there."""
    found = verify(Store(cache_folder(folder)))
    assert found.problems == [], found.problems
    time.sleep(rng.uniform(0, 0.05))


def some_images(rng: random.Random) -> Sequence[int]:
    """Draw a stretch of the images."""
    length = rng.randrange(100, 600)
    start = rng.randrange(IMAGES - length)
    return range(start, start + length)


def check(store: Store, numbers: Sequence[int]) -> None:
    """Read images that have to be there, and compare them."""
    wrong = common.wrong_rows(store, numbers)
    assert wrong == [], wrong


def repeat(
    work: Callable[[Path, random.Random], int | None], folder: Path, seed: int, until: float
) -> tuple[int, common.Board]:
    """Start a process that does something again and again."""
    board = common.Board()
    rng = random.Random(seed)

    def loop() -> None:
        try:
            while time.monotonic() < until:
                board.begun += work(folder, rng) or 0
                board.done += 1
        except BaseException:
            board.text = traceback.format_exc()
            raise

    pid, go = common.start(loop)
    go()
    return pid, board


def all_together(folder: Path, seconds: float) -> tuple[str, list[str]]:
    """Let all of them work on one cache; return their counts, and what went wrong."""
    until = time.monotonic() + seconds
    kinds = [write] * WRITERS + [read] * READERS + [prune_all, verify_all]
    processes = [
        (kind.__name__, *repeat(kind, folder, common.SEED + i, until))
        for i, kind in enumerate(kinds)
    ]
    journals = set()
    while time.monotonic() < until:
        journals |= {path.suffix for path in folder.glob("index.sqlite-*")}
        time.sleep(0.01)
    broken, pruned = [], 0
    counts = dict.fromkeys((kind.__name__ for kind in kinds), 0)
    for name, pid, board in processes:
        ended = common.finish(pid)
        counts[name] += board.done
        pruned += board.begun
        if ended != 0:
            broken.append(f"{name}: {board.text.strip() or ended}")
    if extra := {suffix for suffix in journals if "wal" in suffix or "shm" in suffix}:
        broken.append(f"a journal that is not safe on a network: {extra}")
    kinds_of_run = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return f"{kinds_of_run}, {pruned:,} shards pruned", broken


def like_serial(folder: Path, serial: Path) -> list[str]:
    """Compute what is missing now, and compare every byte with a cache that one process filled."""
    store, alone = Store(folder), Store(cache_folder(serial))
    numbers = range(IMAGES)
    names = [digest(i) for i in numbers]
    for one in (store, alone):
        missing = set(one.missing(FINGERPRINT, names))
        todo = [i for i in numbers if digest(i) in missing]
        for start in range(0, len(todo), common.ROWS):
            common.commit(one, todo[start : start + common.ROWS])
    broken = []
    if store.read(FINGERPRINT, names).tobytes() != alone.read(FINGERPRINT, names).tobytes():
        broken.append("the rows are not those of a serial run")
    found = verify(store)
    broken += found.problems
    if found.leftovers:
        broken.append(f"{found.leftovers} files that nobody names")
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "delete":
        broken.append(f"journal mode {mode}")
    return broken


def open_together(folder: Path) -> list[str]:
    """Let 16 processes open a new cache at once and commit; return what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    boards = [common.Board() for _ in range(TOGETHER)]

    def work(number: int) -> None:
        try:
            common.commit_shards(folder, boards[number], [number // 2])  # each shard twice
            check(Store(folder), common.shard(number // 2))
        except BaseException:
            boards[number].text = traceback.format_exc()
            raise

    started = [common.start(functools.partial(work, i)) for i in range(TOGETHER)]
    for _, go in started:
        go()
    ended = [common.finish(pid) for pid, _ in started]
    broken = [board.text for board, status in zip(boards, ended, strict=True) if status]
    return broken or common.broken_promises(folder, TOGETHER // 2, TOGETHER // 2)


def main() -> int:
    """Run everything, and print how much was done and what went wrong."""
    full = common.wants_full(__doc__)
    seconds, times = (60.0, 50) if full else (3.0, 3)
    with common.scratch_folder() as scratch:
        counts, broken = all_together(cache_folder(scratch / "cache"), seconds)
        common.say(counts)
        broken += like_serial(scratch / "cache", scratch / "serial")
        for i in range(times):
            broken += [f"opening {i}: {line}" for line in open_together(scratch / "new")]
    return common.conclude(
        f"{WRITERS} writers, {READERS} readers, a prune and a verify for {seconds:.0f} s "
        f"({counts}), {TOGETHER} processes on a new cache {times} times: {len(broken)} exceptions, "
        "lost rows or differences from a serial run",
        broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
