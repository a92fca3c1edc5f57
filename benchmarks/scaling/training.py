"""How training on rows on disk scales: 1, 2 and 4 simulated workers of a Dask cluster.

`StreamedLogReg` is trained once in this process, and the result of each of its calls is kept. Then
processes of a real cluster stand for workers that are machines like this one: each of them sleeps
for as long as a call has taken here, and returns what the call has returned. The figures show
everything else: scheduling, sending coefficients and gradients, adding them up, and waiting for
the slowest.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed import LocalCluster

from benchmarks.common import inputs
from benchmarks.scaling.scale import RECIPE, digest
from cache.store import SHARD_ROWS, Store
from classify.estimators import streamed
from classify.estimators.rows import PART_ROWS, RowsOnDisk
from classify.estimators.solvers import passes
from classify.estimators.solvers.steps import InMemory
from classify.estimators.streamed import StreamedLogReg
from classify.experiment.dask_backend import dask_backend
from extract.stored import StoredEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = tuple(n_parts * PART_ROWS[1] for n_parts in (24, 128))
"""Numbers of rows. The sample that stays in memory is the same, so passes take a larger part."""
N_FEATURES, N_CLASSES = 512, 10
APART = 0.15
"""Standard deviation of the class means in every feature; that within a class is 1."""
WORKERS = (1, 2, 4)
REAL: dict[str, Callable[..., Any]] = {
    "sums": streamed._sums,
    "losses": passes._sum_losses,
    "held out": passes._score_held_out,
    "trained": InMemory.trained,
    "step": InMemory.step,
}
SECONDS: defaultdict[str, float] = defaultdict(float)
"""Seconds in this process of all calls of a name."""
FOLDER = "FROZEN_FEATURES_KEPT_CALLS"
"""Environment variable with the folder of results, which workers inherit."""


def main() -> None:
    """Measure and publish."""
    inputs.publish("training", [row for n_rows in SIZES for row in measured(n_rows)])


def measured(n_rows: int) -> list[inputs.Row]:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as name:
        os.environ[FOLDER] = str(Path(name) / "calls")
        (Path(name) / "calls").mkdir()
        rows, y = drawn(n_rows, Path(name) / "cache")
        replace_calls(noting)
        SECONDS.clear()
        alone, model = timed(rows, y)
        what = f"training on {n_rows:,} rows"
        print(
            f"{what}, this process: {alone:.1f} s, {model.n_passes_} passes, C = {model.C_}, "
            f"{dict(SECONDS)} s",
            flush=True,
        )
        replace_calls(asleep)
        published = [inputs.Row(f"{what} in one process", [alone], "s")]
        for n_workers in WORKERS:
            cluster = LocalCluster(
                n_workers=n_workers, threads_per_worker=1, host="127.0.0.1",
                dashboard_address="127.0.0.1:0", silence_logs=40,
            )  # fmt: skip
            with cluster, dask_backend(cluster.scheduler_address, list):
                seconds, there = timed(rows, y)
            np.testing.assert_allclose(there.coef_, model.coef_, rtol=1e-5)
            print(f"{n_workers} workers: {seconds:.1f} s", flush=True)
            efficiency = alone / seconds / n_workers
            published.append(
                inputs.Row(
                    f"{what}: efficiency of {n_workers} simulated workers",
                    [efficiency],
                    "",
                    ">= 0.85",
                )
            )
    return published


def drawn(n_rows: int, folder: Path) -> tuple[RowsOnDisk, np.ndarray]:
    """Return rows of overlapping classes in a store, and their classes."""
    rng, store = np.random.default_rng(0), Store(folder)
    y = rng.integers(N_CLASSES, size=n_rows)
    means = APART * rng.standard_normal((N_CLASSES, N_FEATURES), dtype=np.float32)
    keys = [digest(i) for i in range(n_rows)]
    for start in range(0, n_rows, SHARD_ROWS):
        shard = slice(start, start + SHARD_ROWS)
        X = means[y[shard]] + rng.standard_normal((len(y[shard]), N_FEATURES), dtype=np.float32)
        store.append(RECIPE.fingerprint, RECIPE.canonical, keys[shard], X)
    return RowsOnDisk(StoredEmbeddings(folder, RECIPE.fingerprint), keys), y


def timed(rows: RowsOnDisk, y: np.ndarray) -> tuple[float, StreamedLogReg]:
    """Train, and return the seconds and the model."""
    started = time.perf_counter()
    model = StreamedLogReg().fit(rows, y)
    return time.perf_counter() - started, model


def replace_calls(how: Callable[..., Any]) -> None:
    """Let training call `how` with the name of a call and its arguments."""
    streamed._sums = Named("sums", how)  # type: ignore[assignment]
    passes._sum_losses = Named("losses", how)  # type: ignore[assignment]
    passes._score_held_out = Named("held out", how)  # type: ignore[assignment]
    InMemory.trained = Named("trained", how)  # type: ignore[assignment,method-assign]
    InMemory.step = Named("step", how)  # type: ignore[assignment,method-assign]


class Named:
    """A call in place of a real one, which can be sent to workers."""

    def __init__(self, name: str, how: Callable[..., Any]) -> None:
        self.name, self.how = name, how

    def __call__(self, *arguments: Any) -> Any:
        """Do it in another way."""
        return self.how(self.name, *arguments)


def noting(name: str, *arguments: Any) -> Any:
    """Do the real work, and keep its result and its seconds."""
    started = time.perf_counter()
    result = REAL[name](*arguments)
    seconds = time.perf_counter() - started
    SECONDS[name] += seconds
    kept(name, arguments).write_bytes(pickle.dumps((seconds, result)))
    return result


def asleep(name: str, *arguments: Any) -> Any:
    """Sleep for as long as the real work took, and return its result."""
    started = time.perf_counter()
    path = kept(name, arguments)
    seconds, result = pickle.loads(path.read_bytes())  # noqa: S301 - written above
    time.sleep(max(0.0, seconds - (time.perf_counter() - started)))
    return result


def kept(name: str, arguments: Any) -> Path:
    """Return where the result of a call is kept: by its rows, coefficients and model."""
    found = hashlib.sha256(name.encode())
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            found.update(argument.tobytes())
        elif hasattr(argument, "fold_of") and hasattr(argument, "X"):
            found.update(argument.X.keys[0].encode())
        elif hasattr(argument, "candidate"):
            found.update(argument.coef.tobytes() + repr((argument.C, argument.held_out)).encode())
        elif isinstance(argument, int | float | tuple | list):
            found.update(repr(argument).encode())
    return Path(os.environ[FOLDER]) / found.hexdigest()


if __name__ == "__main__":
    main()
