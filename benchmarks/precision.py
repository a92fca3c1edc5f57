"""The accuracy that int8 may lose on 2,000 test photographs, compared with float32 on the same.

The photographs of both of the lesson's splits are pooled; 1,000 are drawn for training, the others
are the test split. The int8 model is calibrated on the training photographs. Each classifier is
trained on both kinds of embeddings; its C is chosen on the training photographs only.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.common import inputs
from classify import registry
from extract.frozen import FrozenBase
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from toolkit.statistics import largest_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE_OF_TEST = 2 / 3
SEED = 0
MARGIN = 0.3
"""Percentage points; int8 is not worse than float32 if it certainly loses less."""


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same test images.

    Parameters
    ----------
    accuracies : tuple of two float
    only_first, only_second : int
        Images that only the first, or only the second, classifies correctly.
    n_test : int
        All images.
    """

    accuracies: tuple[float, float]
    only_first: int
    only_second: int
    n_test: int

    @property
    def loss(self) -> float:
        """Accuracy of the first minus that of the second, in percentage points."""
        return 100 * (self.accuracies[0] - self.accuracies[1])

    @property
    def largest_loss(self) -> float:
        """The one-sided 95% upper bound of the loss, in percentage points."""
        return 100 * largest_loss(self.only_first, self.only_second, self.n_test)


def compare(
    truth: NDArray[np.str_], first: NDArray[np.str_], second: NDArray[np.str_]
) -> Comparison:
    """Compare two classifiers' predictions.

    Parameters
    ----------
    truth, first, second : ndarray of str, shape (n_test,)
        Labels.
    """
    right = first == truth, second == truth
    return Comparison(
        (float(right[0].mean()), float(right[1].mean())),
        int((right[0] & ~right[1]).sum()),
        int((right[1] & ~right[0]).sum()),
        len(truth),
    )


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        dataset = find_dataset(Options(data, BaseSettings(cache=folder / "cache")))
        paths = [item.path for item in dataset.items]
        y = np.array([item.label for item in dataset.items])
        train, test = train_test_split(
            np.arange(len(y)), test_size=SHARE_OF_TEST, stratify=y, random_state=SEED
        )
        exact, rounded = embed(paths, train.tolist(), folder / "cache")
    rows = [error_row(exact[test], rounded[test])]
    for kind in ("logreg", "svm"):
        predicted = [
            registry.create(kind, seed=SEED).fit(X[train], y[train]).predict(X[test])
            for X in (exact, rounded)
        ]
        rows += rows_of(kind, compare(y[test], *predicted))
    inputs.publish("precision", rows)


def embed(
    paths: list[Path], train: list[int], cache: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the embeddings of all photographs in float32 and in int8, each ``(n, n_features)``.

    Parameters
    ----------
    paths : list of Path
        The photographs.
    train : list of int
        Positions of the photographs that int8 is calibrated on.
    cache : Path
        A cache folder that holds no int8 calibration yet.
    """
    settings = BaseSettings(weights=inputs.weights(), cache=cache)
    base = FrozenBase.choose(settings)
    digests = base.extract(paths).digests
    keys = [digests[path] for path in paths]
    int8 = FrozenBase.choose(dataclasses.replace(settings, precision="int8"))
    int8 = int8.calibrated({paths[i]: keys[i] for i in train})
    int8.extract(paths)
    return base.embeddings(keys), int8.embeddings(keys)


def error_row(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> inputs.Row:
    """Return the row with the relative error of the int8 embeddings."""
    errors = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return inputs.Row(
        "relative error of int8 embeddings, median over images", [float(np.median(errors))]
    )


def rows_of(kind: str, comparison: Comparison) -> list[inputs.Row]:
    """Print and return the rows of one classifier."""
    print(
        f"{kind}: of {comparison.n_test:,} test images {comparison.only_first} right with float32 "
        f"alone, {comparison.only_second} with int8 alone"
    )
    names = f"`{kind}`, {comparison.n_test:,} test images"
    return [
        inputs.Row(f"accuracy of {names}, float32", [comparison.accuracies[0]]),
        inputs.Row(f"accuracy of {names}, int8", [comparison.accuracies[1]]),
        inputs.Row(f"accuracy lost by int8, {names}", [comparison.loss], "points", f"<= {MARGIN}"),
        inputs.Row(
            f"upper 95% bound of the accuracy lost by int8, {names}",
            [comparison.largest_loss],
            "points",
            f"<= {MARGIN}",
        ),
    ]


if __name__ == "__main__":
    main()
