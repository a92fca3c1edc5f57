"""What the processes that read hostile files need from the system, where it has that.

Windows has neither limits of memory nor timers of computing time, and passes connections on in its
own way.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def inheriting(line: int) -> dict[str, Any]:
    """Return the options of `subprocess.Popen` for a process that inherits a connection.

    Ctrl-C in a terminal does not reach that process.

    Parameters
    ----------
    line : int
        File descriptor of the connection, or its handle on Windows.
    """
    if sys.platform != "win32":
        return {"pass_fds": [line], "process_group": 0}
    os.set_handle_inheritable(line, True)
    return {
        "startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [line]}),
        "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP,
    }


def connect(line: int) -> Connection:
    """Return the connection that this process has inherited."""
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        return PipeConnection(line)
    from multiprocessing.connection import Connection

    return Connection(line)


def limit_memory(n_bytes: int) -> None:
    """Limit what this process may take beyond what it has, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # only Linux has the first, not all the second
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        limit = pages * resource.getpagesize() + n_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def end_after(seconds: float) -> None:
    """Let the system end this process after so much computing; 0 cancels that.

    Where there is no timer of computing time, the time on the clock counts.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    else:
        faulthandler.cancel_dump_traceback_later()


def held_back_errors() -> int:
    """Redirect standard error into a pipe; return its other end, which never blocks.

    Raises
    ------
    ImportError
        If this Python cannot do that.
    """
    if not hasattr(os, "set_blocking"):
        raise ImportError("on Windows, Python 3.12 or later is needed")
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    return reading
