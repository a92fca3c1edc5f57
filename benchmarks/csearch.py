"""Choosing an SVM's C on the lesson's training photographs: ours compared with `GridSearchCV(SVC)`.

Both try the same 13 values of C in the same five folds with a linear kernel on two cores, then
refit the best one on the whole training split. They run alternately. The test split is not used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from benchmarks.common import inputs
from classify.estimators.search import C_GRID
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.svm import SVM
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare

FOLDS = 5


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseSettings(weights=inputs.weights(), cache=args.cache or folder / "cache")
        options = Options(inputs.photographs(folder), base)
        prepared = prepare(find_dataset(options), options)
        X, y = prepared.embeddings("train"), np.array(prepared.labels("train"))
    print(f"{X.shape[0]:,} rows of {X.shape[1]:,}, {len(C_GRID)} values of C, {FOLDS} folds")
    measure(X, y, args.rounds)


def measure(X: np.ndarray, y: np.ndarray, rounds: int) -> None:
    """Time both searches alternately, `rounds` times."""
    scale = unit_scale(X)
    ours = SVM(kernel="linear", folds=FOLDS)
    theirs = GridSearchCV(
        SVC(kernel="linear"),
        {"C": [C * scale**2 for C in C_GRID]},
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=ours.random_state),
        n_jobs=2,
    )
    seconds = []
    for i in range(rounds):
        seconds.append((timed(ours, X, y), timed(theirs, X, y)))
        print(
            f"round {i + 1}: ours {seconds[-1][0]:.2f} s, GridSearchCV {seconds[-1][1]:.1f} s",
            flush=True,
        )
    means = [point.mean for point in ours.search_.points]
    difference = np.abs(theirs.cv_results_["mean_test_score"] - means).max()
    best, chosen = C_GRID[int(np.argmax(means))], theirs.best_params_["C"] / scale**2
    same = "the same" if np.isclose(best, chosen) else "NOT the same"
    print(
        f"most accurate C: ours {best:.4g}, GridSearchCV {chosen:.4g}, {same}; "
        f"by the log loss, which GridSearchCV's SVC does not have, ours is {ours.C_:.4g}"
    )
    ratios = [slow / fast for fast, slow in seconds]
    inputs.publish(
        "csearch",
        [
            inputs.Row("C search, GridSearchCV / ours", ratios, "", ">= 10"),
            inputs.Row("C search, ours", [fast for fast, _ in seconds], "s", ""),
            inputs.Row("C search, GridSearchCV(SVC)", [slow for _, slow in seconds], "s", ""),
            inputs.Row("largest difference of a mean accuracy", [float(difference)], "", ""),
        ],
    )


def timed(estimator: SVM | GridSearchCV, X: np.ndarray, y: np.ndarray) -> float:
    """Fit and return the seconds it took."""
    started = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
