"""The commands as a user runs them: in this process, or in one of their own.

Importing TensorFlow takes seconds, so a test runs a command in its own process, unless the process
itself is what it looks at. `tests/test_commands.py` and `tests/test_readme.py` start every command
as a person does.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
TOO_LONG = 300.0
"""Seconds after which a process is stopped, and its test fails."""


def run_command(module: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Do what ``python -m module arguments`` does in the folder `cwd`, in this process.

    Parameters
    ----------
    module : str
        A package with a `cli`, as ``classify``, or a module, as ``classify.predict``.
    *arguments : str
        What follows on the command line.
    cwd : Path
        The working directory.

    Returns
    -------
    subprocess.CompletedProcess
        The exit status and what the command wrote. An exception that the command does not handle
        is exit status 1 and a traceback on standard error.
    """
    name = module if "." in module else f"{module}.cli"
    main = importlib.import_module(name).main
    with mock.patch.object(sys, "argv", [module, *arguments]):
        return _run(main, ["python", "-m", module, *arguments], cwd)


def run_program(source: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Do what ``python -c source`` does in the folder `cwd`, in this process."""
    program = compile(source, "<program>", "exec")
    return _run(lambda: exec(program, {"__name__": "__main__"}), ["python", "-c", source], cwd)


def _run(
    main: Callable[[], int | None], words: list[str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    out, err = _Written("strict"), _Written("backslashreplace")
    status: Any = 1
    known = set(sys.modules)
    with (
        contextlib.chdir(cwd),
        mock.patch.object(sys, "path", [str(cwd.resolve()), *sys.path]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main() or 0
        except SystemExit as left:
            status = left.code
        except Exception:  # noqa: BLE001 - what Python does when nobody catches it
            traceback.print_exc()
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(cwd.resolve()):
            del sys.modules[name]  # another folder may have a module of that name
    return subprocess.CompletedProcess(words, status, out.text, err.text)


class _Written(io.TextIOWrapper):
    """A stream that refuses what a terminal's encoding cannot say, and keeps the rest."""

    def __init__(self, errors: str) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", errors=errors, write_through=True)

    @property
    def text(self) -> str:
        return self._bytes.getvalue().decode("utf-8")


def python(
    *arguments: str, cwd: Path, timeout: float = TOO_LONG, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with `arguments` in the folder `cwd`, in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
