"""Hostile image files beside good ones: no run stops, hangs, or gives another image other numbers.

Every file goes through the real pipeline, with an engine whose embedding is the image itself, so
that one wrong pixel shows. In the first run one decoder takes good and hostile files in turn; then
the order is drawn. Decoders are killed with SIGSEGV while they decode. With ``--full`` every
hostile file also has a run of its own, and 3,000 files changed at random follow; without, the file
that takes a minute to decode meets a shorter limit than the others.
"""

from __future__ import annotations

import contextlib
import csv
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from common import SEED, conclude, say, scratch_folder, wants_full
from hostile.files import REFUSED, SCAN_BOMB, Hostile, hostile_files, mutated
from PIL import Image

from cache.location import cache_folder
from cache.store import Store
from extract import pipeline
from extract.datasets.layouts import read_dataset
from extract.images.decoders import pool as decoder_pool
from extract.images.loading import ReadSettings
from extract.pipeline import extract
from extract.recipe import Recipe
from tests.extract.decoders import children
from tests.extract.pictures import saved
from toolkit.csv_cells import decode_text, write_quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extract.images.decoders.pool import Decoded
    from extract.pipeline import ExtractionResult

SIZE = 32
RECIPE = Recipe(weights="0" * 64, preprocessing="torch", size=SIZE)
SECONDS_FOR_THE_BOMB = 1.0
SECONDS_ON_TOP = 2.0
"""To end a decoder and start another."""


def main() -> int:
    """Run all, and print how many files there were and what they did."""
    full, rng = wants_full(__doc__), random.Random(SEED)
    with scratch_folder() as folder:
        trial = Trial(folder, hostile_files())
        (bomb,) = (path for path in trial.hostile if trial.hostile[path].what == SCAN_BOMB)
        quick = [path for path in trial.hostile if path != bomb]
        in_turn = trial.in_turn()
        if not full:
            in_turn.remove(bomb)
            with mock.patch.object(decoder_pool, "SECONDS_TO_DECODE", SECONDS_FOR_THE_BOMB):
                trial.run(SCAN_BOMB, [trial.good[0], bomb, trial.good[1]], workers=1)
        trial.run("in turn", in_turn, workers=1)
        for number in range(6 if full else 1):
            order = [*trial.good, *quick]
            rng.shuffle(order)
            trial.run(f"in drawn order {number + 1}", order, workers=2 + number % 2)
        trial.kill_decoders(20 if full else 1)
        n_files = len(trial.hostile)
        if full:
            for path, hostile in trial.hostile.items():
                neighbours = trial.good[:2]
                trial.run(hostile.what, [neighbours[0], path, neighbours[1]], workers=1)
            more = Trial(folder / "more", list(mutated(3000, rng)))
            more.run("changed at random", more.in_turn(), workers=2)
            n_files += len(more.hostile)
            trial.add(more)
    say(f"the longest took {trial.longest:.1f} s")
    return conclude(
        f"{n_files} hostile files, {trial.stopped} runs stopped, {trial.changed} other embeddings "
        "changed",
        trial.broken,
    )


@dataclass
class Trial:
    """Hostile files on disk, each with a good one, and what went wrong in the runs over them."""

    folder: Path
    files: list[Hostile]
    good: list[Path] = field(default_factory=list)
    hostile: dict[Path, Hostile] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    stopped: int = 0
    changed: int = 0
    longest: float = 0.0

    def __post_init__(self) -> None:
        for label in ("cats", "dogs"):
            (self.folder / "data" / label).mkdir(parents=True)
        for number, hostile in enumerate(self.files):
            good = self.folder / "data" / "cats" / f"{number:04d}.jpg"
            good.write_bytes(_good(number))
            name = os.fsdecode(hostile.name) or f"{number:04d}.jpg"
            path = self.folder / "data" / "dogs" / name
            hostile.write(path, good.read_bytes())
            self.good.append(good)
            self.hostile[path] = hostile
        listed = {item.path for item in read_dataset(self.folder / "data").items}
        unlisted = {*self.good, *self.hostile} - listed
        self.broken += [f"{path!r} is not listed" for path in unlisted]
        self.expected = self._embed(self.good, workers=2)[1]

    def in_turn(self) -> list[Path]:
        """Return every hostile file right after its good one."""
        return [path for pair in zip(self.good, self.hostile, strict=True) for path in pair]

    def run(self, what: str, paths: Sequence[Path], workers: int) -> ExtractionResult | None:
        """Extract, and hold what comes of it against what must."""
        say(f"{len(paths)} files, {what}")
        times: dict[Path, float] = {}
        try:
            with _timed(times):
                done, rows = self._embed(paths, workers)
        except Exception as error:  # noqa: BLE001 - whatever stops a run is counted
            self.stopped += 1
            self.broken.append(f"{what}: stopped by {error!r}")
            return None
        for path in set(paths) & set(self.good):
            if path not in rows or rows[path].tobytes() != self.expected[path].tobytes():
                self.changed += 1
                self.broken.append(f"{what}: {path.name} changed: {done.quarantine.get(path)}")
        for path in set(paths) & set(self.hostile):
            self._judge(self.hostile[path], rows.get(path), done.quarantine.get(path))
        self._check_quarantine(done)
        for path, seconds in times.items():
            self.longest = max(self.longest, seconds)
            if seconds > decoder_pool.SECONDS_TO_DECODE + SECONDS_ON_TOP:
                self.broken.append(f"{what}: {path.name!r} took {seconds:.1f} s")
        return done

    def kill_decoders(self, times: int) -> None:
        """Kill the decoder with SIGSEGV in the middle of a large image, again and again."""
        large = self.folder / "data" / "dogs" / "large.png"
        large.write_bytes(saved("PNG", Image.new("RGB", (7000, 7000), (9, 8, 7)), compress_level=1))
        for number in range(times):
            killed: list[int] = []
            over = threading.Event()
            thread = threading.Thread(target=_kill_when_large, args=(killed, over))
            thread.start()
            paths = [self.good[0], large, *self.good[1:4]]
            done = self.run(f"decoder {number + 1} to be killed", paths, workers=1)
            over.set()
            thread.join()
            reason = done.quarantine.get(large, "decoded") if done else "stopped"
            if not killed or reason != "the decoder died: Segmentation fault":
                self.broken.append(f"killing {number + 1}: the large image: {reason}")

    def add(self, other: Trial) -> None:
        """Add what went wrong in another trial."""
        self.broken += other.broken
        self.stopped += other.stopped
        self.changed += other.changed
        self.longest = max(self.longest, other.longest)

    def _embed(
        self, paths: Sequence[Path], workers: int
    ) -> tuple[ExtractionResult, dict[Path, np.ndarray]]:
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            store = Store(cache_folder(cache))
            done = extract(paths, RECIPE, store, lambda: _pixels, reading=ReadSettings(workers))
            rows = store.read(RECIPE.fingerprint, list(done.digests.values()))
        return done, dict(zip(done.digests, rows, strict=True))

    def _judge(self, hostile: Hostile, row: np.ndarray | None, reason: str | None) -> None:
        if (row is None) == (reason is None):
            self.broken.append(f"{hostile.what}: neither an embedding nor a reason, or both")
        elif isinstance(hostile.expected, str):
            if hostile.expected == REFUSED and row is not None:
                self.broken.append(f"{hostile.what}: was not refused")
        elif row is None:
            self.broken.append(f"{hostile.what}: was refused: {reason}")
        else:
            seen = Image.fromarray(hostile.expected)
            wanted = np.asarray(seen.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
            difference = np.abs(row.reshape(wanted.shape) - wanted).max()
            if difference > 3:
                self.broken.append(f"{hostile.what}: other pixels, by {difference:g}")

    def _check_quarantine(self, done: ExtractionResult) -> None:
        listed = self.folder / "quarantine.csv"
        write_quarantine(listed, ((str(path), why) for path, why in done.quarantine.items()))
        with listed.open(encoding="utf-8", newline="") as file:
            read = {Path(decode_text(row["path"])) for row in csv.DictReader(file)}
        if read != set(done.quarantine):
            self.broken.append("quarantine.csv lists other files than were set aside")


def _good(number: int) -> bytes:
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return saved("JPEG", Image.fromarray(blocks).resize((200, 150)), quality=90)


def _pixels(images: np.ndarray) -> np.ndarray:
    """Be the engine: an embedding is the image."""
    return images.reshape(len(images), -1).astype(np.float32)


@contextlib.contextmanager
def _timed(times: dict[Path, float]) -> Iterator[None]:
    """Note how long each file takes its decoder."""

    class Timed(decoder_pool.DecoderPool):
        def __call__(self, path: Path) -> Decoded:
            started = time.monotonic()
            decoded = super().__call__(path)
            times[path] = time.monotonic() - started
            return decoded

    pipeline.DecoderPool = Timed
    try:
        yield
    finally:
        pipeline.DecoderPool = decoder_pool.DecoderPool


def _kill_when_large(killed: list[int], over: threading.Event) -> None:
    """Kill the decoder as soon as it holds half of a large image."""
    while not killed and not over.wait(0.001):
        for pid in children(os.getpid()):
            with contextlib.suppress(OSError, IndexError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                if pages * os.sysconf("SC_PAGESIZE") > 150e6:
                    os.kill(pid, signal.SIGSEGV)
                    killed.append(pid)


if __name__ == "__main__":
    raise SystemExit(main())
