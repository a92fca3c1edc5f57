"""The lesson's way against ours: five epochs of the dense head on a frozen VGG16.

The lesson keeps the frozen base inside the training loop and runs it again in every epoch. One
such epoch is measured here and counted five times. Ours runs the base once (`extract`, cold) and
trains the same head on the cached embeddings for all five; warm, only the training is left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import inputs

EPOCHS = 5


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        theirs = EPOCHS * lesson_epoch(folder, data)
        print(f"lesson's way: {EPOCHS} epochs in {theirs:.0f} s (one measured)", flush=True)
        common = ("--data", data, "--weights", inputs.weights(), "--cache", str(folder / "ours"))
        cold = command("extract", *common)
        print(f"python -m extract, cold: {cold:.1f} s", flush=True)
        warm = [command("classify", "--clf", "dense", *common) for _ in range(3)]
        print(f"python -m classify --clf dense, warm: {', '.join(f'{s:.1f}' for s in warm)} s")
        print(f"lesson's way / cold extract and classify: {theirs / (cold + min(warm)):.1f}")
        print(f"lesson's way / warm classify: {theirs / min(warm):.1f}")


def lesson_epoch(folder: Path, data: str) -> float:
    """Train one epoch with the frozen base inside the model, as the lesson does; return seconds."""
    from extract import backbone
    from extract.options import Options
    from extract.pipeline import load_images
    from extract.prepare import find_dataset
    from extract.quietly import import_keras
    from extract.weights import load_base, resolve

    keras = import_keras()
    options = Options(data=data, cache=str(folder / "lesson"))
    dataset = find_dataset(options)
    train = [item for item in dataset.items if item.split == "train"]
    pixels = load_images([item.path for item in train], 150).astype(np.float32)
    pixels = np.asarray(backbone.preprocess(pixels, "notebook"))
    y = np.array([dataset.classes.index(item.label) for item in train])
    base = load_base("vgg16", 150, resolve(inputs.weights(), "vgg16", cache=folder / "lesson"))
    model = keras.Sequential(
        [
            base,
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(len(dataset.classes), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pixels[:64], y[:64], verbose=0)  # traces and compiles
    started = time.perf_counter()
    model.fit(pixels, y, epochs=1, verbose=0)
    return time.perf_counter() - started


def command(module: str, *arguments: str) -> float:
    """Run one of the project's commands in a process of its own; return its seconds."""
    with tempfile.TemporaryDirectory() as cwd:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments, "--json"],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - started
    summary = json.loads(done.stdout)
    for result in summary.get("results", []):
        print(f"{result['classifier']}: accuracy {result['accuracy']:.3f}", flush=True)
    return seconds


if __name__ == "__main__":
    main()
