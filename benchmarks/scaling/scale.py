"""How the cache and the Dask engine scale: up to a million embeddings, up to eight workers.

Embeddings have 512 random numbers each; there are no images. Every size is measured in a separate
process, so that peak memories do not mix. The workers are simulated by threads of Dask: each one
sleeps for as long as the forward passes of 32 files take on a real worker (`SECONDS_PER_IMAGE`),
then returns their embeddings. The figures show everything else that the engine does: hashing,
scheduling, collecting and committing.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed import Client, LocalCluster

from benchmarks.common import inputs
from cache.store import SHARD_ROWS, Store
from extract.images.decoders.pool import Decoded
from extract.images.loading import ahead
from extract.pipeline import extract
from extract.recipe import Recipe
from toolkit.addresses import file_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


SIZES = (10_000, 100_000, 1_000_000)
CHANNELS = 512
LOOKED_UP = 100_000
RECIPE = Recipe(weights="0" * 64, preprocessing="torch", pooling="avg")
WORKERS = (1, 2, 4, 8)
SECONDS_PER_IMAGE = 0.06
"""VGG16 in float32 on two cores: 16 images per second."""
IMAGES_PER_WORKER = 640
FILES_PER_TASK, TASKS_PER_THREAD = 32, 2


def main() -> None:
    """Measure and publish; with ``--size N``, print the figures of one size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    size = parser.parse_args().size
    if size is not None:
        print(json.dumps(store_of(size)))
        return
    by_size = {n: in_own_process(n) for n in SIZES}
    inputs.publish("scale", [*growth(by_size), *efficiencies()])


def in_own_process(n: int) -> dict[str, Any]:
    """Measure one size in a separate process."""
    command = [sys.executable, "-m", "benchmarks.scaling.scale", "--size", str(n)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    print(f"{n:,} embeddings: {figures}", flush=True)
    return figures


def digest(i: int) -> str:
    """Return the key of image `i`."""
    return hashlib.sha256(b"%d" % i).hexdigest()


def store_of(n: int) -> dict[str, Any]:
    """Fill a store with `n` embeddings, open it again, look up keys and read rows."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder)
        started = time.perf_counter()
        for start in range(0, n, SHARD_ROWS):
            names = [digest(i) for i in range(start, min(start + SHARD_ROWS, n))]
            rows = rng.random((len(names), CHANNELS), dtype=np.float32)
            store.append(RECIPE.fingerprint, RECIPE.canonical, names, rows)
        committed = time.perf_counter() - started
        opened = [timed(lambda: Store(folder)) for _ in range(5)]
        again = Store(folder)
        keys = data_set(n)
        looked = [timed(lambda: again.missing(RECIPE.fingerprint, keys)) for _ in range(5)]
        sample = [digest(int(i)) for i in rng.integers(n, size=2000)]
        read = timed(lambda: again.read(RECIPE.fingerprint, sample))
        return {
            "commit": n / committed,
            "index": (folder / "index.sqlite").stat().st_size / n,
            "open": opened,
            "look_up": [len(keys) / seconds for seconds in looked],
            "read": len(sample) / read,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        }


def data_set(n: int) -> list[str]:
    """Return the keys of images that were committed in sequence, and of as many new ones."""
    known = min(n, LOOKED_UP // 2)
    start = (n - known) // 2
    return [digest(i) for i in (*range(start, start + known), *range(n, n + known))]


def timed(work: Any) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def growth(by_size: dict[int, dict[str, Any]]) -> list[inputs.Row]:
    """Return the figures of every size, and how they grow from the smallest to the largest."""
    rows = []
    for n, figures in by_size.items():
        what = f"{n:,} embeddings of {CHANNELS}"
        rows += [
            inputs.Row(f"{what}: commit", [figures["commit"]], "rows/s"),
            inputs.Row(f"{what}: index", [figures["index"]], "bytes/row"),
            inputs.Row(f"{what}: open", [1000 * seconds for seconds in figures["open"]], "ms"),
            inputs.Row(f"{what}: look up", figures["look_up"], "keys/s", ">= 100000"),
            inputs.Row(f"{what}: read at random", [figures["read"]], "rows/s"),
            inputs.Row(f"{what}: peak memory", [figures["peak"]], "MiB"),
        ]
    least, most = by_size[SIZES[0]], by_size[SIZES[-1]]
    times = SIZES[-1] // SIZES[0]
    rows += [
        inputs.Row(f"index / index with {times} times fewer rows, per row",
                   [most["index"] / least["index"]], "", "<= 1.1"),
        inputs.Row(f"time to commit / with {times} times fewer rows, per row",
                   [least["commit"] / most["commit"]], "", "<= 1.5"),
        inputs.Row(f"time to look up a key / with {times} times fewer rows",
                   [a / b for a, b in zip(least["look_up"], most["look_up"], strict=True)], "",
                   "<= 2"),
    ]  # fmt: skip
    return rows


def efficiencies() -> list[inputs.Row]:
    """Return the share of the ideal speed that 1, 2, 4 and 8 workers reach."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for n_workers in WORKERS:
            paths = files(Path(name) / "images", n_workers * IMAGES_PER_WORKER)
            cache = Path(name) / f"cache-{n_workers}"
            cluster = LocalCluster(
                n_workers=n_workers, threads_per_worker=1, processes=False,
                dashboard_address="127.0.0.1:0", silence_logs=40,
            )  # fmt: skip
            with cluster, Client(cluster) as client:
                loader = functools.partial(loaded, client, n_workers)
                seconds = timed(
                    functools.partial(
                        extract, paths, RECIPE, Store(cache), no_engine, loader=loader, known={}
                    )
                )
            least = IMAGES_PER_WORKER * SECONDS_PER_IMAGE
            print(f"{n_workers} workers: {seconds:.1f} s, {least:.1f} s at best", flush=True)
            rows.append(
                inputs.Row(f"efficiency of {n_workers} simulated workers", [least / seconds], "",
                           ">= 0.9")
            )  # fmt: skip
    return rows


def no_engine() -> Any:
    """Raise an error: only the workers compute."""
    raise AssertionError("the workers compute")


def files(folder: Path, n: int) -> list[Path]:
    """Return `n` small files with different bytes; write those that do not exist."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{i:06}.jpg" for i in range(n)]
    for i, path in enumerate(paths):
        if not path.exists():
            path.write_bytes(b"%d" % i)
            os.utime(path, (1e9, 1e9))
    return paths


def loaded(client: Client, n_workers: int, groups: Iterable[list[Path]]) -> Iterator[Any]:
    """Load embeddings from workers that sleep; compare `extract.cluster.workers`."""
    paths = [group[0] for group in groups]
    tasks = [paths[i : i + FILES_PER_TASK] for i in range(0, len(paths), FILES_PER_TASK)]
    executor = client.get_executor(pure=False)
    for embedded in ahead(executor, asleep, tasks, TASKS_PER_THREAD * n_workers):
        for path, decoded in embedded:
            yield file_state(path), decoded


def asleep(paths: list[Path]) -> list[tuple[Path, Decoded]]:
    """Sleep as long as a real worker would compute, and return made-up embeddings."""
    time.sleep(len(paths) * SECONDS_PER_IMAGE)
    embedded = []
    for path in paths:
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        row = np.frombuffer(bytes.fromhex(key) * (CHANNELS // 8), dtype=np.uint32)
        embedded.append((path, Decoded(key, row.astype(np.float32), deep=False)))
    return embedded


if __name__ == "__main__":
    main()
