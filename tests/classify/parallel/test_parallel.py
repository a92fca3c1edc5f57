"""Training on the workers of a real Dask cluster, which are processes on this machine."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import distributed
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.rows import LabelledRows
from classify.estimators.svm import SVM
from classify.estimators.wrapped import WrappedClassifier
from classify.evaluation.held_out import hold_out
from classify.evaluation.learning_curve import learning_curve
from classify.experiment.dask_backend import dask_backend
from classify.parallel import in_this_process, map_parts, parallel_starmap
from extract.backbones.catalog import construct
from extract.datasets.sources import shapes
from extract.errors import ClusterError
from tests.classify.estimators.grouped import near_copies
from tests.commands import run_command
from tests.dask_processes import cluster_of_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from distributed import LocalCluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Return 90 samples of three overlapping classes, with 400 features."""
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 30)
    X = rng.normal(size=(90, 400)).astype(np.float32)
    X[y == "b", :40] += 0.7
    X[y == "c", 40:80] += 0.7
    return X, y


def total(array: np.ndarray, number: int) -> float:
    """Add slowly."""
    time.sleep(0.2)
    return float(array.sum()) + number


def test_the_svm_that_is_found_is_the_same(
    data: tuple[np.ndarray, np.ndarray], workers: LocalCluster
) -> None:
    """C, kernel, every point of the search and the model are equal to the last bit."""
    X, y = data
    here = SVM().fit(X, y)
    with dask_backend(workers.scheduler_address, lambda: [X]):
        assert not in_this_process()
        there = SVM().fit(X, y)
    assert in_this_process()
    assert there.search_ == here.search_
    np.testing.assert_array_equal(there.held_out_proba_, here.held_out_proba_)
    np.testing.assert_array_equal(there.decision_function(X), here.decision_function(X))


def test_logistic_regression_is_the_same_but_for_rounding(
    data: tuple[np.ndarray, np.ndarray], workers: LocalCluster
) -> None:
    """In this process, all folds are one product of matrices; on a cluster, one product each."""
    X, y = data
    here = LogReg().fit(X, y)
    with dask_backend(workers.scheduler_address, lambda: [X]):
        there = LogReg().fit(X, y)
    assert there.search_.chosen == here.search_.chosen
    assert [point.mean for point in there.search_.points] == [p.mean for p in here.search_.points]
    np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), atol=1e-3)


def test_curves_and_held_out_answers_are_the_same(
    data: tuple[np.ndarray, np.ndarray], workers: LocalCluster
) -> None:
    """All draws and folds come back in order."""
    X, y = data
    model = Centroid().fit(X, y)

    def found() -> tuple[Any, np.ndarray]:
        curve = learning_curve(lambda _: Centroid(), (X, y), (X, y), y, draws=3)
        return curve, hold_out(model, X, y).probabilities

    curve, held_out = found()
    with dask_backend(workers.scheduler_address, lambda: [X]):
        curve_there, held_out_there = found()
    assert curve_there == curve
    np.testing.assert_array_equal(held_out_there, held_out)


@pytest.mark.parametrize("model", [LogReg(C=1.0), Centroid()])
def test_groups_are_held_together_there_too(model: Any, workers: LocalCluster) -> None:
    """The label of a group that is held out cannot be known on a worker either."""
    X, y, groups = near_copies()
    with dask_backend(workers.scheduler_address, lambda: [X]):
        for given, claimed in ((None, True), (groups, False)):
            held_out = hold_out(model.fit(X, y, groups=given), X, y, groups=given)
            correct = model.classes_[held_out.probabilities.argmax(axis=1)] == y
            assert (correct.mean() > 0.9) == claimed
            assert (correct.mean() < 0.65) != claimed
        curve = learning_curve(lambda _: Centroid(), (X, y), (X, y), y, groups=groups, draws=2)
    assert curve == learning_curve(lambda _: Centroid(), (X, y), (X, y), y, groups=groups, draws=2)


def test_scikit_learns_own_trainings_go_there_too(
    data: tuple[np.ndarray, np.ndarray], workers: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the trees of a forest, which scikit-learn trains through joblib."""
    X, y = data
    forest = WrappedClassifier(RandomForestClassifier(20, random_state=0))
    here = forest.fit(X, y).predict_proba(X)
    submitted = counted(monkeypatch, "submit")
    with dask_backend(workers.scheduler_address, lambda: [X]):
        np.testing.assert_array_equal(forest.fit(X, y).predict_proba(X), here)
    assert submitted


def counted(monkeypatch: pytest.MonkeyPatch, method: str) -> list[Any]:
    """Record the first argument of every call of a client's method."""
    calls: list[Any] = []
    real = getattr(distributed.Client, method)

    def noting(self: distributed.Client, first: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(first)
        return real(self, first, *args, **kwargs)

    monkeypatch.setattr(distributed.Client, method, noting)
    return calls


def test_data_are_sent_once(
    data: tuple[np.ndarray, np.ndarray], workers: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers get the features at the start, and the Gram matrix once for both kernels."""
    X, y = data
    sent = counted(monkeypatch, "scatter")
    with dask_backend(workers.scheduler_address, lambda: [X]):
        learning_curve(lambda _: Centroid(), (X, y), (X, y), y)
        hold_out(Centroid().fit(X, y), X, y)
        assert [one[0] is X for one in sent if isinstance(one, list)] == [True]
        assert not any(one is X for one in sent)
        SVM().fit(X, y)
    [(features,), (gram,)] = [one for one in sent if isinstance(one, list)]
    assert features is X
    assert gram.products.shape == (90, 90)


def test_a_worker_that_is_killed_loses_nothing(workers: LocalCluster) -> None:
    """Another worker, which has the data, too, repeats its tasks."""
    array, more = np.ones(100_000), np.full(100_000, 2.0)
    killed = threading.Timer(1.0, kill_one, [workers])
    with dask_backend(workers.scheduler_address, lambda: [array]):
        killed.start()
        assert list(parallel_starmap(total, [(array, i) for i in range(16)])) == [
            100_000.0 + i for i in range(16)
        ]
        found = list(parallel_starmap(total, [(more, i) for i in range(4)], shared=[more]))
    assert found == [200_000.0 + i for i in range(4)]
    killed.join()


def kill_one(workers: LocalCluster) -> None:
    running = (worker.process.pid for worker in workers.workers.values() if worker.process)
    os.kill(next(pid for pid in running if pid), signal.SIGKILL)


@pytest.mark.parametrize("run", [parallel_starmap, map_parts])
def test_a_scheduler_that_is_killed_is_a_clear_error(
    tmp_path: Path, run: Callable[..., Iterator[Any]]
) -> None:
    """It comes at once: no waiting for results that cannot come, and no partial results."""
    slept = 0
    with cluster_of_processes(tmp_path) as (address, scheduler):

        def train() -> None:
            nonlocal slept
            with dask_backend(address, lambda: [np.ones(1000)]):
                for _ in run(time.sleep, [(0.2,)] * 100):
                    slept += 1
                    scheduler.kill()

        with pytest.raises(ClusterError, match=r"lost the scheduler tcp://.*same command"):
            train()
    assert 1 <= slept < 20


def test_what_a_worker_does_not_know_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier of the user's own, for instance, in a module that only this process finds."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "only_here.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path / "mine")
    function = importlib.import_module("only_here").twice
    with (
        cluster_of_processes(tmp_path) as (address, _),
        pytest.raises(ClusterError, match=r"lacks .*install frozen-features"),
        dask_backend(address, list),
    ):
        list(parallel_starmap(function, [(i,) for i in range(10)]))


def test_a_worker_with_other_code_is_refused(
    workers: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the worker and comes before anything is trained."""
    monkeypatch.setattr("extract.cluster.installed.code_digest", lambda _: str(os.getpid()))
    with (
        pytest.raises(ClusterError, match=r"worker tcp://.*another version of frozen-features"),
        dask_backend(workers.scheduler_address, list),
    ):
        pytest.fail("it went on")


@pytest.fixture
def classify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return what runs `classify` on drawn pictures in a folder, and reads its record."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 120, "test": 60})
    shapes.draw_dataset(tmp_path / "pictures")
    np.savez(tmp_path / "vgg16.npz", *construct("vgg16", 32).get_weights())

    def run(out: str, *options: str) -> dict[str, Any]:
        done = run_command(
            "classify", "--data", "pictures", "--size", "32", "--weights", "vgg16.npz",
            "--cache", "cache", "--out", out, *options, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        record: dict[str, Any] = json.loads((tmp_path / out / "run.json").read_text())
        return record

    return run


def test_a_run_on_a_cluster_reports_what_a_run_here_does(
    workers: LocalCluster, classify: Callable[..., dict[str, Any]]
) -> None:
    """Extraction, cross-validation and repeats give the same figures."""
    options = ("--clf", "svm,nearest,dense", "--repeats", "2")
    there = classify("there", *options, "--dask", workers.scheduler_address)
    here = classify("here", *options)
    for one, other in zip(there["results"], here["results"], strict=True):
        for key in ("accuracy", "log_loss", "search"):
            assert one[key] == other[key], (one["classifier"], key)
        assert one["repeats"] == pytest.approx(other["repeats"], abs=0.02)
        assert len(one["repeats"]) == 2
    assert there["bases"][0]["extraction"]["computed"] > 0
    assert here["bases"][0]["extraction"]["computed"] == 0


def test_rows_on_disk_are_trained_on_by_a_cluster(
    workers: LocalCluster,
    classify: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workers read the cache of the command; the figures are those of a run without them."""
    options = ("--clf", "logreg,svm,ridge,lda", "--memory-limit", "1KB")
    here = classify("here", *options)
    sent: list[int] = []
    real = LabelledRows.loaded
    monkeypatch.setattr(LabelledRows, "loaded", lambda rows: sent.append(len(rows)) or real(rows))
    there = classify("there", *options, "--dask", workers.scheduler_address)
    assert not sent
    for one, other in zip(here["results"], there["results"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["log_loss"] == pytest.approx(other["log_loss"], abs=1e-5)


@pytest.mark.slow
def test_ctrl_c_in_a_training_on_a_cluster_says_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal's Ctrl-C reaches all processes: one sentence, and no worker says anything."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 60, "test": 30})
    shapes.draw_dataset(tmp_path / "pictures")
    for path in (tmp_path / "pictures").rglob("*.*"):
        os.utime(path, (1e9, 1e9))  # the cluster would hash files that have just changed again
    np.savez(tmp_path / "vgg16.npz", *construct("vgg16", 32).get_weights())
    arguments = (
        "--data", "pictures", "--size", "32", "--weights", "vgg16.npz", "--cache", "cache",
    )  # fmt: skip
    assert run_command("extract", *arguments, cwd=tmp_path).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "classify", *arguments, "--clf", "svm", "--dask", "local:2"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # A shell that runs the tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    said = iter(process.stderr.readline, "")  # type: ignore[union-attr]  # it is a pipe
    assert any("Dask at local:2: 2 workers" in line for line in said)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=120)
    assert process.returncode == 130, complaints
    assert complaints.strip() == (
        "stopped: no classifier had finished; the embeddings are kept in the cache"
    )
