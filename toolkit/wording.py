"""Small helpers for the wording of messages."""

from __future__ import annotations

import re

_NOUNS = re.compile(r"\b(file|folder|image|link|row|column|page)s\b")


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number with its noun in the singular or the plural.

    Parameters
    ----------
    number : int
        Thousands are separated by commas.
    noun : str
        The singular.
    nouns : str, default=None
        The plural; None appends an "s".

    Examples
    --------
    >>> plural(1, "image"), plural(3000, "image"), plural(2, "class", "classes")
    ('1 image', '3,000 images', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def counted(number: int, nouns: str) -> str:
    """Return a number with what it counts, which is given in the plural.

    Examples
    --------
    >>> counted(2, "empty folders"), counted(1, "empty folders (new)"), counted(1, ".txt files")
    ('2 empty folders', '1 empty folder (new)', '1 .txt file')
    """
    noun = _NOUNS.sub(r"\1", nouns, count=1) if number == 1 else nouns
    return f"{number:,} {noun}"


def printable(text: str) -> str:
    r"""Return `text` with every character that is not printable as a backslash escape.

    Control characters, line breaks, bidirectional marks and the lone surrogates that stand for
    bytes outside UTF-8 (`os.fsdecode`) become visible, so that a name stays on one line, can be
    encoded, and cannot be mistaken for another one.

    >>> print(printable("cat\n\udcff"))
    cat\n\xff
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def set_to(setting: str, value: str) -> str:
    """Return how a setting of the library is given a value, within a sentence.

    Examples
    --------
    >>> set_to("group_by", "folder")
    "set group_by to 'folder'"
    """
    return f"set {setting} to {value!r}"
