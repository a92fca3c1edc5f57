"""The dense head on unscaled features, compared with features scaled to unit mean squared norm.

Cross-validated inside the lesson's training split; the test split is not used.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold

from benchmarks.common import inputs
from classify.networks.dense import DenseHead
from classify.networks.network import Network
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SEEDS = (0, 1)
WAYS: dict[str, Callable[..., Network]] = {
    "as they are": Network.fit,
    "of unit mean squared norm": DenseHead.fit,
}


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseSettings(weights=inputs.weights(), cache=folder / "cache")
        options = Options(inputs.photographs(folder), base)
        prepared = prepare(find_dataset(options), options)
        X, y = prepared.embeddings("train"), np.array(prepared.labels("train"))
    rows = []
    for words, fit in WAYS.items():
        scores = [score for seed in SEEDS for score in folds(fit, X, y, seed)]
        names = f"of the dense head, cross-validated, features {words}"
        rows += [
            inputs.Row(f"accuracy {names}", [accuracy for accuracy, _ in scores]),
            inputs.Row(f"log loss {names}", [loss for _, loss in scores]),
        ]
    inputs.publish("dense", rows)


def folds(
    fit: Callable[..., Network], X: NDArray[np.float32], y: NDArray[np.str_], seed: int
) -> list[tuple[float, float]]:
    """Return accuracy and log loss in each of five folds."""
    scores = []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
        head = DenseHead(random_state=seed)
        fit(head, X[train], y[train])
        proba = head.predict_proba(X[held_out])
        predicted = head.classes_[proba.argmax(axis=1)]
        scores.append((accuracy_score(y[held_out], predicted), log_loss(y[held_out], proba)))
    return scores


if __name__ == "__main__":
    main()
