"""What the tests of several packages share, and how several processes divide the tests."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from distributed import LocalCluster

if "PYTEST_XDIST_WORKER" in os.environ:
    # With `-n 2`, each process has one core. NumPy and TensorFlow read this when they are imported.
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ):
        os.environ.setdefault(variable, "1")

collect_ignore_glob = ["portable/*", "reliability/*"]
"""Programs that tests start; collecting doctests must not import them."""

TOGETHER = {
    "tests/pages/": "pages",
    "tests/extract/cluster/": "dask",
    "tests/classify/parallel/": "dask",
}
"""Files, or folders of files, whose tests share a costly session fixture: one process runs them."""

LONGEST_FIRST = (
    "tests/test_readme.py",
    "tests/extract/cluster/",
    "tests/classify/parallel/",
    "tests/classify/estimators/test_conventions.py",
    "tests/pages/",
    "tests/extract/engines/",
    "tests/extract/backbones/",
)
"""What takes longest begins first, so that no process is left with it at the end."""


def group_of(nodeid: str) -> str:
    """Return the name of the group of tests that stay in one process: a file, or several."""
    if nodeid.startswith("tests/test_reliability.py"):  # each test is a script of its own
        return nodeid
    named = (name for prefix, name in TOGETHER.items() if nodeid.startswith(prefix))
    return next(named, nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let `--dist loadfile` keep groups of files together, in the order of collection."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Groups(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take longest first; examples that need TensorFlow are slow, too."""
    for item in items:
        if item.nodeid.startswith(("classify/networks/", "extract/backbones/")):
            item.add_marker("slow")

    def place(item: pytest.Item) -> int:
        places = (i for i, prefix in enumerate(LONGEST_FIRST) if item.nodeid.startswith(prefix))
        return next(places, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the imported modules: looking at them takes 1/20 of the time."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _loggers_of_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a command that ran in this process has done to our loggers."""
    for name in ("cache", "classify", "extract", "reports", "toolkit"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """Let Ctrl-C interrupt, which a shell that runs the tests in the background prevents."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def whole_cluster() -> Iterator[Callable[[], LocalCluster]]:
    """Return what gives a cluster of two workers: the one before, if it still has both."""
    import dask
    from distributed import Client, LocalCluster

    from extract.cluster.connection import SLOW_RESTARTS

    latest: LocalCluster | None = None
    with contextlib.ExitStack() as clusters:
        clusters.enter_context(dask.config.set(SLOW_RESTARTS))

        def give() -> LocalCluster:
            nonlocal latest
            if latest is not None:
                with contextlib.suppress(TimeoutError), Client(latest) as client:
                    client.wait_for_workers(2, timeout=30)
                    return latest
            latest = LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            return clusters.enter_context(latest)

        yield give


@pytest.fixture
def workers(whole_cluster: Callable[[], LocalCluster]) -> LocalCluster:
    """Two Dask workers of one thread each, which a nanny starts again when they are killed."""
    return whole_cluster()


@pytest.fixture
def closed_port() -> int:
    """Find a port of this machine without a server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def no_keras_storage(monkeypatch: pytest.MonkeyPatch, closed_port: int, tmp_path: Path) -> Path:
    """Give Keras an empty folder and an unreachable storage."""
    from extract.backbones import keras_weights

    home = tmp_path / "keras"
    (home / "models").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr(keras_weights, "KERAS_STORAGE", f"http://127.0.0.1:{closed_port}")
    return home
