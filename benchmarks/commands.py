"""The project's commands in processes of their own, with their time and memory."""

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
    """What a command did.

    Parameters
    ----------
    summary : dict
        What it printed with ``--json``.
    seconds : float
        Wall-clock time from its start to its end.
    peak : float
        Peak resident memory in MiB of the command or of one process that it has started, whichever
        is larger. Linux counts the starting process too: this one must stay small.
    """

    summary: dict[str, Any]
    seconds: float
    peak: float


def run(module: str, *arguments: str) -> Done:
    """Run ``python -m module`` with ``--json`` and ``--quiet`` in an empty folder.

    Raises
    ------
    subprocess.CalledProcessError
        If it leaves with another status than 0; its standard error has been shown by then.
    """
    command = [sys.executable, "-m", module, *arguments, "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as cwd, tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=out)
        # Not process.wait(): this is what tells the resources of that process alone.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        return Done(json.loads(out.read()), seconds, usage.ru_maxrss / 2**10)
