"""Cold `extract`, compared with `keras.Model.predict` and with its own forward passes alone.

Everything runs alternately in one process. `predict` gets decoded and preprocessed arrays, so it
does nothing but the forward passes, and its best round counts; `benchmarks/rivals/` has stronger
rivals. Each engine alone gets decoded images in the same batches as in `extract`. The whole of
`extract` reads, hashes, decodes, computes and commits. Engines are made and warmed up, and the int8
model is calibrated, before anything is timed.
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

from benchmarks.common import inputs
from cache import Store, cache_folder
from extract import engines
from extract.backbones import catalog
from extract.engines.tensorflow import build
from extract.errors import EngineError
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from extract.images.loading import BATCH_SIZE, load_images
from extract.options import BaseSettings, Options
from extract.pipeline import extract
from extract.prepare import find_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from extract.engines import Engine


@dataclass(frozen=True)
class Configuration:
    """One engine and precision, with the ratios promised for it."""

    words: str
    precision: str
    engine: str
    against_predict: str
    against_itself: str


TENSORFLOW = Configuration("float32, TensorFlow", "float32", "tensorflow", ">= 0.95", ">= 0.95")
FAST = (
    Configuration("float32, OpenVINO", "float32", "openvino", ">= 1.05", ">= 0.95"),
    Configuration("int8, OpenVINO", "int8", "openvino", ">= 4.0", ">= 0.85"),
)
"""Configurations that need the extra `fast`."""

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
    """Time everything alternately, `rounds` times."""
    data = inputs.photographs(folder)
    dataset = find_dataset(Options(data, BaseSettings(cache=folder / "cache")))
    paths = [item.path for item in dataset.items][:: max(1, len(dataset) // n_images)][:n_images]
    configurations = [TENSORFLOW, *FAST]
    try:
        engines.choose("int8")
    except EngineError as error:
        print(f"measuring TensorFlow alone: {error}", file=sys.stderr)
        configurations = [TENSORFLOW]
    clocks: dict[tuple[str, str], Callable[[], float]] = {}
    for configuration in configurations:
        base = FrozenBase.choose(
            BaseSettings(
                weights=inputs.weights(),
                precision=configuration.precision,
                engine=configuration.engine,
                cache=folder,
            )
        )
        if configuration.precision == "int8":
            base = base.calibrated(hash_images(paths, base.store)[0])
        images = load_images(paths, base.recipe.size)
        if configuration is TENSORFLOW:
            clocks[PREDICT] = predict(base, images)
        engine = base.make_engine()
        engine(images[:BATCH_SIZE])
        clocks[configuration.words, "alone"] = alone(engine, images)
        clocks[configuration.words, "whole"] = whole(base, engine, paths, folder)
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in clocks}
    for i in range(rounds):
        for key, clock in clocks.items():
            rates[key].append(len(paths) / clock())
            print(f"round {i + 1}: {' '.join(key)}: {rates[key][-1]:.1f} images/s", flush=True)
    inputs.publish("extract", rows(configurations, rates))


def predict(base: FrozenBase, images: NDArray[np.uint8]) -> Callable[[], float]:
    """Return a function that times `keras.Model.predict` on preprocessed images, in seconds."""
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
    """Return a function that times an engine on decoded images, in seconds."""

    def clock() -> float:
        started = time.perf_counter()
        for first in range(0, len(images), BATCH_SIZE):
            engine(images[first : first + BATCH_SIZE])
        return time.perf_counter() - started

    return clock


def whole(base: FrozenBase, engine: Engine, paths: list[Path], folder: Path) -> Callable[[], float]:
    """Return a function that times all of `extract` with an empty cache, in seconds."""

    def clock() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            store = Store(cache_folder(fresh))
            started = time.perf_counter()
            done = extract(paths, base.recipe, store, lambda: engine)
            seconds = time.perf_counter() - started
        assert done.computed == len(paths)
        return seconds

    return clock


def rows(
    configurations: list[Configuration], rates: dict[tuple[str, str], list[float]]
) -> list[inputs.Row]:
    """Return the ratios, then the rates that they are computed from.

    Parameters
    ----------
    configurations : list of Configuration
    rates : dict
        Images per second in every round; keys are `PREDICT`, and for each configuration its words
        with ``alone`` or ``whole``.
    """

    def ratio(numerator: tuple[str, str], denominator: tuple[str, str]) -> list[float]:
        return [a / b for a, b in zip(rates[numerator], rates[denominator], strict=True)]

    best = max(rates[PREDICT])
    published = [
        inputs.Row(
            f"whole `extract`, {configuration.words} / best round of `keras.Model.predict` alone",
            [rate / best for rate in rates[configuration.words, "whole"]],
            promised=configuration.against_predict,
        )
        for configuration in configurations
    ]
    published += [
        inputs.Row(
            f"whole `extract` / its forward passes alone, {configuration.words}",
            ratio((configuration.words, "whole"), (configuration.words, "alone")),
            promised=configuration.against_itself,
        )
        for configuration in configurations
    ]
    published.append(inputs.Row("`keras.Model.predict` alone", rates[PREDICT], "images/s"))
    published += [
        inputs.Row(
            f"whole `extract`, {configuration.words}",
            rates[configuration.words, "whole"],
            "images/s",
        )
        for configuration in configurations
    ]
    return published


if __name__ == "__main__":
    main()
