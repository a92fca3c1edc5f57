"""Which filter resizes photographs: accuracy on the training split, and speed at several sizes.

Accuracy is cross-validated on the training photographs alone, on VGG16's embeddings in int8: at 150
and 224 pixels, with logistic regression on unpooled and an SVM on pooled embeddings. Some are also
enlarged four times, as larger originals would be. Speed is that of one process that decodes a drawn
JPEG with noise and resizes it to 150 pixels. OpenCV's `INTER_LANCZOS4` is the lesson's; all others
filter before they sample. `bicubic`, `bilinear`, `hamming` and `lanczos` are Pillow's filters;
`INTER_AREA` is OpenCV's.

At last, the test split says what the choice is worth, in float32.
"""

from __future__ import annotations

import argparse
import io
import itertools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedKFold, cross_val_score

from benchmarks.common import inputs
from classify.estimators.logreg import LogReg
from classify.estimators.svm import SVM
from extract.datasets.load import load_dataset
from extract.embedder import Embedder
from extract.frozen import FrozenBase
from extract.images.decoding import decode
from extract.images.files import read_bytes
from extract.images.formats import check
from extract.images.pixels import PixelSettings
from extract.images.rendering import as_seen
from extract.images.resizing import opencv
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Resize = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]

SIZES = (150, 224)
MEGAPIXELS = {0.2: (500, 400), 1: (1200, 900), 12: (4000, 3000), 48: (8000, 6000)}
FOLDS, SEED = 5, 0
ENLARGED, AMONG = 4, 5
"""How many times photographs are enlarged, and that only one in so many is."""
CHANNELS = 512
"""Of VGG16's output."""
CLASSIFIERS = {"none": LogReg(), "avg": SVM()}
"""For each pooling."""
LESSON, DEFAULT = "lanczos", "bicubic"


def _opencv(name: str) -> Resize:
    def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        cv2 = opencv()
        small: NDArray[np.uint8] = cv2.resize(image, (size, size), interpolation=getattr(cv2, name))
        return small

    return resize


def _pillow(name: str) -> Resize:
    def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        resample = Image.Resampling[name.upper()]
        return np.asarray(Image.fromarray(image).resize((size, size), resample))

    return resize


FILTERS: dict[str, Resize] = {
    "INTER_LANCZOS4": _opencv("INTER_LANCZOS4"),
    "INTER_AREA": _opencv("INTER_AREA"),
    **{name: _pillow(name) for name in ("bilinear", "hamming", "bicubic", "lanczos")},
}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        rows = [
            *speeds(args.rounds),
            *accuracies(folder, data, args.images),
            *tested(folder, data),
        ]
    inputs.publish("resize", rows)


def accuracies(folder: Path, name: str, n_images: int) -> list[inputs.Row]:
    """Return the cross-validated accuracies with each filter at each size."""
    dataset = find_dataset(Options(name, BaseSettings(cache=folder / "cache")))
    items = [item for item in dataset.items if item.split == "train"]
    items = items[:: max(1, len(items) // n_images)][:n_images]
    rows: list[inputs.Row] = []
    for size in SIZES:
        settings = BaseSettings(
            weights=inputs.weights(), size=size, precision="int8", cache=folder / f"cache-{size}"
        )
        base = FrozenBase.choose(settings)
        base = base.calibrated({item.path: item.path.name for item in items})
        engine = base.make_engine()
        for enlarged, chosen in ((1, items), (ENLARGED, items[::AMONG])):
            y = np.array([item.label for item in chosen])
            for name, resize in FILTERS.items():
                images = np.stack(
                    [resize(_enlarged(_seen(item.path), enlarged), size) for item in chosen]
                )
                what = f"{name}, {size} pixels, {len(y):,} photographs"
                what += f" enlarged {enlarged} times" if enlarged > 1 else ""
                rows.extend(_accuracies(what, engine(images), y))
    return rows


def _accuracies(what: str, X: NDArray[np.float32], y: NDArray[np.str_]) -> Iterator[inputs.Row]:
    """Yield the mean accuracy of the folds, with each pooling and its classifier."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    for pooling, classifier in CLASSIFIERS.items():
        scores = cross_val_score(classifier, pooled(X, pooling), y, cv=folds)
        what_of = f"accuracy in cross-validation, {what}, {pooling}, {type(classifier).__name__}"
        print(f"{what_of}: {scores.mean():.4f}", flush=True)
        yield inputs.Row(what_of, [float(scores.mean())])


def pooled(X: NDArray[np.float32], pooling: str) -> NDArray[np.float32]:
    """Pool the output of the base, ``(n, height, width, channels)``."""
    return X.mean(axis=(1, 2)) if pooling == "avg" else X.reshape(len(X), -1)


def _seen(path: Path) -> NDArray[np.uint8]:
    """Return a photograph in full size."""
    data = read_bytes(path)
    return as_seen(data, check(data), PixelSettings(10**6), 10**9).image


def _enlarged(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    large = Image.fromarray(image).resize((width * times, height * times), Image.Resampling.BICUBIC)
    return np.asarray(large)


def speeds(rounds: int) -> list[inputs.Row]:
    """Return the milliseconds for a JPEG of each size, with each of our two arithmetics."""
    rows = []
    for megapixels, sides in MEGAPIXELS.items():
        data = drawn_jpeg(*sides)
        for name, settings in (
            ("full decoding, INTER_LANCZOS4", PixelSettings(150, "lanczos4")),
            ("reduced decoding, bicubic", PixelSettings(150)),
        ):
            times = []
            for _ in range(rounds):
                started = time.perf_counter()
                decode(data, settings)
                times.append(1000 * (time.perf_counter() - started))
            rows.append(inputs.Row(f"{megapixels:g} megapixels, {name}", times, "ms"))
    return rows


def tested(folder: Path, name: str) -> list[inputs.Row]:
    """Return accuracies on the test split with the lesson's filter and with the default one."""
    data = load_dataset(name)
    accuracies: dict[str, list[float]] = {}
    rows = []
    for size, resize in itertools.product(SIZES, (LESSON, DEFAULT)):
        embed = Embedder(
            size=size,
            resize=resize,
            pooling="none",
            weights=inputs.weights(),
            cache=folder / "test",
        )
        X_train, X_test = embed.fit_transform(data.train.paths), embed.transform(data.test.paths)
        side = int((X_train.shape[1] // CHANNELS) ** 0.5)
        X_train, X_test = (X.reshape(-1, side, side, CHANNELS) for X in (X_train, X_test))
        for pooling, classifier in CLASSIFIERS.items():
            classifier.fit(pooled(X_train, pooling), data.train.labels)
            accuracy = classifier.score(pooled(X_test, pooling), data.test.labels)
            accuracies.setdefault(resize, []).append(accuracy)
            what = f"accuracy on the test split, {resize}, {size} pixels, {pooling}"
            rows.append(inputs.Row(f"{what}, {type(classifier).__name__}", [accuracy]))
    gains = np.subtract(accuracies[DEFAULT], accuracies[LESSON])
    what = f"{DEFAULT} instead of {LESSON}, mean of the four accuracies on the test split"
    return [*rows, inputs.Row(what, [100 * float(gains.mean())], "points", promised=">= 0.3")]


def drawn_jpeg(width: int, height: int, seed: int = 0, quality: int = 88) -> bytes:
    """Return a JPEG as a telephone writes it: a smooth picture with a sensor's noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 200 + 2, width // 200 + 2, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (height, width, 1)).astype(np.float32)
    image = (np.asarray(smooth, np.float32) + noise).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


if __name__ == "__main__":
    main()
