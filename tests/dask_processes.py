"""A Dask cluster of processes, started as a user starts them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed import LocalCluster


@contextlib.contextmanager
def cluster_of_processes(
    folder: Path, port: int = 0, *, preload: str = "", tls: Sequence[str] = (), worker: bool = True
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a scheduler and a worker of two threads; yield the former's address and process.

    The worker runs the code of `preload` first; `tls` are the options of both for TLS.
    """
    dask, known = str(Path(sys.executable).with_name("dask")), folder / "scheduler.json"
    known.unlink(missing_ok=True)
    host = "tls://127.0.0.1" if tls else "127.0.0.1"
    at = ["--scheduler-file", str(known), "--host", host, "--no-dashboard", *tls]
    with contextlib.ExitStack() as stack:
        processes = []
        commands = [["scheduler", "--port", str(port)]]
        if worker:
            first = ["--preload", preload] if preload else []
            commands.append(["worker", "--nthreads", "2", "--no-nanny", *first])
        for command in commands:
            process = subprocess.Popen(
                [dask, *command, *at], cwd=folder,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
            while not (known.exists() and known.read_text()):  # it is empty for a moment
                assert process.poll() is None
                time.sleep(0.05)
        yield json.loads(known.read_text())["address"], processes[0]


def wait_for_a_worker(workers: LocalCluster, but: Sequence[int]) -> int:
    """Return the process id of a worker; a restarting one has none for a while."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ids = {worker.process.pid for worker in workers.workers.values() if worker.process}
        if usable := ids - {None, *but}:
            return int(usable.pop())
        time.sleep(0.02)
    raise AssertionError("no worker was started again within a minute")
