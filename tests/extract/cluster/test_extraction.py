"""Extraction on the workers of a real Dask cluster of processes on this machine."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from distributed import Client, Future

from cache.store import Store
from extract.backbones.catalog import construct
from extract.cluster import workers as cluster_workers
from extract.cluster.connection import connect
from extract.cluster.installed import code_digest
from extract.cluster.tasks import Job, embed
from extract.cluster.workers import FILES_PER_TASK, TASKS_PER_THREAD, Workers
from extract.errors import ClusterError
from extract.frozen import FrozenBase
from extract.images.hashing import recall_digests
from extract.images.loading import ReadSettings
from extract.options import BaseSettings
from tests.dask_processes import cluster_of_processes, wait_for_a_worker
from tests.extract.cluster.samples import LAYER, N_PICTURES, base, paths
from tests.extract.decoders import decoders, ends, is_running
from tests.extract.file_server import serving
from toolkit.addresses import as_path, file_states
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from distributed import LocalCluster

    from extract.pipeline import ExtractionResult

pytestmark = pytest.mark.slow


def extract_on(
    address: str, base: FrozenBase, paths: Sequence[Path], progress: Progress = silent
) -> ExtractionResult:
    with Workers(address) as workers:
        loader = workers.embedder(base, ReadSettings())
        known = recall_digests(paths, base.store)
        return base.extract(paths, loader=loader, known=known, progress=progress)


def shards(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (cache / "shards").glob("*.npy")}


def committed(cache: Path) -> int:
    """Return how many embeddings are in the index."""
    return sum(recipe.rows for recipe in Store(cache).recipes())


@pytest.fixture(scope="module")
def alone(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the shards that this process computes by itself."""
    cache = tmp_path_factory.mktemp("alone")
    done = base(home, cache).extract(paths(home))
    assert (done.computed, len(done.quarantine)) == (N_PICTURES - 1, 1)
    return shards(cache)


def test_the_cache_is_the_same_byte_for_byte(
    home: Path, alone: dict[str, bytes], workers: LocalCluster, tmp_path: Path
) -> None:
    """Including broken and equal images; a second run computes nothing."""
    here = base(home, tmp_path)
    stages = []
    done = extract_on(
        workers.scheduler_address,
        here,
        paths(home),
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    assert shards(tmp_path) == alone
    assert [path.name for path in done.quarantine] == ["050.png"]
    computing = [done for stage, done, _ in stages if stage == "computing embeddings"]
    assert computing == sorted(computing)
    assert len(set(computing)) > 5
    usable = [path for path in paths(home) if path not in done.quarantine]
    again = extract_on("tcp://127.0.0.1:1", here, usable)  # nobody is asked
    assert (again.cached, again.computed) == (done.computed, 0)


def test_pictures_at_addresses_are_fetched_by_the_workers(
    home: Path, alone: dict[str, bytes], workers: LocalCluster, tmp_path: Path
) -> None:
    """The embeddings are the same; this process remembers the state of the files."""
    digests = base(home, tmp_path).extract(paths(home)[:40]).digests
    with serving(home / "pictures") as server:
        there = [as_path(f"{server.url}/{path.name}") for path in paths(home)[:40]]
        other = base(home, tmp_path / "other")
        done = extract_on(workers.scheduler_address, other, there)
        assert list(done.digests.values()) == list(digests.values())
        assert done.computed == 40
        again = extract_on("tcp://127.0.0.1:1", other, there)  # nobody is asked
        assert again.cached == 40


def test_a_lost_worker_is_mentioned(
    home: Path, workers: LocalCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """By its address, with the number of those that are left."""
    caplog.set_level(logging.WARNING, logger="extract")
    with connect(workers.scheduler_address):
        time.sleep(1)  # until the workers are known
        os.kill(wait_for_a_worker(workers, but=[]), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while "lost worker" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.1)
    assert re.search(r"lost worker tcp://127\.0\.0\.1:\d+ .*; its tasks are repeated", caplog.text)
    workers.wait_for_workers(2, timeout=60)


@pytest.mark.exhaustive
def test_four_workers_give_the_same_cache_too(
    home: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """They are started for this extraction, and ended after it."""
    done = extract_on("local:4", base(home, tmp_path), paths(home))
    assert done.computed == N_PICTURES - 1
    assert shards(tmp_path) == alone


@pytest.mark.parametrize("parts", [4, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_workers_killed_all_along_the_work_lose_nothing(
    home: Path, alone: dict[str, bytes], workers: LocalCluster, tmp_path: Path, parts: int
) -> None:
    """Other workers repeat their tasks; the cache is the same."""
    killed: list[int] = []

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "computing embeddings" and done / total >= (len(killed) + 1) / parts:
            killed.append(wait_for_a_worker(workers, but=killed))
            os.kill(killed[-1], signal.SIGKILL)

    done = extract_on(workers.scheduler_address, base(home, tmp_path), paths(home), progress=kill)
    assert len(killed) >= parts - 2
    assert done.computed == N_PICTURES - 1
    assert shards(tmp_path) == alone


def test_a_worker_with_other_code_is_refused(
    home: Path, workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it; nothing that it computed is kept."""
    monkeypatch.setattr("extract.cluster.workers.code_digest", lambda: "0" * 64)
    with pytest.raises(ClusterError, match=r"worker tcp://.*another version of frozen-features"):
        extract_on(workers.scheduler_address, base(home, tmp_path), paths(home))
    assert shards(tmp_path) == {}


@pytest.mark.parametrize("change", ["other", "gone"])
def test_a_worker_with_other_files_under_the_same_paths_is_refused(
    home: Path,
    workers: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """The message names the worker and the file."""
    folder = tmp_path / "pictures"
    shutil.copytree(home / "pictures", folder)
    changed, there = folder / "007.png", sorted(folder.iterdir())
    states, content = file_states([changed]), changed.read_bytes()
    if change == "other":
        changed.write_bytes((folder / "008.png").read_bytes() + b"more")
        # What this process sees is the file before it was changed.
        real = cluster_workers.file_states
        monkeypatch.setattr(
            cluster_workers,
            "file_states",
            lambda some: [
                states[0] if path == changed else state
                for path, state in zip(some, real(some), strict=True)
            ],
        )
        words = rf"worker tcp://.* finds a file of .* at .*007\.png, .* of {len(content):,}"
    else:
        changed.unlink()
        monkeypatch.setattr(cluster_workers, "read_bytes", lambda _: content)
        words = r"worker tcp://.* cannot read .*007\.png, which this process can read"
    with pytest.raises(ClusterError, match=words):
        extract_on(workers.scheduler_address, base(home, tmp_path / "cache"), there)


def test_a_worker_without_the_weights_is_refused(
    home: Path, workers: LocalCluster, tmp_path: Path
) -> None:
    """The message names the worker and the missing file."""
    np.savez(tmp_path / "gone.npz", *construct("vgg16", 48).get_weights())
    here = FrozenBase.choose(
        BaseSettings(size=48, weights=str(tmp_path / "gone.npz"), cache=tmp_path / "cache")
    )
    (tmp_path / "gone.npz").unlink()
    with pytest.raises(ClusterError, match=r"worker tcp://.*gone\.npz.*under the same path"):
        extract_on(workers.scheduler_address, here, paths(home))


def test_a_worker_leaves_no_decoders_of_an_earlier_job(home: Path, tmp_path: Path) -> None:
    """A worker that serves many clients one after another does not accumulate decoders."""
    here = base(home, tmp_path)
    started: list[set[int]] = [decoders(os.getpid())]
    for max_pixels in (50_000_000, 40_000_000):
        job = Job(here.to_dict(), str(tmp_path), here.engine, max_pixels, False, code_digest())
        assert all(decoded.image is not None for *_, decoded in embed(job, paths(home)[:2])[1])
        started.append(decoders(os.getpid()) - set().union(*started))
    _, earlier, latest = started
    assert earlier
    assert all(ends(decoder) for decoder in earlier)
    assert latest
    assert all(is_running(decoder) for decoder in latest)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:1", "cannot connect to a Dask scheduler at tcp://127.0.0.1:1: Timed out"),
        ("nonsense", "cannot connect to a Dask scheduler at nonsense"),
        ("tls://127.0.0.1:1", "TLS needs certificates"),
        ("local:none", "expected local:N"),
        ("local:0", "expected local:N"),
        ("local:2000000", "from 1 to"),
        ("tcp://127.0.0.1", "missing port number"),
        ("http://127.0.0.1:80", "unknown address scheme"),
    ],
)
def test_a_wrong_address_is_a_clear_message(
    home: Path, address: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds, with advice."""
    monkeypatch.setattr("extract.cluster.connection._SECONDS_TO_CONNECT", 2)
    with pytest.raises(ClusterError, match=words):
        extract_on(address, base(home, tmp_path), paths(home))


def extraction(home: Path, cache: Path, address: str, **options: Any) -> subprocess.Popen[str]:
    """Start `python -m extract` on the pictures as a process of its own."""
    table = home / "table.csv"
    rows = [f"pictures/{path.name},{'ab'[i % 2]}" for i, path in enumerate(paths(home))]
    table.write_text("path,label\n" + "\n".join(rows) + "\n")
    return subprocess.Popen(
        [sys.executable, "-m", "extract", "--data", str(table), "--size", "48",
         "--layer", LAYER, "--pool", "avg", "--weights", str(home / "vgg16.npz"),
         "--cache", str(cache), "--dask", address],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        # A shell that runs the tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), **options,
    )  # fmt: skip


def wait_for_rows(cache: Path, n: int, process: subprocess.Popen[Any]) -> None:
    """Wait until so many embeddings are committed, which is later than their shards are there."""
    while not (cache / "index.sqlite").exists() or committed(cache) < n:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
def test_a_client_that_is_killed_goes_on_where_it_was(
    home: Path, alone: dict[str, bytes], workers: LocalCluster, tmp_path: Path, times: int
) -> None:
    """What was committed is kept; the run after it computes only the rest."""
    for n in range(1, times + 1):
        process = extraction(home, tmp_path, workers.scheduler_address)
        wait_for_rows(tmp_path, 64 * n, process)
        process.kill()
        process.communicate()
    there = committed(tmp_path)
    assert there >= 64
    done = extract_on(workers.scheduler_address, base(home, tmp_path), paths(home))
    assert done.cached >= there
    assert done.cached + done.computed == N_PICTURES - 1
    assert committed(tmp_path) == N_PICTURES - 2  # two of the pictures are one


def test_a_scheduler_that_is_restarted_loses_nothing(
    home: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """An error says so; with a new scheduler, the same command computes only the rest."""
    with cluster_of_processes(tmp_path) as (address, scheduler):
        process = extraction(home, tmp_path / "cache", address)
        wait_for_rows(tmp_path / "cache", 64, process)
        scheduler.kill()
        _, complaints = process.communicate(timeout=120)
    assert process.returncode == 2, complaints
    assert "the same command continues from there" in complaints
    assert "Traceback" not in complaints
    kept = shards(tmp_path / "cache")
    there = committed(tmp_path / "cache")
    assert there >= 64
    with cluster_of_processes(tmp_path, int(address.rpartition(":")[2])) as (again, _):
        assert again == address
        done = extract_on(again, base(home, tmp_path / "cache"), paths(home))
    assert done.cached >= there
    assert done.cached + done.computed == N_PICTURES - 1
    assert committed(tmp_path / "cache") == N_PICTURES - 2  # two of the pictures are one
    assert kept.items() <= shards(tmp_path / "cache").items()


def test_the_scheduler_never_holds_more_than_a_few_tasks(
    home: Path, workers: LocalCluster, tmp_path: Path
) -> None:
    """Only as many as keep the workers busy, however many images there are."""
    held: list[int] = []

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "computing embeddings" and 0 < done < total:
            held.append(sum(key.startswith("embed") for key in workers.scheduler.tasks))

    extract_on(workers.scheduler_address, base(home, tmp_path), paths(home), progress=watch)
    assert 0 < max(held) <= 2 * TASKS_PER_THREAD + 1 < N_PICTURES / FILES_PER_TASK


def test_ctrl_c_on_a_terminal_reaches_no_worker(home: Path, tmp_path: Path) -> None:
    """It reaches all processes; only this one prints a message, and none is left."""
    process = extraction(home, tmp_path, "local:2", start_new_session=True)
    said = iter(process.stderr.readline, "")  # type: ignore[union-attr]  # it is a pipe
    assert any("Dask at local:2: 2 workers, 2 threads" in line for line in said)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130, complaints
    assert complaints.strip().splitlines()[-1].startswith("stopped: ")
    assert "Traceback" not in complaints
    assert "distributed" not in complaints
    deadline = time.monotonic() + 30
    while is_there(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_there(process.pid)


def is_there(group: int) -> bool:
    """Return whether any process of a group is still running."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_keeps_what_is_there(home: Path, workers: LocalCluster, tmp_path: Path) -> None:
    """Status 130, one line, and the embeddings until then."""
    process = extraction(home, tmp_path, workers.scheduler_address)
    wait_for_rows(tmp_path, 64, process)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130, complaints
    assert "embeddings computed and kept" in complaints
    assert "Traceback" not in complaints


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize(
    ("owner", "method"), [(Client, "submit"), (Client, "_inc_ref"), (Future, "release")]
)
def test_ctrl_c_amid_the_work_of_the_client_is_neither_lost_nor_a_deadlock(
    home: Path,
    workers: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
) -> None:
    """One of these is called by finalizers, which lose exceptions; one holds a lock."""
    original, computed = getattr(owner, method), []

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if computed and threading.current_thread() is threading.main_thread():
            computed.clear()
            signal.raise_signal(signal.SIGINT)
        return original(self, *args, **kwargs)

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "computing embeddings" and done:
            computed.append(done)

    monkeypatch.setattr(owner, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_on(workers.scheduler_address, base(home, tmp_path), paths(home), progress=watch)
