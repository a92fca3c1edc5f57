"""Run a command as the whole of a process, which Ctrl-C ends in one sentence."""

from __future__ import annotations

import gc
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

from toolkit import ctrl_c

EXIT_INTERRUPTED = 130


def run_process(module: str, **arguments: Any) -> NoReturn:
    """Import a module and call its `main`, and end the process.

    Importing is what takes longest at the start, so it happens here, where Ctrl-C is expected.

    Parameters
    ----------
    module : str
        Its full name.
    **arguments
        What `main` is called with. It returns the exit status.

    Raises
    ------
    SystemExit
        Always, with that status.
    """
    try:
        status = import_module(module).main(**arguments)
    except BaseException as error:
        if ctrl_c.behind(error) is None:
            raise
        print("stopped", file=sys.stderr)  # noqa: T201 - the console
        status = EXIT_INTERRUPTED
    if callable(signal.getsignal(signal.SIGINT)):
        # Nothing is left to be done, and Python would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Python notes a Ctrl-C within a string that is executed, as dataclasses do, and would end with
    # that signal instead of the status. Executing another one makes it forget.
    exec("")  # noqa: S102 - nothing is executed
    gc.freeze()  # an ending Python looks for garbage among millions of objects, which takes seconds
    raise SystemExit(status)
