"""Names and numbers as people read them, on a page or in a terminal."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = "-"
_MOST_DIGITS = 7


def count(number: int) -> str:
    """Return a whole number with commas between thousands.

    >>> count(2097922)
    '2,097,922'
    """
    return f"{number:,}"


def span(numbers: Sequence[int]) -> str:
    """Return the smallest and the largest of some whole numbers.

    >>> span([4, 12, 7]), span([5, 5])
    ('4 to 12', '5')
    """
    low, high = min(numbers), max(numbers)
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as a percentage, or a dash if it is unknown.

    >>> percent(0.975), percent(None)
    ('97.5%', '-')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    return f"{share:.{digits}%}"


def inexact_percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage that is 0% or 100% only if the share is.

    >>> inexact_percent(0.975), inexact_percent(0.00001), inexact_percent(0.99999)
    ('97.5%', 'less than 0.1%', 'more than 99.9%')
    """
    shown = percent(share)
    if shown == percent(0.0) and share > 0:
        return f"less than {percent(0.001)}"
    if shown == percent(1.0) and share < 1:
        return f"more than {percent(0.999)}"
    return shown


def percents_apart(first: float, second: float) -> tuple[str, str]:
    """Return two shares in [0, 1] as percentages that differ if the shares do.

    >>> percents_apart(0.9, 0.1), percents_apart(0.50004, 0.49996), percents_apart(1.0, 1.0)
    (('90.0%', '10.0%'), ('50.004%', '49.996%'), ('100.0%', '100.0%'))
    """
    for digits in range(1, _MOST_DIGITS):
        if percent(first, digits) != percent(second, digits):
            return percent(first, digits), percent(second, digits)
    return percent(first), percent(second)


def figure(number: float | None, digits: int = 3) -> str:
    """Return a number with a fixed number of decimals, or a dash if it is unknown.

    >>> figure(0.98765), figure(float("nan"))
    ('0.988', '-')
    """
    if number is None or not math.isfinite(number):
        return NOTHING
    return f"{number:,.{digits}f}"


def duration(seconds: float) -> str:
    """Return a duration with the precision that a reader needs.

    >>> duration(0.0042), duration(12.34), duration(200), duration(7260)
    ('4 ms', '12.3 s', '3 min 20 s', '2 h 1 min')
    """
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.2f} s"
    if seconds < 99.5:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def timestamp(created: str) -> str:
    """Return an ISO 8601 time as date and time of day; any other text is returned unchanged.

    >>> timestamp("2025-03-01T09:05:00+00:00")
    '1 March 2025, 09:05 UTC'
    """
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return created
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def join_names(names: list[str]) -> str:
    """Join names to a list within a sentence.

    >>> join_names(["a", "b", "c"]), join_names(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
