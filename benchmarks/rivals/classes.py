"""Choosing an SVM's C and kernel with 10, 100 and 1,000 classes, compared with its rivals.

All try the same 26 points in five folds on all cores: `SVM`, and the searches of scikit-learn and
of its extension on precomputed kernels, see `benchmarks/rivals/workers/searches.py`. Every class is
a drawn Gaussian cluster of 20 rows with 512 features. Where the rivals count the pairs that a class
wins, `SVM` takes the mean margin, so only the accuracy of the best point is compared.

With 1,000 classes, scikit-learn's search would take hours: it is stopped when it has taken a fifth
longer than `SVM`, which is published, and named so. Memory is the largest sum over a search's
processes, shared pages divided between those that share them; for it, each search runs once in a
process of its own. `LogReg` is measured, too, with the most classes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import inputs
from benchmarks.rivals import turns
from benchmarks.rivals.turns import Rival
from classify.estimators.logreg import LogReg
from classify.estimators.search import C_GRID
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.svm import SVM

APART = 0.25
"""Standard deviation of the clusters' centres, in units of that of the rows around them."""
ALIKE = 0.03
"""Most by which a rival's best point may be more or less accurate than ours."""
SAMPLED_EVERY = 0.1
MANY, STOPPED_AFTER = 1000, 1.2
"""From so many classes on, a rival is stopped after so many times the time of `SVM`."""
LIBRARIES = ("scikit-learn", "scikit-learn-intelex")
ESTIMATORS = {"svm": SVM, "logreg": LogReg}


@dataclass(frozen=True)
class Search:
    """One search in a process of its own: its time, its memory, and whether it was stopped."""

    seconds: float
    mib: float
    stopped: bool


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--rows", type=int, default=20, help="of each class")
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3, help=f"with fewer than {MANY} classes")
    parser.add_argument("--limit", type=float, default=3600, help="seconds for one search")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "DATA"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(fit(*args.one)))
        return
    turns.interpreter()
    published: list[inputs.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for n_classes in args.classes:
            data = str(Path(folder) / f"{n_classes}.npz")
            X, y = drawn(n_classes, args.rows, args.features)
            np.savez(data, X=X, y=y)
            if n_classes < MANY:
                published += in_turn(data, args.rounds)
            published += alone(data, args.limit)
        logistic = in_own_process(command_of("logreg", data), args.limit)
    what = f"`LogReg`, {n_classes:,} classes"
    inputs.publish(
        "classes", [*published, inputs.Row(what, [logistic.seconds], "s", promised="<= 300")]
    )


def drawn(n_classes: int, n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows around the centre of each class, and their classes."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), n_rows)
    centres = APART * rng.normal(size=(n_classes, n_features))
    X = centres[y] + rng.normal(size=(len(y), n_features))
    return X.astype(np.float32), y


def in_turn(data: str, rounds: int) -> list[inputs.Row]:
    """Let `SVM` and its rivals search in turn."""
    arrays = np.load(data)
    X, y, svm = arrays["X"], arrays["y"], SVM()

    def ours() -> float:
        started = time.perf_counter()
        svm.fit(X, y)
        return time.perf_counter() - started

    rivals = [
        Rival("searches", "precomputed", settings(data, library), partial(check, svm))
        for library in LIBRARIES
    ]
    return turns.rows(search_words(data), turns.take(ours, rivals, rounds), ">= 2")


def check(svm: SVM, report: dict[str, Any]) -> None:
    """Raise unless the best point has about our accuracy."""
    best, theirs = max(point.mean for point in svm.search_.points), max(report["means"])
    if abs(best - theirs) > ALIKE:
        raise RuntimeError(f"expected a best accuracy near {best:.3f}, found {theirs:.3f}")


def alone(data: str, limit: float) -> list[inputs.Row]:
    """Run `SVM`, then scikit-learn's search, for their memory; with many classes for their time."""
    words, n_classes = search_words(data), int(Path(data).stem)
    svm = in_own_process(command_of("svm", data), limit)
    if svm.stopped:
        raise RuntimeError(f"SVM did not end in time, {words}")
    if n_classes >= MANY:
        limit = min(limit, STOPPED_AFTER * svm.seconds)
    script = str(turns.HERE / "workers" / "searches.py")
    given = json.dumps(settings(data, LIBRARIES[0]) | {"workers": [psutil.cpu_count()]})
    rival = in_own_process([turns.interpreter(), script, "precomputed", given], limit)
    name = f"{LIBRARIES[0]}, precomputed" + " (stopped)" * rival.stopped
    memory = [
        inputs.Row(f"{words}: memory, ours / {name}", [svm.mib / rival.mib], promised="<= 2"),
        inputs.Row(f"{words}: memory, ours", [svm.mib], "MiB"),
    ]
    if n_classes < MANY:
        return memory
    ratio = [rival.seconds / svm.seconds]
    return [
        inputs.Row(f"{words}: times as fast as {name}", ratio, promised=">= 1"),
        inputs.Row(f"{words}: ours", [svm.seconds], "s"),
        *memory,
    ]


def search_words(data: str) -> str:
    """Return what all do, with the number of classes, which is the file's name."""
    return f"search for C and kernel, `SVM`, {int(Path(data).stem):,} classes"


def settings(data: str, library: str) -> dict[str, Any]:
    """Return a rival's settings: the points of `SVM`, on the features as they are."""
    scale = unit_scale(np.load(data)["X"])
    grid = {"linear": [C * scale**2 for C in C_GRID], "rbf": list(C_GRID)}
    return {"data": data, "library": library, "grid": grid}


def command_of(name: str, data: str) -> list[str]:
    """Return the command that fits an estimator and prints how long it took."""
    return [sys.executable, "-m", "benchmarks.rivals.classes", "--one", name, data]


def fit(name: str, data: str) -> dict[str, float]:
    """Fit an estimator, and return the seconds that it took."""
    arrays = np.load(data)
    started = time.perf_counter()
    ESTIMATORS[name]().fit(arrays["X"], arrays["y"])
    return {"seconds": time.perf_counter() - started}


def in_own_process(command: list[str], limit: float) -> Search:
    """Run one search, and sample the memory of its processes."""
    started, mib = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as line, tempfile.TemporaryFile("w+") as out:
        line.write("\n")  # asks a worker to compute once
        line.seek(0)
        process = psutil.Popen(command, stdin=line, stdout=out)
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
        seconds = limit if stopped else float(json.loads(out.readlines()[-1])["seconds"])
    search = Search(seconds, mib, stopped)
    print(f"{command[-2]}: {search}", flush=True)
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


if __name__ == "__main__":
    main()
