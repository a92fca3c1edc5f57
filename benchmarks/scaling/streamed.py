"""Training on rows on disk: passes, seconds, peak memory, accuracy on photographs.

The rows are random, one class after the other; there are no images. One fit of scikit-learn's
`LogisticRegression` with the chosen C on a tenth of the rows, in memory, is timed beside it. Every
size is measured in a separate process, so that peak memories do not mix. The photographs are the
lesson's, once with a memory limit that their embeddings exceed, once with a larger one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.common import commands, inputs
from benchmarks.scaling.scale import digest
from cache.store import SHARD_ROWS
from classify.estimators.rows import RowsOnDisk
from classify.estimators.streamed import StreamedLogReg
from extract.frozen import FrozenBase
from extract.options import BaseSettings

SIZES = ((1_000_000, "avg", 100), (1_000_000, "avg", 2), (100_000, "none", 2))
"""Rows, pooling and classes."""
APART = 0.25
"""Standard deviation of the class means in every feature; that within a class is 1, before noise is
clipped at zero as a network's last layer does."""
FROM_DISK, IN_MEMORY = "10MB", "1GB"
"""Memory limits; the photographs' training embeddings take 66 MB."""


def main() -> None:
    """Measure and publish; with ``--size``, print the figures of one size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--cache", metavar="DIR", help="keep the photographs' embeddings here")
    args = parser.parse_args()
    if args.size is not None:
        n, pooling, n_classes = args.size
        print(json.dumps(from_disk(int(n), pooling, int(n_classes))))
        return
    rows = photographs(args.cache)
    for n, pooling, n_classes in SIZES:
        figures = in_own_process(n, pooling, n_classes)
        what = f"logreg from disk, {n:,} embeddings of {figures['features']:,}, {n_classes} classes"
        rows += [
            inputs.Row(f"{what}: passes", [figures["passes"]], promised="<= 25"),
            inputs.Row(f"{what}: search and training", [figures["seconds"]], "s"),
            inputs.Row(f"{what}: peak memory", [figures["peak"]], "MiB", promised="<= 1430"),
            inputs.Row(
                f"{what}: a fit of LogisticRegression on a tenth", [figures["sklearn"]], "s"
            ),
        ]
    inputs.publish("streamed", rows)


def photographs(cache: str | None) -> list[inputs.Row]:
    """Return the test accuracies on the lesson's photographs, from disk and in memory."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = (
            "--data", inputs.photographs(folder), "--weights", inputs.weights(),
            "--cache", cache or str(folder / "cache"), "--clf", "logreg,svm",
        )  # fmt: skip
        for how, limit in (("from disk", FROM_DISK), ("all in memory", IN_MEMORY)):
            out = str(folder / how)
            done = commands.run("classify", *common, "--memory-limit", limit, "--out", out)
            for result in done.summary["results"]:
                what = f"test accuracy of `{result['classifier']}`, {how}"
                print(f"{what}: {result['accuracy']}", flush=True)
                rows.append(inputs.Row(what, [result["accuracy"]]))
    return rows


def in_own_process(n: int, pooling: str, n_classes: int) -> dict[str, Any]:
    """Measure one size in a separate process."""
    size = [str(n), pooling, str(n_classes)]
    command = [sys.executable, "-m", "benchmarks.scaling.streamed", "--size", *size]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    print(f"{n:,} embeddings, pooling {pooling}, {n_classes} classes: {figures}", flush=True)
    return figures


def from_disk(n: int, pooling: str, n_classes: int) -> dict[str, Any]:
    """Fill a store with `n` embeddings, class by class, and train on all of them."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) * n_classes // n
    with tempfile.TemporaryDirectory() as name:
        base = FrozenBase.choose(
            BaseSettings(weights=inputs.weights(), pooling=pooling, cache=name)
        )
        recipe = base.recipe
        shape = (512,) if pooling == "avg" else (4, 4, 512)
        means = APART * rng.standard_normal((n_classes, *shape), dtype=np.float32)
        keys = [digest(i) for i in range(n)]
        for start in range(0, n, SHARD_ROWS):
            shard = slice(start, start + SHARD_ROWS)
            rows = rng.standard_normal((len(keys[shard]), *shape), dtype=np.float32)
            rows += means[labels[shard]]
            base.store.append(
                recipe.fingerprint, recipe.canonical, keys[shard], np.maximum(rows, 0)
            )
        on_disk = RowsOnDisk(base.embeddings, keys)
        started = time.perf_counter()
        model = StreamedLogReg().fit(on_disk, labels)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        tenth = np.arange(0, n, 10)
        X = model.scale_ * on_disk[tenth]
        started = time.perf_counter()
        LogisticRegression(C=model.C_).fit(X, labels[tenth])
        return {
            "features": on_disk.shape[1],
            "seconds": seconds,
            "passes": model.n_passes_,
            "chosen": model.search_.chosen,
            "peak": peak,
            "sklearn": time.perf_counter() - started,
        }


if __name__ == "__main__":
    main()
