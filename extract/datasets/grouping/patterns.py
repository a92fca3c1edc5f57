"""Groups from the paths of images: by a regular expression, or the folder that an image is in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
import warnings
from typing import TYPE_CHECKING

from extract.datasets.split_names import split_of
from extract.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extract.datasets.dataset import Dataset, Item

SECONDS = 30.0
"""A regular expression that takes longer for all paths is refused."""
_PROGRAM = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
pattern, paths = json.load(sys.stdin)
expression = re.compile(pattern)
matches = map(expression.search, paths)
json.dump([match and match[min(1, expression.groups)] or None for match in matches], sys.stdout)
"""


def path_of(dataset: Dataset, item: Item) -> str:
    """Return the path of an image below the folder of the data, with forward slashes."""
    path = dataset.relative(item.path)
    return path.replace("\\", "/") if sys.platform == "win32" else path


def groups_by_pattern(paths: Sequence[str], pattern: str) -> list[str | None]:
    """Return what a regular expression finds in each path: its first capture group, or all of it.

    It is searched for in a process of its own: Python's regular expressions have no limit of time,
    and some take exponential time.

    Parameters
    ----------
    paths : sequence of str, length n_images
    pattern : str

    Returns
    -------
    list of str or None, length n_images
        None where it does not match, or matches nothing.

    Raises
    ------
    DataError
        If it is no regular expression, or takes too long.

    Examples
    --------
    >>> groups_by_pattern(["cats/p1_a.jpg", "cats/p1_b.jpg", "dogs/x.jpg"], "([^/]+)_")
    ['p1', 'p1', None]
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(
            f"{pattern!r} is no regular expression: {error}; an example is '([^/]+)_[^/_]*$', the "
            "name up to the last underscore",
            setting="group_by",
        ) from error
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, with the program above
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, list(paths)]),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{pattern!r} takes more than {SECONDS:.0f} s for {len(paths):,} paths, because it can "
            "match in too many ways; avoid repetitions inside repetitions, as in (a+)+",
            setting="group_by",
        ) from error
    found: list[str | None] = json.loads(done.stdout)
    return found


def folder_below_class(path: str, label: str) -> str | None:
    """Return the innermost folder of an image, with those around it; None if it is that of a class.

    Parameters
    ----------
    path : str
        Below the folder of the data, with forward slashes.
    label : str
        A folder of this name is that of the class.

    Examples
    --------
    >>> folder_below_class("train/cats/tom/1.jpg", "cats")
    'train/cats/tom'
    >>> folder_below_class("train/cats/1.jpg", "cats") is None
    True
    """
    folders = path.split("/")[:-1]
    names = [unicodedata.normalize("NFC", folder) for folder in folders]
    own = [i for i, name in enumerate(names) if name == unicodedata.normalize("NFC", label)]
    below = folders[own[-1] + 1 :] if own else folders
    if not below or split_of(below[-1]):
        return None
    return "/".join(folders)
