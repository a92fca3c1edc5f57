"""Cold `extract` against `keras.Model.predict` alone, in turn in one process.

`predict` gets arrays that are decoded and preprocessed already, so it does the forward passes and
nothing else; the whole of `extract` reads, hashes, decodes, computes and commits.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import inputs
from cache import Store, cache_folder
from extract import backbone
from extract.engines import TensorFlowEngine, build
from extract.frozen import FrozenBase
from extract.options import Options
from extract.pipeline import extract, load_images
from extract.prepare import find_dataset


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.images, args.rounds)


def measure(folder: Path, n_images: int, rounds: int) -> None:
    """Time the three ways in turn, `rounds` times."""
    data = inputs.photographs(folder)
    dataset = find_dataset(Options(data=data, cache=str(folder / "cache")))
    paths = [item.path for item in dataset.items][:: max(1, len(dataset) // n_images)][:n_images]
    first = FrozenBase.choose(weights=inputs.weights(), cache=folder / "warm-up")
    first.extract(paths[:64])  # imports TensorFlow, fills the page cache
    model = build(first.recipe, first.weights)
    pixels = load_images(paths, first.recipe.size).astype(np.float32)
    pixels = np.asarray(backbone.preprocess(pixels, first.recipe.preprocessing))

    def predict() -> float:
        started = time.perf_counter()
        model.predict(pixels, verbose=0)
        return time.perf_counter() - started

    def whole_extract(i: int) -> float:
        store = Store(cache_folder(folder / f"cache-{i}"))
        engine = TensorFlowEngine(first.recipe, first.weights)
        started = time.perf_counter()
        done = extract(paths, first.recipe, store, lambda: engine)
        seconds = time.perf_counter() - started
        assert done.computed == len(paths)
        return seconds

    model.predict(pixels[:32], verbose=0)  # traces the graph
    times = []
    for i in range(rounds):
        times.append((predict(), whole_extract(i)))
        alone, ours = (len(paths) / seconds for seconds in times[-1])
        print(f"round {i + 1}: predict {alone:.1f}/s, whole extract {ours:.1f}/s", flush=True)
    print(f"{len(paths)} images at {first.recipe.size} pixels, float32")
    inputs.ratio("whole extract / predict", [alone / ours for alone, ours in times], ">= 0.9")


if __name__ == "__main__":
    main()
