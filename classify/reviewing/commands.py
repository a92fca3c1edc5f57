"""What to type so that a run is made again with corrected labels."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def corrected_command(command: Sequence[str], data: str, corrections: Path) -> str:
    """Return the command of a run with the labels of one more file, into a new folder.

    Parameters
    ----------
    command : sequence of str
        What the user typed; a single text is a call of `classify.compare`.
    data : str
        Name of the data set.
    corrections : Path

    Returns
    -------
    str
        Quoted for a shell, or Python.

    Examples
    --------
    >>> from pathlib import Path
    >>> typed = [*"python -m classify".split(), "--data", "my cats", "--out=first"]
    >>> corrected_command(typed, "my cats", Path("first/corrections.csv"))
    "python -m classify --data 'my cats' --labels first/corrections.csv"
    """
    if len(command) < 2:
        return f"compare(load_dataset({data!r}, labels={str(corrections)!r}), ...)"
    kept: list[str] = []
    words = iter(command)
    for word in words:
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out=") and word not in ("--quiet", "--json"):
            kept.append(word)
    return shlex.join([*kept, "--labels", str(corrections)])
