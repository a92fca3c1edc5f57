"""How many embeddings one writer commits to a cache, and several that share its folder.

A writer is a process that commits rows as `extract` does: each shard is on the disk before the next
one is begun. The disk is that of the temporary folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import inputs
from benchmarks.scaling.scale import RECIPE, digest
from cache.store import SHARD_ROWS, Store

WRITERS = (1, 2, 4)
FEATURES = {512: 20_000, 8192: 5_000}
"""Numbers in an embedding, and how many of them each writer commits."""


def main() -> None:
    """Measure and publish; with ``--write``, be one of the writers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write(Path(args.write[0]), int(args.write[1]), int(args.write[2]))
        return
    rows = []
    for n_features in FEATURES:
        for n_writers in WRITERS:
            rates = [rate(n_features, n_writers) for _ in range(3)]
            what = f"{n_writers} writers, embeddings of {n_features:,}: commit"
            print(f"{what}: {rates}", flush=True)
            rows.append(inputs.Row(what, rates, "rows/s"))
    inputs.publish("writers", rows)


def rate(n_features: int, n_writers: int) -> float:
    """Return how many rows per second all writers commit together."""
    with tempfile.TemporaryDirectory() as name:
        Store(Path(name))
        command = [sys.executable, "-m", "benchmarks.scaling.writers", "--write", name]
        writers = [
            subprocess.Popen(
                [*command, str(n_features), str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for i in range(n_writers)
        ]
        for writer in writers:
            writer.stdout.readline()  # type: ignore[union-attr]  # until it is ready
        started = time.perf_counter()
        for writer in writers:
            writer.communicate(b"go\n")
        seconds = time.perf_counter() - started
        assert not any(writer.returncode for writer in writers)
    return n_writers * FEATURES[n_features] / seconds


def write(folder: Path, n_features: int, number: int) -> None:
    """Commit rows that no other writer has, when told to."""
    rng, n = np.random.default_rng(number), FEATURES[n_features]
    store = Store(folder)
    shards = [
        (
            [digest(number * n + i) for i in range(start, min(start + SHARD_ROWS, n))],
            rng.random((min(SHARD_ROWS, n - start), n_features), dtype=np.float32),
        )
        for start in range(0, n, SHARD_ROWS)
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    for names, rows in shards:
        store.append(RECIPE.fingerprint, RECIPE.canonical, names, rows)


if __name__ == "__main__":
    main()
