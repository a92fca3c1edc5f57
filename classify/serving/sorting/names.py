"""Names of folders and files that every file system takes."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UNDECIDED, REFUSED, UNUSABLE = "undecided", "refused", "unusable"
SPECIAL = (UNDECIDED, REFUSED, UNUSABLE)
"""Folders for images that get no class."""

_LONGEST_FOLDER = 100
_LONGEST_FILE = 255
_LONGEST_SUFFIX = 20
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names that Windows reserves, also with a suffix."""


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """Return the name of the folder of each class: its own name if every file system takes it.

    No two are the same, also where capitals do not count, and none is one of `SPECIAL`.

    Parameters
    ----------
    classes : iterable of str

    Examples
    --------
    >>> folder_names(["cat", "Cat", "a/b", "..", "CON", "refused"])
    {'cat': 'cat', 'Cat': 'Cat (2)', 'a/b': 'a_b', '..': '__', 'CON': '_CON', 'refused': \
'refused (2)'}
    """
    taken = set(map(_key, SPECIAL))
    names = {}
    for label in classes:
        name = plain = safe_name(label)
        number = 1
        while _key(name) in taken:
            number += 1
            name = f"{plain} ({number})"
        taken.add(_key(name))
        names[label] = name
    return names


def safe_name(text: str) -> str:
    r"""Return a text as a name that every file system takes.

    Separators, signs that Windows forbids and what is not printable become underscores; so do dots
    and spaces at either end, because of which a folder would be hidden or lose them.

    Examples
    --------
    >>> safe_name("a\n/b"), safe_name(".hidden"), safe_name("nul.txt"), safe_name("")
    ('a__b', '_hidden', '_nul.txt', '_')
    """
    name = "".join(
        character if character.isprintable() else "_" for character in _FORBIDDEN.sub("_", text)
    )
    name = _cut(name, _LONGEST_FOLDER)
    inner = name.strip(". ")
    start = len(name) - len(name.lstrip(". "))
    name = "_" * start + inner + "_" * (len(name) - start - len(inner))
    return f"_{name}" if not name or _DEVICE.fullmatch(name) else name


def file_name(prefix: str, name: str, number: int = 1) -> str:
    """Return the name of a sorted file.

    Parameters
    ----------
    prefix : str
        What it begins with.
    name : str
        The name before. It is shortened if the result is longer than file systems take.
    number : int, default=1
        From 2 on, it is added, so that equal names differ.

    Examples
    --------
    >>> file_name("0.97 ", "cat.jpg"), file_name("", "cat.jpg", 2)
    ('0.97 cat.jpg', 'cat (2).jpg')
    """
    suffix = PurePath(name).suffix
    if len(suffix) > _LONGEST_SUFFIX:
        suffix = ""
    end = f" ({number}){suffix}" if number > 1 else suffix
    stem = prefix + name.removesuffix(suffix)
    return _cut(stem, _LONGEST_FILE - len(os.fsencode(end))) + end


def _cut(text: str, longest: int) -> str:
    """Return a text without the characters that exceed so many bytes."""
    text = text[:longest]
    while len(os.fsencode(text)) > longest:
        text = text[:-1]
    return text


def _key(name: str) -> str:
    """Return what is equal for names that a file system may take for the same one."""
    return unicodedata.normalize("NFC", name).casefold()
