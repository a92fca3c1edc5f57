"""Choosing an SVM's C and kernel with 10, 100 and 1,000 classes, compared with `GridSearchCV(SVC)`.

Both try the same 26 points on two cores: `SVM` with its own folds, `GridSearchCV` in five folds and
two processes. Every class is a drawn Gaussian cluster of 20 rows with 512 features. Each search
runs in a process of its own. With 1,000 classes, `GridSearchCV` would take hours: it is stopped
when it has taken a fifth longer than `SVM`, which is published, and named so. Memory is the largest
sum over a search's processes, shared pages divided between those that share them. `LogReg` is
measured, too, with the most classes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from benchmarks.common import inputs
from classify.estimators.logreg import LogReg
from classify.estimators.search import C_GRID
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.svm import SVM

FOLDS = 5
APART = 0.25
"""Standard deviation of the clusters' centres, in units of that of the rows around them."""
SAMPLED_EVERY = 0.1
MANY, STOPPED_AFTER = 1000, 1.2
"""From so many classes on, `GridSearchCV` is stopped after so many times the time of `SVM`."""


@dataclass(frozen=True)
class Search:
    """One search: its time, its memory, and the accuracy of its best point, if it ended in time."""

    seconds: float
    mib: float
    stopped: bool
    accuracy: float | None


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rows", type=int, default=20, help="of each class")
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3, help=f"with fewer than {MANY} classes")
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one search")
    parser.add_argument("--one", choices=SEARCHES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(SEARCHES[args.one](*drawn(args.classes[0], args.rows, args.features))))
        return
    rows: list[inputs.Row] = []
    for n_classes in args.classes:
        sizes = (str(n_classes), str(args.rows), str(args.features))
        rounds = args.rounds if n_classes < MANY else 1
        pairs = [both(sizes, args.limit) for _ in range(rounds)]
        rows += figures(n_classes, pairs)
    logistic = in_own_process("logreg", sizes, args.limit)
    rows.append(
        inputs.Row(f"LogReg, {n_classes:,} classes", [logistic.seconds], "s", promised="<= 300")
    )
    inputs.publish("classes", rows)


def drawn(n_classes: int, n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows around the centre of each class, and their classes."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), n_rows)
    centres = APART * rng.normal(size=(n_classes, n_features))
    X = centres[y] + rng.normal(size=(len(y), n_features))
    return X.astype(np.float32), y


def ours(X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Search with `SVM`."""
    started = time.perf_counter()
    svm = SVM(folds=FOLDS).fit(X, y)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "accuracy": max(point.mean for point in svm.search_.points)}


def theirs(X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Search over the same points with `GridSearchCV`."""
    scale = unit_scale(X)
    search = GridSearchCV(
        SVC(),
        [
            {"kernel": ["linear"], "C": [C * scale**2 for C in C_GRID]},
            {"kernel": ["rbf"], "C": list(C_GRID)},
        ],
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0),
        n_jobs=2,
    )
    started = time.perf_counter()
    search.fit(X, y)
    return {"seconds": time.perf_counter() - started, "accuracy": float(search.best_score_)}


def logreg(X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Search with `LogReg`."""
    started = time.perf_counter()
    model = LogReg(folds=FOLDS).fit(X, y)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "accuracy": max(point.mean for point in model.search_.points)}


SEARCHES = {"ours": ours, "theirs": theirs, "logreg": logreg}


def both(sizes: tuple[str, str, str], limit: float) -> tuple[Search, Search]:
    """Run our search, then theirs."""
    first = in_own_process("ours", sizes, limit)
    if int(sizes[0]) >= MANY:
        limit = min(limit, STOPPED_AFTER * first.seconds)
    return first, in_own_process("theirs", sizes, limit)


def in_own_process(name: str, sizes: tuple[str, str, str], limit: float) -> Search:
    """Run one search, and sample the memory of its processes."""
    n_classes, n_rows, n_features = sizes
    command = [
        *(sys.executable, "-m", "benchmarks.classes", "--one", name),
        *("--classes", n_classes, "--rows", n_rows, "--features", n_features),
    ]
    started, mib = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, stdout=out)
        while process.poll() is None and time.perf_counter() - started < limit:
            mib = max(mib, resident(process))
            time.sleep(SAMPLED_EVERY)
        stopped = process.poll() is None
        if stopped:
            for one in [*process.children(recursive=True), process]:
                one.kill()
        if process.wait() and not stopped:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        measured: dict[str, Any] = {} if stopped else json.loads(out.read())
    search = Search(measured.get("seconds", limit), mib, stopped, measured.get("accuracy"))
    print(f"{name}, {n_classes} classes: {search}", flush=True)
    return search


def resident(process: psutil.Process) -> float:
    """Return the memory of a process and its children in MiB."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has just ended
            continue
    return total / 2**20


def figures(n_classes: int, pairs: list[tuple[Search, Search]]) -> list[inputs.Row]:
    """Return the rows of one number of classes."""
    words = f"{n_classes:,} classes"
    stopped = " (stopped)" if any(theirs.stopped for _, theirs in pairs) else ""
    if any(ours.stopped for ours, _ in pairs):
        raise RuntimeError(f"SVM did not end in time, {words}")
    return [
        inputs.Row(
            f"search of `SVM`, {words}, GridSearchCV(SVC){stopped} / ours",
            [theirs.seconds / ours.seconds for ours, theirs in pairs],
            promised=">= 1",
        ),
        inputs.Row(f"the same, ours, {words}", [ours.seconds for ours, _ in pairs], "s"),
        inputs.Row(
            f"the same, memory, ours / GridSearchCV(SVC){stopped}, {words}",
            [ours.mib / theirs.mib for ours, theirs in pairs],
            promised="<= 2",
        ),
        inputs.Row(f"the same, memory, ours, {words}", [ours.mib for ours, _ in pairs], "MiB"),
    ]


if __name__ == "__main__":
    main()
