"""Draw a test split from content: of every image, or of the names of groups of images."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Split = Literal["train", "test"]

_SHOWN = 5


def draw(digest: str, seed: int) -> float:
    """Return a number in [0, 1) that depends only on a SHA-256 and the seed."""
    mixed = hashlib.sha256(f"{seed}:{digest}".encode("ascii")).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def digest_of(group: str) -> str:
    """Return the SHA-256 of the name of a group, as hexadecimal digits."""
    return hashlib.sha256(group.encode("utf-8", "surrogateescape")).hexdigest()


def border(draws: Iterable[float], test_size: float, minimum: Mapping[Split, int]) -> float:
    """Return the draw below which an image of a class is for the test.

    Copies of an image have the same draw and count once. Two images are divided; one is where its
    draw says.

    Parameters
    ----------
    draws : iterable of float
        One for each image of the class.
    test_size : float
        Share of the images in the test split.
    minimum : mapping of {"train", "test"} to int
        Images that each split needs.
    """
    distinct = sorted(set(draws))
    if len(distinct) == 1:
        return test_size
    most = max(minimum["test"], len(distinct) - minimum["train"])
    n_test = min(max(round(test_size * len(distinct)), minimum["test"]), most)
    return distinct[n_test]


@dataclass(frozen=True)
class Unit:
    """Images that are on one side of a split: a group, or an image without one and its copies.

    Parameters
    ----------
    name : str
        For messages.
    draw : float
        The units with the lowest draws are for the test.
    numbers : Counter of str
        Images of each class.
    """

    name: str
    draw: float
    numbers: Counter[str]


def draw_units(
    units: Sequence[Unit], test_size: float, minimum: Mapping[Split, int]
) -> tuple[list[bool], dict[str, str]]:
    """Choose the units for the test, so that every class is on both sides.

    Of each class, the given share of its units is for the test: those with the lowest draws, at
    least one. A unit of several classes stays whole, so the class with the fewest units is served
    first, and units that are placed already count for the others. No unit is taken that would leave
    one of its classes with too few images to train on.

    Parameters
    ----------
    units : sequence of Unit
        Each name once.
    test_size : float
        Share of the units of a class in the test split, between 0 and 1.
    minimum : mapping of {"train", "test"} to int
        Images of a class that each split needs.

    Returns
    -------
    is_test : list of bool, length n_units
    impossible : dict of str to str
        Class -> why it cannot be on both sides; empty if every class is.

    Examples
    --------
    >>> units = [Unit(name, i / 10, Counter({"cat": 2})) for i, name in enumerate("abcde")]
    >>> draw_units(units, 0.4, {"train": 2, "test": 1})
    ([True, True, False, False, False], {})
    """
    of_class: dict[str, list[int]] = {}
    for i in sorted(range(len(units)), key=lambda i: (units[i].draw, units[i].name)):
        for label in units[i].numbers:
            of_class.setdefault(label, []).append(i)
    left: Counter[str] = Counter()
    for unit in units:
        left.update(unit.numbers)
    is_test: dict[int, bool] = {}

    def can_be_spared(i: int) -> bool:
        """Tell whether every class of a unit keeps enough images to train on without it."""
        numbers = units[i].numbers
        return all(left[label] - number >= minimum["train"] for label, number in numbers.items())

    def place(i: int, in_test: bool) -> None:
        is_test[i] = in_test
        if in_test:
            left.subtract(units[i].numbers)

    impossible = {}
    for label in sorted(of_class, key=lambda label: (len(of_class[label]), label)):
        own = of_class[label]
        n_test = min(max(round(test_size * len(own)), 1), len(own) - 1)
        taken = sum(is_test.get(i, False) for i in own)
        for i in own:
            if i not in is_test:
                place(i, taken < n_test and can_be_spared(i))
                taken += is_test[i]
        if not taken:  # the only ones that others have left in training
            spare = next(filter(can_be_spared, own), None)
            if spare is None:
                impossible[label] = _why([units[i] for i in own], label)
            else:
                place(spare, True)
    return [is_test[i] for i in range(len(units))], impossible


def _why(units: Sequence[Unit], label: str) -> str:
    names = ", ".join(repr(unit.name) for unit in units[:_SHOWN])
    more = f" and {len(units) - _SHOWN:,} more" if len(units) > _SHOWN else ""
    images = plural(sum(unit.numbers[label] for unit in units), "image")
    if len(units) == 1:
        return f"{label!r} is in one group only, {names} ({images})"
    return (
        f"{label!r} ({images} in {plural(len(units), 'group')}: {names}{more}), because each of "
        "them leaves too few images of a class to train on"
    )


def cannot_be_divided(why: Mapping[str, str], setting: str | None = None) -> DataError:
    """Return the error for classes whose groups cannot be on both sides of a split.

    Parameters
    ----------
    why : mapping of str to str
        Class -> the reason, which begins with its name.
    setting : str, default=None
        Name of the setting that the groups come from.
    """
    shown = "; ".join(list(why.values())[:_SHOWN])
    more = f"; and {len(why) - _SHOWN:,} more" if len(why) > _SHOWN else ""
    classes = plural(len(why), "class", "classes")
    return DataError(
        f"a group is never on both sides of a split, so {classes} cannot be divided into training "
        f"and test: {shown}{more}; add images of other groups, leave the class out, give a split, "
        "or use other groups or none",
        setting=setting,
    )
