"""Cold `extract` against `keras.Model.predict` alone, and against its own forward pass alone.

Everything runs in turn in one process. `predict` gets arrays that are decoded and preprocessed
already, so it does the forward passes and nothing else; so does each engine alone, on decoded
images and fed as `extract` feeds it. The whole of `extract` reads, hashes, decodes, computes and
commits. Engines are made and warmed up before any clock runs, and the int8 model is calibrated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import inputs
from cache import Store, cache_folder
from extract import engines
from extract.backbones import catalog
from extract.engines.tensorflow import build
from extract.errors import EngineError
from extract.frozen import FrozenBase
from extract.images.loading import BATCH_SIZE, load_images
from extract.options import BaseSettings, Options
from extract.pipeline import extract, hash_images
from extract.prepare import find_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from extract.engines import Engine


@dataclass(frozen=True)
class Way:
    """One engine and precision, and what was promised of it."""

    words: str
    precision: str
    engine: str
    against_predict: str
    against_itself: str


TENSORFLOW = Way("float32, TensorFlow", "float32", "tensorflow", ">= 0.95", ">= 0.95")
FAST = (
    Way("float32, OpenVINO", "float32", "openvino", ">= 1.05", ">= 0.95"),
    Way("int8, OpenVINO", "int8", "openvino", ">= 4.0", ">= 0.85"),
)
"""What the extra `fast` adds."""

PREDICT = ("keras", "predict")


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.images, args.rounds)


def measure(folder: Path, n_images: int, rounds: int) -> None:
    """Time everything in turn, `rounds` times."""
    data = inputs.photographs(folder)
    dataset = find_dataset(Options(data, BaseSettings(cache=folder / "cache")))
    paths = [item.path for item in dataset.items][:: max(1, len(dataset) // n_images)][:n_images]
    ways = [TENSORFLOW, *FAST]
    try:
        engines.choose("int8")
    except EngineError as error:
        print(f"measuring TensorFlow alone: {error}", file=sys.stderr)
        ways = [TENSORFLOW]
    clocks: dict[tuple[str, str], Callable[[], float]] = {}
    for way in ways:
        base = FrozenBase.choose(
            BaseSettings(
                weights=inputs.weights(), precision=way.precision, engine=way.engine, cache=folder
            )
        )
        if way.precision == "int8":
            base = base.calibrated(hash_images(paths, base.store)[0])
        images = load_images(paths, base.recipe.size)
        if way is TENSORFLOW:
            clocks[PREDICT] = predict(base, images)
        engine = base.make_engine()
        engine(images[:BATCH_SIZE])
        clocks[way.words, "alone"] = alone(engine, images)
        clocks[way.words, "whole"] = whole(base, engine, paths, folder)
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in clocks}
    for i in range(rounds):
        for key, clock in clocks.items():
            rates[key].append(len(paths) / clock())
            print(f"round {i + 1}: {' '.join(key)}: {rates[key][-1]:.1f} images/s", flush=True)
    inputs.publish("extract", rows(ways, rates))


def predict(base: FrozenBase, images: NDArray[np.uint8]) -> Callable[[], float]:
    """Return what times `keras.Model.predict` on preprocessed images, in seconds."""
    model = build(base.recipe, base.weights)
    pixels = catalog.preprocess(images.astype(np.float32), base.recipe.preprocessing)
    pixels = np.asarray(pixels)
    model.predict(pixels[:BATCH_SIZE], verbose=0)  # traces the graph

    def clock() -> float:
        started = time.perf_counter()
        model.predict(pixels, batch_size=BATCH_SIZE, verbose=0)
        return time.perf_counter() - started

    return clock


def alone(engine: Engine, images: NDArray[np.uint8]) -> Callable[[], float]:
    """Return what times an engine on decoded images, in seconds."""

    def clock() -> float:
        started = time.perf_counter()
        for first in range(0, len(images), BATCH_SIZE):
            engine(images[first : first + BATCH_SIZE])
        return time.perf_counter() - started

    return clock


def whole(base: FrozenBase, engine: Engine, paths: list[Path], folder: Path) -> Callable[[], float]:
    """Return what times the whole of `extract` with an empty cache, in seconds."""

    def clock() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            store = Store(cache_folder(fresh))
            started = time.perf_counter()
            done = extract(paths, base.recipe, store, lambda: engine)
            seconds = time.perf_counter() - started
        assert done.computed == len(paths)
        return seconds

    return clock


def rows(ways: list[Way], rates: dict[tuple[str, str], list[float]]) -> list[inputs.Row]:
    """Return the ratios, then the rates that they are made of.

    Parameters
    ----------
    ways : list of Way
    rates : dict
        Images a second in every round, by the way's words and ``alone`` or ``whole``; and of
        ``predict``, which has no words.
    """

    def ratio(ours: tuple[str, str], theirs: tuple[str, str]) -> list[float]:
        return [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]

    found = [
        inputs.Row(
            f"whole `extract`, {way.words} / `keras.Model.predict` alone",
            ratio((way.words, "whole"), PREDICT),
            promised=way.against_predict,
        )
        for way in ways
    ]
    found += [
        inputs.Row(
            f"whole `extract` / its forward passes alone, {way.words}",
            ratio((way.words, "whole"), (way.words, "alone")),
            promised=way.against_itself,
        )
        for way in ways
    ]
    found.append(inputs.Row("`keras.Model.predict` alone", rates[PREDICT], "images/s"))
    found += [
        inputs.Row(f"whole `extract`, {way.words}", rates[way.words, "whole"], "images/s")
        for way in ways
    ]
    return found


if __name__ == "__main__":
    main()
