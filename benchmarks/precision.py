"""What int8 costs: accuracy on 2,000 test photographs, against float32 on the same.

The photographs of both of the lesson's splits are put together, 1,000 are drawn to train on and the
others are the test. The int8 model is calibrated on the training photographs. Each classifier is
trained on either kind of embeddings, its C chosen on the training photographs alone.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks import inputs
from classify import registry
from extract.frozen import FrozenBase
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from toolkit.statistics import mcnemar

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE_OF_TEST = 2 / 3
SEED = 0


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same test images.

    Parameters
    ----------
    accuracies : tuple of two float
    only_first, only_second : int
        Images that one of them gets right and the other one wrong.
    """

    accuracies: tuple[float, float]
    only_first: int
    only_second: int

    @property
    def loss(self) -> float:
        """What the second one gets right less often, in points (hundredths)."""
        return 100 * (self.accuracies[0] - self.accuracies[1])

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test."""
        return mcnemar(self.only_first, self.only_second)

    @property
    def second_is_better(self) -> bool:
        """Whether the second one is better by more than chance would have it."""
        return self.loss < 0 and self.p_value < 0.05


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
        rows += rows_of(kind, compare(y[test], *predicted), len(test))
    inputs.publish("precision", rows)


def embed(
    paths: list[Path], train: list[int], cache: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the embeddings of all photographs in float32 and in int8, each ``(n, n_features)``.

    Parameters
    ----------
    paths : list of Path
    train : list of int
        Positions of those that int8 is calibrated on.
    cache : Path
        Without a calibration of int8.
    """
    settings = BaseSettings(weights=inputs.weights(), cache=cache)
    base = FrozenBase.choose(settings)
    digests = base.extract(paths).digests
    names = [digests[path] for path in paths]
    int8 = FrozenBase.choose(dataclasses.replace(settings, precision="int8"))
    int8 = int8.calibrated({paths[i]: names[i] for i in train})
    int8.extract(paths)
    return base.embeddings(names), int8.embeddings(names)


def error_row(exact: NDArray[np.float32], rounded: NDArray[np.float32]) -> inputs.Row:
    """Return the row of how far the int8 embeddings are from the others."""
    errors = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return inputs.Row(
        "relative error of int8 embeddings, median over images", [float(np.median(errors))]
    )


def rows_of(kind: str, found: Comparison, n_test: int) -> list[inputs.Row]:
    """Return the rows of one classifier."""
    print(
        f"{kind}: of {n_test:,} test images {found.only_first} right with float32 alone, "
        f"{found.only_second} with int8 alone"
    )
    names = f"`{kind}`, {n_test:,} test images"
    return [
        inputs.Row(f"accuracy of {names}, float32", [found.accuracies[0]]),
        inputs.Row(f"accuracy of {names}, int8", [found.accuracies[1]]),
        inputs.Row(f"accuracy lost by int8, {names}", [found.loss], "points", "<= 0.3"),
        inputs.Row(
            f"p of the difference, exact McNemar, {names}",
            [found.p_value],
            promised="" if found.second_is_better else ">= 0.05",
        ),
    ]


if __name__ == "__main__":
    main()
