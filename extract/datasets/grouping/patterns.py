"""Groups from the paths of images: by a regular expression, or the folders below a class."""

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


def folders_below_class(path: str, label: str) -> list[str]:
    """Return the folders of an image below that of its class, the outermost first.

    Each is with those around it. Folders of splits are left out.

    Parameters
    ----------
    path : str
        Below the folder of the data, with forward slashes.
    label : str
        A folder of this name is that of the class; if there is none, all folders count.

    Examples
    --------
    >>> folders_below_class("train/cats/tom/may/1.jpg", "cats")
    ['train/cats/tom', 'train/cats/tom/may']
    >>> folders_below_class("train/cats/1.jpg", "cats")
    []
    """
    folders = path.split("/")[:-1]
    names = [unicodedata.normalize("NFC", folder) for folder in folders]
    own = [i for i, name in enumerate(names) if name == unicodedata.normalize("NFC", label)]
    first = own[-1] + 1 if own else 0
    return [
        "/".join(folders[: i + 1]) for i in range(first, len(folders)) if not split_of(folders[i])
    ]


def first_level(folders: Sequence[Sequence[str]], labels: Sequence[str]) -> int:
    """Return the level, from 0 on, at which a class first has several folders; 0 if none has.

    Parameters
    ----------
    folders : sequence of sequence of str, length n_images
        From `folders_below_class`.
    labels : sequence of str, length n_images

    Examples
    --------
    >>> first_level([["cats/tom", "cats/tom/may"], ["cats/kit", "cats/kit/may"]], ["cats"] * 2)
    0
    >>> first_level([["cats/all", "cats/all/tom"], ["cats/all", "cats/all/kit"]], ["cats"] * 2)
    1
    """
    for level in range(max(map(len, folders), default=0)):
        pairs = {
            (label, below[level])
            for below, label in zip(folders, labels, strict=True)
            if len(below) > level
        }
        if len(pairs) > len({label for label, _ in pairs}):
            return level
    return 0
