"""Connections to a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from importlib import metadata
from typing import TYPE_CHECKING

import dask
import distributed
import pytest

from extract.cluster import connection
from extract.cluster.connection import connect
from extract.errors import ClusterError
from tests.dask_processes import cluster_of_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@contextlib.contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """Listen at a port, and send an answer, or only accept; then close the connection if empty."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    if answer is None:
                        connection.close()
                    else:
                        stack.enter_context(connection).sendall(answer)

        threading.Thread(target=accept, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "does not answer as one"),
        (b"HTTP/1.1 400 Bad Request\r\nConnection: keep-alive\r\n\r\n", "does not answer as one"),
        (None, "closed the connection"),
    ],
)
def test_what_is_no_scheduler_is_one_error(
    answer: bytes | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds, although it accepts the connection: the port of a dashboard, say."""
    monkeypatch.setattr(connection, "_SECONDS_TO_CONNECT", 1)
    started = time.monotonic()
    with listening(answer) as address, pytest.raises(ClusterError, match=words), connect(address):
        pass
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_a_scheduler_without_workers_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that the scheduler is there, and how to start a worker."""
    monkeypatch.setattr(connection, "_SECONDS_TO_CONNECT", 2)
    with cluster_of_processes(tmp_path, worker=False) as (address, _):
        words = f"{address} has no worker.*dask worker {address}"
        with pytest.raises(ClusterError, match=words), connect(address):
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "without",
    [
        "import sys; sys.modules['extract'] = None",
        "import extract.cluster, sys; sys.modules['extract.cluster.installed'] = None",
        "import toolkit.libraries; vars(toolkit.libraries).pop('versions', None)",
    ],
    ids=["no package", "no module", "no function"],
)
def test_a_worker_without_the_package_is_refused(without: str, tmp_path: Path) -> None:
    """It is named; Dask would lose it with its first task, and wait for another one."""
    with cluster_of_processes(tmp_path, preload=without) as (address, _):
        words = r"worker .*: frozen-features is not installed there, or is too old"
        with pytest.raises(ClusterError, match=words), connect(address):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("package", ["pillow", "distributed", ""])
def test_other_versions_on_a_worker_are_mentioned(
    package: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once, in a sentence, and not as a Python warning."""
    caplog.set_level(logging.WARNING, logger="extract")
    version = metadata.version
    with cluster_of_processes(tmp_path) as (address, _), warnings.catch_warnings(action="error"):
        monkeypatch.setattr(
            metadata, "version", lambda name: "0.1" if name == package else version(name)
        )
        with connect(address):
            pass
    if package:
        assert "other versions of libraries on 1 worker, for example on tcp://" in caplog.text
        assert f"{package} {version(package)} instead of 0.1" in caplog.text
        assert caplog.text.count("instead of") == 1
    else:
        assert not caplog.text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_scheduler_with_tls(tmp_path: Path) -> None:
    """With the certificates in Dask's settings; without them, a sentence says so."""
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
         "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
    settings = {
        "distributed.comm.tls.ca-file": certificate,
        "distributed.comm.tls.client.cert": certificate,
        "distributed.comm.tls.client.key": key,
    }
    with cluster_of_processes(tmp_path, tls=tls) as (address, _):
        assert address.startswith("tls://")
        with pytest.raises(ClusterError, match="TLS needs certificates"), connect(address):
            pass
        plain = address.replace("tls", "tcp")
        with pytest.raises(ClusterError, match="or expect tls://"), connect(plain):
            pass
        with dask.config.set(settings), connect(address) as client:
            assert client.submit(sum, [1, 2]).result() == 3


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


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_ctrl_c_ends_the_watch_that_is_just_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that outlived the connection would ask a client that is closed."""
    start = threading.Thread.start

    def start_and_press(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "watch workers":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", start_and_press)
    with pytest.raises(KeyboardInterrupt), connect("local:1"):
        pass
    assert all(thread.name != "watch workers" for thread in threading.enumerate())


def test_workers_on_this_machine_say_nothing_of_finalizers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """They share the terminal, where Ctrl-C leaves one sentence, and end while they compute."""
    with connect("local:1") as client:
        client.run(exec, "class A:\n    def __del__(self):\n        1 / 0\nA()")
    assert "ignored" not in capfd.readouterr().err


@pytest.mark.parametrize(("error", "is_silent"), [(KeyboardInterrupt, True), (ValueError, False)])
def test_what_dask_logs_after_ctrl_c_is_not_shown(
    error: type[BaseException], is_silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that take long to end say so when the command has said its last sentence."""
    monkeypatch.setattr(connection, "_silenced", [])
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger("distributed"), "handlers", [handler])
    with pytest.raises(error), connection._silent_logs(distributed):
        raise error
    assert (handler.level == logging.CRITICAL) is is_silent
