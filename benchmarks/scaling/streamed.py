"""Training in one pass over rows on disk: rows per second, peak memory, accuracy on photographs.

The rows are random, half of them of each class, one class after the other; there are no images.
Every size is measured in a separate process, so that peak memories do not mix. The photographs are
the lesson's, once with a memory limit that their embeddings exceed, once with a larger one.
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

from benchmarks.common import commands, inputs
from benchmarks.scaling.scale import digest
from cache.store import SHARD_ROWS
from classify.estimators.rows import RowsOnDisk
from classify.estimators.streamed import StreamedLogReg
from extract.frozen import FrozenBase
from extract.options import BaseSettings

SIZES = ((1_000_000, "avg"), (100_000, "none"))
APART = 0.1
"""Distance of the class means in every feature; the standard deviation of a feature is 0.29."""
IN_ONE_PASS, IN_MEMORY = "10MB", "1GB"
"""Memory limits; the photographs' training embeddings take 66 MB."""


def main() -> None:
    """Measure and publish; with ``--size N POOLING``, print the figures of one size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--cache", metavar="DIR", help="keep the photographs' embeddings here")
    args = parser.parse_args()
    if args.size is not None:
        print(json.dumps(one_pass(int(args.size[0]), args.size[1])))
        return
    rows = photographs(args.cache)
    for n, pooling in SIZES:
        figures = in_own_process(n, pooling)
        what = f"{n:,} embeddings of {figures['features']:,}, logreg in one pass"
        rows += [
            inputs.Row(f"{what}: trained on", [n / figures["seconds"]], "rows/s"),
            inputs.Row(f"{what}: peak memory", [figures["peak"]], "MiB"),
        ]
    inputs.publish("streamed", rows)


def photographs(cache: str | None) -> list[inputs.Row]:
    """Return the test accuracies on the lesson's photographs, in one pass and in memory."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = (
            "--data", inputs.photographs(folder), "--weights", inputs.weights(),
            "--cache", cache or str(folder / "cache"), "--clf", "logreg,svm",
        )  # fmt: skip
        for how, limit in (("in one pass", IN_ONE_PASS), ("all in memory", IN_MEMORY)):
            out = str(folder / how)
            done = commands.run("classify", *common, "--memory-limit", limit, "--out", out)
            for result in done.summary["results"]:
                what = f"test accuracy of `{result['classifier']}`, {how}"
                print(f"{what}: {result['accuracy']}", flush=True)
                rows.append(inputs.Row(what, [result["accuracy"]]))
    return rows


def in_own_process(n: int, pooling: str) -> dict[str, Any]:
    """Measure one size in a separate process."""
    command = [sys.executable, "-m", "benchmarks.scaling.streamed", "--size", str(n), pooling]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    print(f"{n:,} embeddings, pooling {pooling}: {figures}", flush=True)
    return figures


def one_pass(n: int, pooling: str) -> dict[str, Any]:
    """Fill a store with `n` embeddings and train on all of them."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) >= n // 2
    with tempfile.TemporaryDirectory() as name:
        base = FrozenBase.choose(
            BaseSettings(weights=inputs.weights(), pooling=pooling, cache=name)
        )
        recipe = base.recipe
        shape = (512,) if pooling == "avg" else (4, 4, 512)
        keys = [digest(i) for i in range(n)]
        for start in range(0, n, SHARD_ROWS):
            shard = slice(start, start + SHARD_ROWS)
            rows = rng.random((len(keys[shard]), *shape), dtype=np.float32)
            rows[labels[shard]] += np.float32(APART)
            base.store.append(recipe.fingerprint, recipe.canonical, keys[shard], rows)
        on_disk = RowsOnDisk(base.embeddings, keys)
        started = time.perf_counter()
        model = StreamedLogReg().fit(on_disk, labels)
        return {
            "features": on_disk.shape[1],
            "seconds": time.perf_counter() - started,
            "gib": on_disk.nbytes / 2**30,
            "chosen": model.search_.chosen,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        }


if __name__ == "__main__":
    main()
