"""How many planted wrong labels are found at the estimated number, against cleanlab.

Clusters of pairwise similar classes, or the embeddings of the lesson's training photographs, get
wrong labels: drawn evenly from the other classes, or the nearest class. All methods see the same
labels. cleanlab is given two sets of held-out probabilities: those of this project's `LogReg`, and
those of scikit-learn's `LogisticRegression`, which it uses by default. Of its filters with either,
the one with the highest mean F1 in hindsight is shown.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from benchmarks.common import inputs
from classify.auditing.label_errors import find_label_errors
from classify.estimators.logreg import LogReg
from extract import Embedder, load_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)
NONE, EVENLY, NEAREST = "no label flipped", "flipped evenly", "flipped to the nearest class"
PLANTED = (
    (NONE, 0.0),
    *((kind, rate) for kind in (EVENLY, NEAREST) for rate in (0.01, 0.05, 0.2)),
)


@dataclass(frozen=True)
class Clusters:
    """Samples of normally distributed classes, in pairs of similar ones.

    `gap` is chosen so that held-out predictions are right in the share `accuracy`.
    """

    n_classes: int
    n_samples: int
    n_features: int
    accuracy: float
    gap: float

    def __str__(self) -> str:
        return (
            f"{self.n_classes} drawn classes, {self.n_samples:,} samples of {self.n_features} "
            f"features, held-out accuracy about {self.accuracy}"
        )

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return features and classes."""
        n_pairs = (self.n_classes + 1) // 2
        means = np.repeat(rng.normal(size=(n_pairs, self.n_features)), 2, axis=0)
        means = means[: self.n_classes] + 0.7 * rng.normal(size=(self.n_classes, self.n_features))
        spread = (1 + np.arange(self.n_features)) ** -0.35
        classes = np.arange(self.n_samples) % self.n_classes
        noise = rng.normal(size=(self.n_samples, self.n_features))
        return ((self.gap * means[classes] + noise) * spread).astype(np.float32), classes


CLUSTERS = (
    Clusters(2, 1000, 64, 0.85, 0.28),
    Clusters(2, 1000, 512, 0.97, 0.207),
    Clusters(6, 1000, 128, 0.85, 0.25),
    Clusters(6, 1000, 128, 0.97, 0.36),
    Clusters(20, 1000, 256, 0.85, 0.235),
    Clusters(20, 1000, 256, 0.97, 0.33),
)


@dataclass(frozen=True)
class Found:
    """What a method found in every draw: number, precision, recall and F1, one row each."""

    method: str
    figures: NDArray[np.float64]

    def __str__(self) -> str:
        number, precision, recall, f1 = self.figures.mean(axis=0)
        if np.isnan(f1):
            most = self.figures[:, 0].max()
            return f"{self.method}: {number:.0f} found (at most {most:.0f})"
        low, high = self.figures[:, 3].min(), self.figures[:, 3].max()
        return (
            f"{self.method}: {number:.0f} found, precision {precision:.2f}, recall {recall:.2f}, "
            f"F1 {f1:.3f} ({low:.2f} to {high:.2f})"
        )


@dataclass(frozen=True)
class Comparison:
    """The methods on one kind of data; `others` are earlier versions and cleanlab, if installed."""

    what: str
    n_wrong: int
    now: Found
    others: list[Found]


def comparisons(n_draws: int) -> Iterator[Comparison]:
    """Compare all methods on the drawn clusters, and on photographs if there are any."""
    for clusters in CLUSTERS:
        yield from _compare(str(clusters), clusters.draw, n_draws)
    if "DOGS_VS_CATS_DIR" in os.environ:
        X, y = _photographs()
        what = f"{len(y):,} photographs of cats and dogs, VGG16"
        yield from _compare(what, lambda _: (X, y), n_draws)


def _compare(
    what: str,
    draw: Callable[[np.random.Generator], tuple[NDArray[np.float32], NDArray[np.int64]]],
    n_draws: int,
) -> Iterator[Comparison]:
    for kind, rate in PLANTED:
        found: dict[str, list[list[float]]] = {}
        n_wrong = 0
        for seed in range(n_draws):
            rng = np.random.default_rng(seed)
            X, classes = draw(rng)
            n_classes = int(classes.max()) + 1
            if kind == NEAREST and n_classes == 2:
                return  # the other class is the nearest one
            labels = _flipped(rng, X, classes, kind, rate)
            wrong = labels != classes
            n_wrong = int(wrong.sum())
            for method, rows in _methods(X, labels):
                found.setdefault(method, []).append(_figures(rows, wrong))
        results = [Found(method, np.array(figures)) for method, figures in found.items()]
        now, before, *cleanlab = results
        title = f"{what}: {kind}" if kind == NONE else f"{what}: {rate:.0%} {kind}"
        yield Comparison(title, n_wrong, now, [before, *_best(cleanlab)])


def _best(results: list[Found]) -> list[Found]:
    """Return the one with the highest F1, or, where no label is wrong, with the fewest findings."""
    if not results:
        return []
    means = {result.method: result.figures.mean(axis=0) for result in results}
    return [
        max(
            results,
            key=lambda result: np.nan_to_num(means[result.method][3], nan=-means[result.method][0]),
        )
    ]


def _methods(
    X: NDArray[np.float32], labels: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield the samples that each method calls wrong: now, in earlier versions, by cleanlab."""
    errors, _ = find_label_errors(X, labels)
    yield "now", errors.first()
    own = LogReg().fit(X, labels).held_out_proba_
    yield "earlier versions", np.flatnonzero(own.argmax(axis=1) != labels)
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return
    usual = cross_val_predict(
        LogisticRegression(max_iter=200), X, labels, cv=5, method="predict_proba"
    )
    for source, probabilities in (("LogReg", own), ("LogisticRegression", usual)):
        for name in FILTERS:
            issues = find_label_issues(labels, probabilities, filter_by=name, n_jobs=1)
            yield f"cleanlab ({name}, {source})", np.flatnonzero(issues)


def _figures(rows: NDArray[np.intp], wrong: NDArray[np.bool_]) -> list[float]:
    if not wrong.any():
        return [len(rows), np.nan, np.nan, np.nan]
    hits = int(wrong[rows].sum())
    f1 = 2 * hits / (len(rows) + wrong.sum())
    return [len(rows), hits / max(1, len(rows)), hits / wrong.sum(), f1]


def _flipped(
    rng: np.random.Generator,
    X: NDArray[np.float32],
    classes: NDArray[np.int64],
    kind: str,
    rate: float,
) -> NDArray[np.int64]:
    """Return the labels, a share of which is wrong."""
    n_classes = int(classes.max()) + 1
    rows = rng.choice(len(classes), round(rate * len(classes)), replace=False)
    labels = classes.copy()
    if kind == EVENLY:
        labels[rows] = (labels[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    elif kind == NEAREST:
        means = np.stack([X[classes == label].mean(axis=0) for label in range(n_classes)])
        distances = ((means[:, None] - means) ** 2).sum(axis=2) + np.diag([np.inf] * n_classes)
        labels[rows] = distances.argmin(axis=1)[labels[rows]]
    return labels


def _photographs() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with tempfile.TemporaryDirectory() as folder:
        train = load_dataset(inputs.photographs(Path(folder))).train
        features = Embedder("vgg16", weights=inputs.weights()).transform(train.paths)
    return features.reshape(len(features), -1), np.unique(train.labels, return_inverse=True)[1]
