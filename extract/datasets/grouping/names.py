"""How names of files are made of the name of a group and what tells its images apart."""

from __future__ import annotations

import re

_SEPARATORS = {"_": "underscore", "-": "hyphen", " ": "space", ".": "dot"}
_IDENTIFIER = re.compile(r"\d|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[a-z][A-Z](?![A-Za-z])")
_DATE = re.compile(r"(?:19|20)\d\d([-_.]?)(?:0\d|1[0-2])\1(?:[0-2]\d|3[01])")
_SYNSET = re.compile(r"n\d{8}")
"""Names of classes of ImageNet."""


def has_identifier(name: str) -> bool:
    """Tell whether a name says which one it is, by a number or a letter, not only what it is.

    Examples
    --------
    >>> has_identifier("patient12"), has_identifier("plantA"), has_identifier("plant_b")
    (True, True, True)
    >>> has_identifier("Abyssinian"), has_identifier("IMG"), has_identifier("n02085620")
    (False, False, False)
    """
    return _IDENTIFIER.search(name) is not None and not _SYNSET.fullmatch(name)


def without_date(name: str) -> str:
    """Return a name without a date, which says when a picture was taken, not what it shows.

    Examples
    --------
    >>> without_date("IMG-20230517"), without_date("2023-05-17 cow 7")
    ('IMG-', ' cow 7')
    """
    return _DATE.sub("", name)


def _up_to_the_last(mark: str) -> str:
    if mark == ".":  # the last one is that of the suffix
        return r"([^/]+)\.[^/.]*\.[^/.]*$"
    return rf"([^/]+){mark}[^/{mark}]*$"


def _up_to(number: int, mark: str) -> str:
    """Return a pattern for the name up to the separator of that number."""
    before = rf"[^/{mark}]+"
    escaped, end = (r"\.", r"[^/]*\.[^/.]*$") if mark == "." else (mark, "[^/]*$")
    repeated = "".join(f"{escaped}{before}" for _ in range(number - 1))
    return rf"(?:^|/)({before}{repeated}){escaped}{end}"


PATTERNS = {
    f"names up to the {which} {word}": re.compile(pattern)
    for mark, word in _SEPARATORS.items()
    for which, pattern in {
        "last": _up_to_the_last(mark),
        "first": _up_to(1, mark),
        "second": _up_to(2, mark),
        "third": _up_to(3, mark),
    }.items()
} | {"names without the last letter": re.compile(r"(?:^|/)([^/]*\d)[A-Za-z]\.[^/.]*$")}
"""What is taken for the name of a group -> the regular expression, to use as it is.

Each has one capture group, and takes time linear in the length of a name.
"""
