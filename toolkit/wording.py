"""Small helpers for the wording of messages."""

from __future__ import annotations


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
