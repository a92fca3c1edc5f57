"""The dense head on features as they are against features scaled to unit mean squared norm.

Cross-validated inside the lesson's training split; the test split is not touched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold

from benchmarks import inputs
from classify.dense import DenseHead
from classify.networks import Network
from extract.options import Options
from extract.prepare import find_dataset, prepare

SEEDS = (0, 1)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = Options(
            data=inputs.photographs(folder), weights=inputs.weights(), cache=str(folder / "cache")
        )
        prepared = prepare(find_dataset(options), options)
        X, y = prepared.embeddings("train"), np.array(prepared.labels("train"))

    for words, fit in (("as they are", Network.fit), ("unit mean squared norm", DenseHead.fit)):
        scores = [score for seed in SEEDS for score in folds(fit, X, y, seed)]
        accuracy, loss = np.mean(scores, axis=0)
        print(
            f"features {words}: accuracy {accuracy:.4f} (folds {min(scores)[0]:.4f} to "
            f"{max(scores)[0]:.4f}), log loss {loss:.3f}, {len(scores)} folds",
            flush=True,
        )


def folds(fit, X: np.ndarray, y: np.ndarray, seed: int) -> list[tuple[float, float]]:
    """Return accuracy and log loss of each of five folds."""
    scores = []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
        head = DenseHead(random_state=seed)
        fit(head, X[train], y[train])
        proba = head.predict_proba(X[held_out])
        best = head.classes_[proba.argmax(axis=1)]
        scores.append((accuracy_score(y[held_out], best), log_loss(y[held_out], proba)))
    return scores


if __name__ == "__main__":
    main()
