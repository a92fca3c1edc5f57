"""The whole of `extract --preset fast` on drawn photographs of a telephone: 12 megapixels, noise.

In every round, alternately: the extraction as it is by default; the same with `--resize lanczos`,
which decodes every JPEG in full, as all earlier versions did; and two processes that do nothing but
decode in full with OpenCV. The engine is made, and int8 calibrated, before anything is timed. At
the end, one command measures memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import commands, inputs
from benchmarks.extract import whole
from benchmarks.resize import drawn_jpeg
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from extract.images.rendering import read_opencv
from extract.options import BaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SIDES = (4000, 3000)
DECODERS = 2
LIMIT = 10**9
"""No limit of pixels."""

OURS, EARLIER, DECODING = "bicubic", "lanczos", "decoding"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = draw(folder / "pictures", args.images)
        rates = measure(folder, paths, args.rounds)
        peak = peak_memory(folder)
    inputs.publish("telephone", rows(rates, peak))


def draw(folder: Path, n_images: int) -> list[Path]:
    """Draw photographs of two classes, with one and with another noise."""
    paths = []
    for number in range(n_images):
        path = folder / ("even" if number % 2 == 0 else "odd") / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn_jpeg(*SIDES, seed=number))
        paths.append(path)
    sizes = [path.stat().st_size for path in paths]
    print(f"{n_images} photographs of {sum(sizes) / len(sizes) / 1e6:.1f} MB each", flush=True)
    return paths


def measure(folder: Path, paths: list[Path], rounds: int) -> dict[str, list[float]]:
    """Return the images per second of each way, in every round."""
    clocks: dict[str, Callable[[], float]] = {}
    for resize in (OURS, EARLIER):
        settings = BaseSettings(
            weights=inputs.weights(), precision="int8", resize=resize, cache=folder / "cache"
        )
        base = FrozenBase.choose(settings)
        base = base.calibrated(hash_images(paths, base.store)[0])
        clocks[resize] = whole(base, base.make_engine(), paths, folder)
    clocks[DECODING] = lambda: decode_all(paths)
    rates: dict[str, list[float]] = {name: [] for name in clocks}
    for i in range(rounds):
        for name, clock in clocks.items():
            rates[name].append(len(paths) / clock())
            print(f"round {i + 1}: {name}: {rates[name][-1]:.1f} images/s", flush=True)
    return rates


def decode_all(paths: list[Path]) -> float:
    """Return the seconds in which two processes decode all photographs in full."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(DECODERS, context) as pool:
        list(pool.map(decode_in_full, paths[:DECODERS]))  # starts the processes
        started = time.perf_counter()
        list(pool.map(decode_in_full, paths))
        return time.perf_counter() - started


def decode_in_full(path: Path) -> int:
    """Decode a photograph, and return its height."""
    return len(read_opencv(path.read_bytes(), LIMIT))


def peak_memory(folder: Path) -> float:
    """Return the peak memory in MiB of the command or of its largest decoder."""
    done = commands.run(
        "extract",
        *("--data", str(folder / "pictures"), "--weights", inputs.weights()),
        *("--cache", str(folder / "cache"), "--preset", "fast"),
    )
    assert done.summary["computed"]
    return done.peak


def rows(rates: dict[str, list[float]], peak: float) -> list[inputs.Row]:
    """Return the ratios, then the rates that they are computed from."""

    def ratio(divisor: str) -> list[float]:
        return [ours / other for ours, other in zip(rates[OURS], rates[divisor], strict=True)]

    photographs = "photographs of 12 megapixels"
    return [
        inputs.Row(
            f"`extract --preset fast` / the same with `--resize lanczos`, {photographs}",
            ratio(EARLIER),
            promised=">= 1.7",
        ),
        inputs.Row(
            f"`extract --preset fast` / two processes that only decode in full, {photographs}",
            ratio(DECODING),
            promised=">= 1.3",
        ),
        inputs.Row(f"`extract --preset fast`, {photographs}", rates[OURS], "images/s"),
        inputs.Row(
            f"`extract --preset fast --resize lanczos`, {photographs}", rates[EARLIER], "images/s"
        ),
        inputs.Row(
            f"two processes that only decode in full, {photographs}", rates[DECODING], "images/s"
        ),
        inputs.Row(
            f"memory of `extract --preset fast`, {photographs}", [peak], "MiB", promised="<= 1500"
        ),
    ]


if __name__ == "__main__":
    main()
