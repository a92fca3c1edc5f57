"""Training on rows on disk by the workers of a real Dask cluster, which are processes here."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from distributed import Client, Future, LocalCluster

from cache.errors import CorruptCacheError
from cache.store import Store
from classify.estimators import rows, streamed
from classify.estimators.lda import LDA
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.rows import LabelledRows, RowsOnDisk
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from classify.experiment.dask_backend import dask_backend
from classify.parallel import map_parts, share
from classify.parallel.shared import N_KEPT, Shared, _kept, forget
from extract.recipe import Recipe
from extract.stored import StoredEmbeddings
from tests.dask_processes import wait_for_a_worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", pooling="avg")
N_ROWS, N_FEATURES = 1200, 48


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 rows, and a sample of 400 in memory."""
    monkeypatch.setattr(rows, "PART_ROWS", (100, 100))
    n_bytes = 400 * N_FEATURES * 4
    monkeypatch.setattr(streamed, "SAMPLE_BYTES", (n_bytes, n_bytes))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], np.ndarray]:
    """Return a cache with rows of three classes, their names and classes."""
    folder, rng = tmp_path_factory.mktemp("cache"), np.random.default_rng(0)
    y = np.arange(N_ROWS) % 3
    X = rng.random((3, N_FEATURES))[y] + rng.normal(size=(N_ROWS, N_FEATURES))
    names = [f"{i:064x}" for i in range(N_ROWS)]
    store = Store(folder)
    for start in range(0, N_ROWS, 200):
        some = slice(start, start + 200)
        store.append(RECIPE.fingerprint, RECIPE.canonical, names[some], X[some].astype(np.float32))
    return folder, names, np.array(["ant", "bee", "cow"])[y]


def on_disk(stored: tuple[Path, list[str], np.ndarray]) -> RowsOnDisk:
    return RowsOnDisk(StoredEmbeddings(stored[0], RECIPE.fingerprint), stored[1])


@dataclass(frozen=True)
class ReadableBy:
    """Reads embeddings in some processes only, as if the others were on machines without them."""

    stored: StoredEmbeddings
    processes: Sequence[int]

    def __call__(self, digests: Sequence[str]) -> NDArray[np.float32]:
        assert self.can_read(digests[0])
        return self.stored(digests)

    def can_read(self, digest: str) -> bool:
        return os.getpid() in self.processes and self.stored.can_read(digest)


def process_ids(cluster: LocalCluster) -> list[int]:
    return [worker.process.pid for worker in cluster.workers.values()]


def no_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process send no rows."""

    def refuse(_: LabelledRows) -> LabelledRows:
        raise AssertionError("this process reads and sends rows")

    monkeypatch.setattr(LabelledRows, "loaded", refuse)


def counted_sendings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record how many rows each part has that is sent."""
    sent: list[int] = []
    loaded = LabelledRows.loaded

    def noting(self: LabelledRows) -> LabelledRows:
        sent.append(len(self))
        return loaded(self)

    monkeypatch.setattr(LabelledRows, "loaded", noting)
    return sent


def apart(there: Any, here: Any) -> float:
    """Return by how much two models differ that were found by the same search in as many passes."""
    assert there.best_params_ == here.best_params_
    assert there.n_passes_ == here.n_passes_
    of_coef = np.abs(there.coef_ - here.coef_).max() / np.abs(here.coef_).max()
    of_intercept = np.abs(there.intercept_ - here.intercept_).max()
    return float(
        max(of_coef, of_intercept, np.abs(there.held_out_proba_ - here.held_out_proba_).max())
    )


@pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM, RidgeClassifier, LDA])
def test_workers_read_the_cache_and_return_sums(
    kind: Any,
    stored: Any,
    small: None,
    workers: LocalCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model is the one that this process trains alone; no row goes through it."""
    here = kind().fit(on_disk(stored), stored[2])
    no_sending(monkeypatch)
    with dask_backend(workers.scheduler_address, list):
        there = kind().fit(on_disk(stored), stored[2])
    assert apart(there, here) < 1e-5


@pytest.mark.parametrize("kind", [StreamedLogReg, RidgeClassifier])
@pytest.mark.parametrize("n_readers", [0, 1])
def test_workers_without_the_cache_get_rows(
    kind: Any,
    n_readers: int,
    stored: Any,
    small: None,
    workers: LocalCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From this process; a worker that has the cache reads them."""
    here = kind().fit(on_disk(stored), stored[2])
    processes = [os.getpid(), *process_ids(workers)[:n_readers]]
    read = ReadableBy(StoredEmbeddings(stored[0], RECIPE.fingerprint), processes)
    sent = counted_sendings(monkeypatch)
    with dask_backend(workers.scheduler_address, list):
        there = kind().fit(RowsOnDisk(read, stored[1]), stored[2])
    assert apart(there, here) < 1e-5
    all_rows = N_ROWS * (there.n_passes_ + 1)
    assert sent
    assert sum(sent) >= N_ROWS * there.n_passes_ if n_readers == 0 else sum(sent) < all_rows


def test_rows_that_only_this_process_has_are_sent(
    stored: Any, small: None, workers: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that does not say where it can read is not sent to a worker."""
    mine = StoredEmbeddings(stored[0], RECIPE.fingerprint)
    process = os.getpid()

    def read(digests: Sequence[str]) -> NDArray[np.float32]:
        assert os.getpid() == process
        return mine(digests)

    here = RidgeClassifier().fit(on_disk(stored), stored[2])
    sent = counted_sendings(monkeypatch)
    with dask_backend(workers.scheduler_address, list):
        there = RidgeClassifier().fit(RowsOnDisk(read, stored[1]), stored[2])
    assert apart(there, here) < 1e-5
    assert sum(sent) == 2 * N_ROWS


@pytest.mark.parametrize("n_workers", [1, pytest.param(4, marks=pytest.mark.exhaustive)])
def test_the_number_of_workers_does_not_matter(n_workers: int, stored: Any, small: None) -> None:
    """The sums are those of the same parts, added in the same order."""
    here = StreamedLogReg().fit(on_disk(stored), stored[2])
    with dask_backend(f"local:{n_workers}", list):
        there = StreamedLogReg().fit(on_disk(stored), stored[2])
    assert apart(there, here) < 1e-5


@pytest.mark.parametrize(
    ("kind", "phases"),
    [
        (StreamedLogReg, ["reading", "training on a sample", "pass 2", "pass 6"]),
        (LDA, ["summing", "predicting held-out rows"]),
    ],
)
def test_a_worker_killed_in_every_phase_changes_nothing(
    kind: Any, phases: list[str], stored: Any, small: None, workers: LocalCluster
) -> None:
    """Another worker repeats its part."""
    here = kind().fit(on_disk(stored), stored[2])
    killed: list[int] = []

    def kill(stage: str, done: int, total: int) -> None:
        if phases and stage.endswith(phases[0]) and done < total:
            workers.wait_for_workers(2, timeout=60)
            killed.append(wait_for_a_worker(workers, but=killed))
            os.kill(killed[-1], signal.SIGKILL)
            del phases[0]

    with dask_backend(workers.scheduler_address, list):
        there = kind().fit(on_disk(stored), stored[2], progress=kill)
    assert apart(there, here) < 1e-5
    assert not phases


def test_the_only_worker_may_be_killed(stored: Any, small: None) -> None:
    """What all calls share is kept by the scheduler, and goes to the worker that follows."""
    here = StreamedSVM(C=[0.1, 1.0]).fit(on_disk(stored), stored[2])
    killed: list[int] = []
    with LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:

        def kill(stage: str, done: int, total: int) -> None:
            if not killed and stage.endswith("pass 3") and done < total:
                killed.append(wait_for_a_worker(cluster, but=[]))
                os.kill(killed[0], signal.SIGKILL)

        with dask_backend(cluster.scheduler_address, list):
            there = StreamedSVM(C=[0.1, 1.0]).fit(on_disk(stored), stored[2], progress=kill)
    assert killed
    assert apart(there, here) < 1e-5


def test_a_damaged_row_is_the_error_that_it_is_here(
    small: None, stored: Any, workers: LocalCluster, tmp_path: Path
) -> None:
    """A worker compares each row with its checksum, too."""
    store = Store(tmp_path)
    store.append(RECIPE.fingerprint, RECIPE.canonical, stored[1], np.ones((N_ROWS, 8), np.float32))
    (shard,) = (tmp_path / "shards").glob("*.npy")
    shard.chmod(0o644)
    content = bytearray(shard.read_bytes())
    content[-7] ^= 1
    shard.write_bytes(content)
    there = RowsOnDisk(StoredEmbeddings(tmp_path, RECIPE.fingerprint), stored[1])
    with (
        pytest.raises(CorruptCacheError, match="differs from what was committed"),
        dask_backend(workers.scheduler_address, list),
    ):
        StreamedLogReg().fit(there, stored[2])


def squared(part: np.ndarray, started: Path, number: int) -> float:
    (started / str(number)).touch()
    return float((part**2).sum())


def test_few_parts_are_given_out_at_a_time(workers: LocalCluster, tmp_path: Path) -> None:
    """Whoever takes results slowly does not have all parts read ahead."""
    given: list[int] = []

    def calls() -> Any:
        for i in range(100):
            given.append(i)
            yield np.full(3, i), tmp_path, i

    with dask_backend(workers.scheduler_address, list):
        results = map_parts(squared, calls())
        assert [next(results) for _ in range(3)] == [0.0, 3.0, 12.0]
        assert len(given) < 30
        assert [*results] == [3.0 * i**2 for i in range(3, 100)]
    assert len(list(tmp_path.iterdir())) == 100


def test_large_arguments_are_sent_without_a_warning(workers: LocalCluster, tmp_path: Path) -> None:
    """Dask warns of more than 10 MB; the coefficients of a thousand classes are more."""
    large = np.ones(2**22, np.float32)
    with dask_backend(workers.scheduler_address, list), warnings.catch_warnings(action="error"):
        assert [*map_parts(squared, [(large, tmp_path, 0)])] == [2**22]
        assert [*map_parts(squared, [(share(large), tmp_path, 1)])] == [2**22]


def test_workers_keep_what_calls_share_until_the_end(workers: LocalCluster, tmp_path: Path) -> None:
    """A worker that does not have it, because it is a new one say, is told once."""

    def calls(shared: Any) -> list[tuple[Any, ...]]:
        return [(shared, tmp_path, i) for i in range(20)]

    with dask_backend(workers.scheduler_address, list), Client(workers) as client:
        value = share(np.arange(3.0))
        assert sum(map_parts(squared, calls(value))) == 20 * 5
        assert set(client.run(n_kept).values()) == {1}
        client.run(forget)
        assert sum(map_parts(squared, calls(value))) == 20 * 5
        assert set(client.run(n_kept).values()) == {1}
        for _ in range(2 * N_KEPT):
            assert [*map_parts(squared, [(share(np.ones(2)), tmp_path, 0)])] == [2.0]
        assert max(client.run(n_kept).values()) == N_KEPT
        assert sum(map_parts(squared, calls(value))) == 20 * 5
    with Client(workers) as client:
        assert set(client.run(n_kept).values()) == {0}


def n_kept() -> int:
    """Return how many shared values this worker keeps."""
    return len(_kept)


def test_what_workers_cannot_keep_is_an_error(workers: LocalCluster, tmp_path: Path) -> None:
    """They are not told again and again."""
    with dask_backend(workers.scheduler_address, list), Client(workers) as client:
        value = Shared(client, client.submit(int, "not a number"))
        with pytest.raises(ValueError, match="not a number"):
            list(map_parts(squared, [(value, tmp_path, 0)]))


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize(
    ("owner", "method"), [(Client, "submit"), (Client, "_inc_ref"), (Future, "release")]
)
def test_ctrl_c_amid_the_work_of_the_client_is_not_lost(
    workers: LocalCluster, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    """One of these is called by finalizers, which lose exceptions; one holds a lock."""
    original, results, pressed = getattr(owner, method), [], []

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and len(results) >= 3 and not pressed:
            pressed.append(len(results))
            signal.raise_signal(signal.SIGINT)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(owner, method, interrupted)
    with dask_backend(workers.scheduler_address, list), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for result in map_parts(pow, [(number, 2) for number in range(100)]):
            results.append(result)  # noqa: PERF402 - one after the other
    assert results == [number**2 for number in range(pressed[0])]
