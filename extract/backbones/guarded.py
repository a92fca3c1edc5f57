"""Let a process of its own read a network first, so that a hostile one ends that process only."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from extract.errors import WeightsError

SECONDS = 600.0
"""Within which a network on this disk must have been read and run once."""

_ROOT = str(Path(__file__).parents[2])
_PROGRAM = (
    "import importlib, sys; n = int(sys.argv[2]); sys.path[:] = sys.argv[3 + n:]; "
    "importlib.import_module(sys.argv[1]).main(sys.argv[3:3 + n])"
)


def describe(
    module: str,
    arguments: list[str],
    source: str,
    *,
    content: bytes = b"",
    seconds: float | None = SECONDS,
) -> dict[str, Any]:
    """Run the `main` of a module in another process; return the JSON object that it prints.

    Parameters
    ----------
    module : str
        Full name of the module.
    arguments : list of str
        What its `main` is called with.
    source : str
        What messages call the network.
    content : bytes, default=b""
        Standard input of the process.
    seconds : float, default=600
        Time limit. None is for downloads, whose messages are shown.

    Raises
    ------
    WeightsError
        If the network cannot be used: the object says so under the key ``refused``, or there is
        none.
    """
    modules = [_ROOT, *(str(Path(folder).resolve()) for folder in sys.path)]
    try:
        # Libraries look for what belongs to a file below the current folder: one that is empty.
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(  # noqa: S603 - this interpreter, with the program above
                [sys.executable, "-c", _PROGRAM, module, str(len(arguments)), *arguments, *modules],
                cwd=empty,
                input=content,
                stdout=subprocess.PIPE,
                stderr=None if seconds is None else subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise WeightsError(
            f"{source} cannot be used: reading and running it once took more than {seconds:.0f} "
            "seconds",
            setting="backbone",
        ) from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise WeightsError(
            f"{source} cannot be used: the process that read and ran it once ended with status "
            f"{done.returncode}, perhaps because it needs more memory than a network of its size "
            "should",
            setting="backbone",
        ) from None
    if "refused" in found:
        raise WeightsError(f"{source} cannot be used: {found['refused']}", setting="backbone")
    return found
