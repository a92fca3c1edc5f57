"""Connections to a cluster."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import dask
import distributed.config  # noqa: F401 - the settings of Dask that a test changes
import pytest

from extract.cluster.connection import connect
from extract.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_workers_that_cannot_start_are_one_error(tmp_path: Path) -> None:
    """As with a full disk for temporary files; the first cause of many errors is named."""
    (tmp_path / "file").touch()
    with (
        dask.config.set({"temporary-directory": str(tmp_path / "file" / "folder")}),
        pytest.raises(ClusterError, match=r"cannot start 1 worker .*Not a directory") as raised,
        connect("local:1"),
    ):
        pass
    assert raised.value.setting == "dask"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_worker_that_is_slow_to_start_again_comes_back() -> None:
    """By default, Dask gives up a lost worker of this machine after 15 seconds."""
    slowly = {"distributed.worker.preload": ["import time; time.sleep(9)"]}  # twice for a worker
    with dask.config.set(slowly), connect("local:2") as client:
        processes = client.run(os.getpid)
        os.kill(min(processes.values()), signal.SIGKILL)
        while len(client.nthreads()) == 2:
            time.sleep(0.1)
        client.wait_for_workers(2, timeout=120)
        assert client.run(os.getpid) != processes
