"""Choosing C on the lesson's training photographs, compared with scikit-learn and its extension.

All try the same 13 values of C in the same five folds on all cores, then train the best one on the
whole training split. The rivals know that one Gram matrix serves all folds, too; see
`benchmarks/rivals/workers/searches.py`. They must find the same mean accuracy for every C: the SVM
exactly, logistic regression, which everyone minimises to a precision, within `APART`. The test
split is not used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import inputs
from benchmarks.rivals import turns
from benchmarks.rivals.turns import Rival
from classify.estimators.logreg import LogReg
from classify.estimators.search import C_GRID
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.svm import SVM
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare

APART = 0.002
"""Largest difference of a mean accuracy of logistic regression: two in a thousand images."""


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    turns.interpreter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseSettings(weights=inputs.weights(), cache=args.cache or folder / "cache")
        options = Options(inputs.photographs(folder), base)
        prepared = prepare(find_dataset(options), options)
        X, labels = prepared.embeddings("train"), prepared.labels("train")
        y = np.unique(labels, return_inverse=True)[1]
        print(f"{X.shape[0]:,} rows of {X.shape[1]:,}, {len(C_GRID)} values of C")
        np.savez(folder / "data.npz", X=X, y=y)
        published = measure(X, y, str(folder / "data.npz"), args.rounds)
    inputs.publish("csearch", published)


def measure(X: np.ndarray, y: np.ndarray, data: str, rounds: int) -> list[inputs.Row]:
    """Let both searches and their rivals run in turn."""
    scale = unit_scale(X)
    Cs = [C * scale**2 for C in C_GRID]
    svm, logreg = SVM(kernel="linear"), LogReg()

    def support(contestant: str, library: str, **settings: Any) -> Rival:
        settings |= {"data": data, "library": library}
        return Rival("searches", contestant, settings, partial(check, svm, largest=0.0))

    vectors = [
        support("precomputed", "scikit-learn", grid={"linear": Cs}),
        support("precomputed", "scikit-learn-intelex", grid={"linear": Cs}),
        support("direct", "scikit-learn-intelex", Cs=Cs),
    ]
    settings = {"data": data, "Cs": C_GRID, "scale": scale}
    regressions = [
        Rival("searches", "logistic", settings, partial(check, logreg, largest=APART)),
    ]
    published = []
    for model, rivals in ((svm, vectors), (logreg, regressions)):
        seconds = turns.take(partial(timed, model, X, y), rivals, rounds)
        published += turns.rows(f"search for C, `{type(model).__name__}`", seconds, ">= 2")
    return published


def timed(estimator: SVM | LogReg, X: np.ndarray, y: np.ndarray) -> float:
    """Fit and return the seconds it took."""
    started = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - started


def check(estimator: SVM | LogReg, report: dict[str, Any], largest: float) -> None:
    """Raise unless every point has our mean accuracy."""
    means = [point.mean for point in estimator.search_.points]
    apart = np.abs(np.array(report["means"]) - means).max()
    if apart > largest + 1e-9:
        raise RuntimeError(f"mean accuracies differ by {apart:.4f}, expected at most {largest}")


if __name__ == "__main__":
    main()
