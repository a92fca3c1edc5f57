"""Run the project's commands in separate processes, and measure time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """The outcome of a command.

    Parameters
    ----------
    summary : dict
        What the command printed with ``--json``.
    seconds : float
        Wall-clock time from start to end.
    peak : float
        Peak resident memory in MiB of the command or of its largest child process, whichever is
        larger. Linux includes the process that started it, so the benchmark itself must stay small.
    """

    summary: dict[str, Any]
    seconds: float
    peak: float


def run(module: str, *arguments: str) -> Done:
    """Run ``python -m module`` with ``--json`` and ``--quiet`` in an empty folder.

    Raises
    ------
    subprocess.CalledProcessError
        If the exit status is not 0; its standard error has been printed already.
    """
    command = [sys.executable, "-m", module, *arguments, "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as cwd, tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=out)
        # wait4 instead of process.wait(): it reports the resources of this process alone.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        return Done(json.loads(out.read()), seconds, usage.ru_maxrss / 2**10)
