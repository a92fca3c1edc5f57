"""Searches for C as a user of scikit-learn would speed them up.

Every contestant has several ways to do the same, of which the fastest is kept. The products of all
rows are computed once, in float32, and every fold takes its part of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import protocol
from sklearn.model_selection import GridSearchCV, StratifiedKFold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Grid = dict[str, list[float]]
    Way = Callable[["Samples"], NDArray[Any]]

PACKAGES = {"scikit-learn": "sklearn", "scikit-learn-intelex": "sklearnex"}
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)
WORKERS = (1, 2)
"""Threads or processes, of which the warm-up tries each number."""
JITTER = 1e-7
"""Added to the diagonal of centred products of unit mean, whose smallest eigenvalue is zero."""
TOLERANCE, MAX_STEPS = 1e-3, 1000
"""Of logistic regression: looser than scikit-learn's default, and nearer to ours in the search."""


@dataclass(frozen=True)
class Samples:
    """Features, float32 ``(n, n_features)``, and classes ``(n,)``."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]


def precomputed(
    data: str, grid: Grid, library: str, workers: Sequence[int] = WORKERS
) -> protocol.Contestant:
    """Search for the kernel and C of an `SVC` with precomputed kernels."""
    svc = import_module(f"{PACKAGES[library]}.svm").SVC
    ways: dict[str, Way] = {
        f"precomputed, {n} threads": partial(by_folds, svc=svc, grid=grid, n_threads=n)
        for n in workers
    }
    if list(grid) == ["linear"]:  # the width of the other kernel depends on the fold
        ways |= {
            f"precomputed, GridSearchCV, {n} processes": partial(
                by_grid, svc=svc(kernel="precomputed"), Cs=grid["linear"], n_processes=n
            )
            for n in workers
        }
    return contestant(library, ways, data)


def direct(
    data: str, Cs: list[float], library: str, workers: Sequence[int] = WORKERS
) -> protocol.Contestant:
    """Search for the C of a linear `SVC` on the features themselves."""
    svc = import_module(f"{PACKAGES[library]}.svm").SVC(kernel="linear")
    ways: dict[str, Way] = {
        f"GridSearchCV, {n} processes": partial(by_grid, svc=svc, Cs=Cs, n_processes=n)
        for n in workers
    }
    return contestant(library, ways, data)


def logistic(
    data: str, Cs: list[float], scale: float, workers: Sequence[int] = WORKERS
) -> protocol.Contestant:
    """Search for the C of a logistic regression, on as many coordinates as there are rows."""
    ways: dict[str, Way] = {
        f"LogisticRegressionCV, {dtype}, {n} processes": partial(
            by_path, Cs=Cs, scale=scale, dtype=dtype, n_processes=n
        )
        for dtype in ("float32", "float64")
        for n in workers
    }
    return contestant("scikit-learn", ways, data)


def contestant(library: str, ways: dict[str, Way], data: str) -> protocol.Contestant:
    """Return a library's fastest way, which reports the mean accuracy of every point."""
    arrays = np.load(data)
    samples = Samples(arrays["X"], arrays["y"])
    best = protocol.fastest(ways, samples)

    def search() -> protocol.Report:
        seconds, means = protocol.timed(ways[best], samples)
        return {"seconds": seconds, "means": means.tolist()}

    return f"{library} {version(library)}, {best}", search


def by_grid(samples: Samples, svc: Any, Cs: list[float], n_processes: int) -> NDArray[Any]:
    """Search with `GridSearchCV`, which trains the best classifier on all samples in the end."""
    X = samples.X @ samples.X.T if svc.kernel == "precomputed" else samples.X
    search = GridSearchCV(svc, {"C": Cs}, cv=FOLDS, n_jobs=n_processes).fit(X, samples.y)
    return np.asarray(search.cv_results_["mean_test_score"])


def by_folds(samples: Samples, svc: Any, grid: Grid, n_threads: int) -> NDArray[Any]:
    """Search with a loop over C for each fold and kernel, which are dealt to threads."""
    X, y = samples.X, samples.y
    products = X @ X.T

    def accuracies(kernel: str, train: NDArray[Any], held_out: NDArray[Any]) -> list[float]:
        width = width_of(X[train]) if kernel == "rbf" else None
        K = kernel_of(products, train, train, width)
        K_held_out = kernel_of(products, held_out, train, width)
        return [
            svc(kernel="precomputed", C=C).fit(K, y[train]).score(K_held_out, y[held_out])
            for C in grid[kernel]
        ]

    jobs = [(kernel, *fold) for kernel in grid for fold in FOLDS.split(X, y)]
    with ThreadPoolExecutor(n_threads) as threads:
        found = list(threads.map(lambda job: accuracies(*job), jobs))
    means = np.reshape(found, (len(grid), FOLDS.n_splits, -1)).mean(axis=1)
    row, column = np.unravel_index(means.argmax(), means.shape)
    kernel = list(grid)[row]
    everything = np.arange(len(X))
    width = width_of(X) if kernel == "rbf" else None
    K = kernel_of(products, everything, everything, width)
    svc(kernel="precomputed", C=grid[kernel][column]).fit(K, y)
    return means.ravel()


def width_of(X: NDArray[np.float32]) -> float:
    """Return what scikit-learn calls ``gamma="scale"``."""
    return float(1 / (X.shape[1] * X.var()))


def kernel_of(
    products: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], width: float | None
) -> NDArray[np.float64]:
    """Return the kernel of that width, or the products if None, in libsvm's own precision."""
    part = products[np.ix_(rows, columns)].astype(np.float64)
    if width is None:
        return part
    squares = products.diagonal().astype(np.float64)
    return np.exp(-width * (squares[rows, None] + squares[columns] - 2 * part))


def by_path(
    samples: Samples, Cs: list[float], scale: float, dtype: str, n_processes: int
) -> NDArray[Any]:
    """Search with `LogisticRegressionCV`, whose solution for one C starts from that for another."""
    from sklearn.linear_model import LogisticRegressionCV

    search = LogisticRegressionCV(
        Cs=Cs, cv=FOLDS, scoring="accuracy", tol=TOLERANCE, max_iter=MAX_STEPS, n_jobs=n_processes,
        l1_ratios=(0.0,), use_legacy_attributes=False,
    )  # fmt: skip
    search.fit(coordinates(samples.X, scale).astype(dtype), samples.y)
    return search.scores_.mean(axis=0).ravel()


def coordinates(X: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Return coordinates with the same products as the scaled and centred rows.

    The optimum lies in the span of the rows, and centring changes nothing but the intercept.
    """
    K = (X @ X.T).astype(np.float64) * scale**2
    K -= K.mean(axis=0)
    K -= K.mean(axis=1)[:, None]
    K[np.diag_indices_from(K)] += JITTER
    return np.linalg.cholesky(K)


if __name__ == "__main__":
    protocol.serve({"precomputed": precomputed, "direct": direct, "logistic": logistic})
