"""Five epochs of the dense head on a frozen VGG16: the lesson's method compared with ours.

The lesson keeps the frozen base inside the training loop and runs it in every epoch. All its epochs
take equally long, so each of the first three rounds measures one and multiplies by five; the later
rounds use the median of these. Our method runs the base once (`extract --preset fast` with an empty
cache) and trains the same head on the cached embeddings; with a warm cache, only training is left.
The lesson's times exclude starting Python, importing, decoding and compiling; our commands' times
include them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.common import commands, inputs
from extract.backbones import catalog
from extract.backbones.weights import load_base, resolve
from extract.images.loading import load_images
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS = 5
ROUNDS, LESSON_ROUNDS = 5, 3


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        epoch = lesson_epoch(folder, data)
        epochs: list[float] = []
        ours: list[tuple[float, float]] = []
        for i in range(ROUNDS):
            if i < LESSON_ROUNDS:
                epochs.append(epoch())
                print(f"round {i + 1}: an epoch of the lesson {epochs[-1]:.1f} s", flush=True)
            ours.append(our_way(data, folder / f"cache-{i}"))
            print(
                f"round {i + 1}: extract {ours[-1][0]:.1f} s, classify {ours[-1][1]:.1f} s",
                flush=True,
            )
    usual = statistics.median(epochs)
    theirs = [EPOCHS * seconds for seconds in epochs]
    theirs += [EPOCHS * usual] * (ROUNDS - len(epochs))
    cold = [extract + classify for extract, classify in ours]
    warm = [classify for _, classify in ours]
    inputs.publish(
        "lesson",
        [
            inputs.Row(
                "the lesson's way to its five epochs / cold `extract --preset fast` and "
                "`classify --clf dense`",
                [lesson / ours for lesson, ours in zip(theirs, cold, strict=True)],
                promised=">= 12",
            ),
            inputs.Row(
                "the lesson's way to its five epochs / warm `classify --clf dense`",
                [lesson / ours for lesson, ours in zip(theirs, warm, strict=True)],
                promised=">= 60",
            ),
            inputs.Row("five epochs the lesson's way", theirs[: len(epochs)], "s"),
            inputs.Row("cold `extract --preset fast`", [extract for extract, _ in ours], "s"),
            inputs.Row("warm `classify --clf dense`", warm, "s"),
        ],
    )


def our_way(data: str, cache: Path) -> tuple[float, float]:
    """Return the seconds of `extract` with an empty cache and of `classify` with a warm one."""
    common = (
        *("--data", data, "--weights", inputs.weights(), "--cache", str(cache)),
        *("--preset", "fast"),
    )
    extracted = commands.run("extract", *common)
    classified = commands.run("classify", "--clf", "dense", *common)
    assert not extracted.summary["cached"]
    assert not classified.summary["computed"]
    return extracted.seconds, classified.seconds


def lesson_epoch(folder: Path, data: str) -> Callable[[], float]:
    """Build the lesson's network; return a function that times an epoch of training."""
    keras = import_keras()
    dataset = find_dataset(Options(data, BaseSettings(cache=folder / "lesson")))
    train = [item for item in dataset.items if item.split == "train"]
    pixels = load_images([item.path for item in train], 150).astype(np.float32)
    pixels = np.asarray(catalog.preprocess(pixels, "notebook"))
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

    def epoch() -> float:
        started = time.perf_counter()
        model.fit(pixels, y, epochs=1, verbose=0)
        return time.perf_counter() - started

    return epoch


if __name__ == "__main__":
    main()
