"""Run a command as the whole of a process, which Ctrl-C ends in one sentence."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit import ctrl_c

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

EXIT_INTERRUPTED = 130
_SECONDS_TO_LEAVE = 0.05


def run_process(module: str, **arguments: Any) -> NoReturn:
    """Import a module and call its `main`, and end the process.

    Importing is what takes longest at the start, so it happens here, where Ctrl-C is caught.

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
    sys.unraisablehook = _repeat_ctrl_c
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


def _repeat_ctrl_c(unraisable: UnraisableHookArgs) -> None:
    """Press Ctrl-C again, soon, if Python has lost it in a finalizer, where no error is raised."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(_SECONDS_TO_LEAVE, _press_ctrl_c)
    again.daemon = True
    again.start()


def _press_ctrl_c() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # also takes effect while Python waits
