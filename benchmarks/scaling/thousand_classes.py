"""What training on 1.28 million rows of 512 numbers with 1,000 classes takes, from its parts.

The whole would take hours. One part of a pass over the rows, one step and one model on the sample
are measured on drawn rows, and the longest possible training is added up from them: all passes that
`StreamedLogReg` may take, each for all models of the search.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import inputs
from benchmarks.scaling.streamed import APART
from classify.estimators import streamed
from classify.estimators.rows import LabelledRows
from classify.estimators.search import C_GRID
from classify.estimators.solvers import passes
from classify.estimators.solvers.gram import scale_of, squared_norms
from classify.estimators.solvers.losses import LogLoss
from classify.estimators.solvers.sampled import Sample
from classify.estimators.solvers.steps import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable

N_ROWS, N_FEATURES, N_CLASSES, N_FOLDS = 1_280_000, 512, 1000, 5
N_MEASURED = 4096
"""Rows of the part of a pass."""


def main() -> None:
    """Measure and publish."""
    n_sample = streamed._sample_size(N_ROWS, N_FEATURES)
    rng, codes = np.random.default_rng(0), np.arange(n_sample) % N_CLASSES
    means = APART * rng.standard_normal((N_CLASSES, N_FEATURES), dtype=np.float32)
    X = means[codes] + rng.standard_normal((n_sample, N_FEATURES), dtype=np.float32)
    np.maximum(X, 0, out=X)
    centre = X.mean(axis=0)
    scale = scale_of(float(squared_norms(X - centre).mean()))
    scaling = passes.Scaling(np.ones(N_CLASSES), centre, scale)
    fold_of = np.arange(n_sample) // N_CLASSES % N_FOLDS
    sample = Sample(scale * (X - centre), codes, np.ones(n_sample, np.float32)).with_spectrum()
    fold_weights = np.full(N_FOLDS, N_ROWS / N_FOLDS)
    in_memory = InMemory(LogLoss(), sample, fold_of, fold_weights)
    zeros, precision = np.zeros((N_FEATURES + 1, N_CLASSES)), streamed.SEARCH_PRECISION
    model, on_sample = timed(in_memory.trained, 0, 1.0, zeros, precision)
    n_models = N_FOLDS * (streamed.BELOW + 1 + streamed.PAST)
    rows = LabelledRows(X[:N_MEASURED], codes[:N_MEASURED], fold_of[:N_MEASURED])
    coefs = np.repeat(model.coef[:, None], n_models, axis=1)
    (_, gradients), seconds = timed(
        passes._sum_losses, rows, scaling, LogLoss(), [0] * n_models, coefs
    )
    one_pass = seconds * N_ROWS / N_MEASURED
    model.gradient = gradients[:, 0] * N_ROWS / N_MEASURED
    _, step = timed(in_memory.step, model)
    most = len(C_GRID) * N_FOLDS * on_sample + streamed.MAX_PASSES * (one_pass + n_models * step)
    what = f"{N_ROWS:,} x {N_FEATURES}, {N_CLASSES:,} classes"
    inputs.publish(
        "thousand_classes",
        [
            inputs.Row(f"{what}: a model on the sample", [on_sample], "s"),
            inputs.Row(f"{what}: a pass for {n_models} models, without reading", [one_pass], "s"),
            inputs.Row(f"{what}: a step of a model", [step], "s"),
            inputs.Row(f"{what}: the whole, added up, at most", [most / 3600], "h"),
        ],
    )


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Return the result of a call, and the seconds that it took."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()
