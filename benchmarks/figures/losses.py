"""Whether the log loss of every classifier is as low as in earlier versions.

Classifiers are trained on embeddings of the drawn shapes, and of the lesson's photographs, of which
nine are cats for each dog. Every draw has another test split and, of the photographs, other dogs.
`BEFORE` are the log losses of the same draws with the last version that weighted classes in
training, with and without `--calibrate`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.common import inputs
from classify import compare
from extract import Embedder, load_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CLASSIFIERS = ("dense", "logreg", "svm", "nearest", "centroid")
SHAPES, PHOTOGRAPHS = "shapes", "photographs, 9:1"
COMMIT = "66d5c94"
"""The last one before the probabilities were corrected."""
BEFORE: dict[str, dict[str, list[float]]] = {
    SHAPES: {
        "dense": [0.5440, 0.4372, 0.6441, 0.6316],
        "logreg": [0.4519, 0.4464, 0.5925, 0.6151],
        "svm": [0.6353, 0.6341, 0.6998, 0.7521],
        "nearest": [0.7958, 0.7866, 0.8243, 0.9277],
        "centroid": [0.6877, 0.5769, 0.8747, 0.7416],
    },
    PHOTOGRAPHS: {
        "dense": [0.0451, 0.0332, 0.0382],
        "logreg": [0.0475, 0.0331, 0.0434],
        "svm": [0.0495, 0.0333, 0.0417],
        "nearest": [0.0614, 0.0270, 0.0573],
        "centroid": [0.0624, 0.0319, 0.0627],
    },
}
"""Of each data set and classifier, the lower one of the two log losses in each draw."""


@dataclass(frozen=True)
class Losses:
    """Log losses of one classifier in every draw: earlier, and now with and without calibration."""

    data: str
    classifier: str
    before: NDArray[np.float64]
    plain: NDArray[np.float64]
    calibrated: NDArray[np.float64]


def comparisons(n_draws: int) -> Iterator[Losses]:
    """Train every classifier on draws of all data sets that there are.

    Parameters
    ----------
    n_draws : int
        At most as many as were measured with the earlier version.
    """
    for data, measured in BEFORE.items():
        if data == PHOTOGRAPHS and "DOGS_VS_CATS_DIR" not in os.environ:
            continue
        X, y = embeddings(data)
        before = {name: np.array(of_draws[:n_draws]) for name, of_draws in measured.items()}
        drawn: list[dict[str, list[float]]] = [{name: [] for name in CLASSIFIERS} for _ in range(2)]
        for seed in range(len(before[CLASSIFIERS[0]])):
            chosen = draw(X, y, seed) if data == PHOTOGRAPHS else (X, y)
            for found, calibrate in zip(drawn, (False, True), strict=True):
                for name, loss in losses(*chosen, seed, calibrate=calibrate).items():
                    found[name].append(loss)
        for name in CLASSIFIERS:
            yield Losses(data, name, before[name], *(np.array(found[name]) for found in drawn))


def embeddings(data: str) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Return VGG16's embeddings of all images of a data set, and their labels."""
    with tempfile.TemporaryDirectory() as folder:
        found = load_dataset(SHAPES if data == SHAPES else inputs.photographs(Path(folder)))
        paths = [*found.train.paths, *found.test.paths]
        X = Embedder("vgg16", weights=inputs.weights()).transform(paths)
    return X.reshape(len(X), -1), np.array([*found.train.labels, *found.test.labels])


def draw(
    X: NDArray[np.float32], y: NDArray[np.str_], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Keep all samples of the first class, and of the second a ninth as many."""
    rng = np.random.default_rng(seed)
    common, rare = (np.flatnonzero(y == label) for label in np.unique(y))
    kept = rng.choice(rare, len(common) // 9, replace=False)
    rows = np.sort(np.concatenate([common, kept]))
    return X[rows], y[rows]


def losses(
    X: NDArray[np.float32],
    y: NDArray[np.str_],
    seed: int,
    *,
    calibrate: bool,
) -> dict[str, float]:
    """Return the log loss of each classifier on a fifth of the samples, trained on the others."""
    with tempfile.TemporaryDirectory() as folder:
        run = compare(
            (X, y),
            classifiers=",".join(CLASSIFIERS),
            seed=seed,
            calibrate=calibrate,
            out=Path(folder) / "run",
            progress=False,
        )
    return dict(zip(run.results["classifier"], run.results["log_loss"], strict=True))
