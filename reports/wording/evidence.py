"""Where the evidence for a class lies, in words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from reports.wording.text import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import EvidenceRow

    Span = tuple[float, float]

_FIRST, _MIDDLE, _LAST = (0.0, 0.5), (0.25, 0.75), (0.5, 1.0)
REGIONS = {
    "upper left": (_FIRST, _FIRST),
    "upper right": (_FIRST, _LAST),
    "lower left": (_LAST, _FIRST),
    "lower right": (_LAST, _LAST),
    "centre": (_MIDDLE, _MIDDLE),
}
"""Rows and columns of each, as shares of the image; all have a quarter of its area."""
CONCENTRATED = 0.4
"""With a smaller share in every region, evidence is spread over the image."""
NEGLIGIBLE = 0.01
"""Places that count for a class by a smaller share of all that counts for or against it, or by less
than that on the scale of the score, are no evidence."""


def evidence_sentence(
    shares: Sequence[Sequence[float]], label: str, start: float = 0.0, end: float = 1.0
) -> str:
    """Say where in an image the evidence for a class lies.

    Parameters
    ----------
    shares : sequence of sequence of float
        What each place adds to the score of the class, row by row from the top.
    label : str
        The class.
    start, end : float, default=0.0, 1.0
        Where the places begin and end, as shares of width and height.

    Examples
    --------
    >>> evidence_sentence([[3.0, 1.0], [0.0, -2.0]], "dog")
    '75% of the evidence for dog lies in the upper left'
    >>> evidence_sentence([[1.0, 1.0], [1.0, 1.0]], "dog")
    'the evidence for dog is spread over the image'
    >>> evidence_sentence([[-1.0]], "dog")
    'nothing in the image is evidence for dog'
    >>> evidence_sentence([[-1.0, 1e-7]], "dog")
    'nothing in the image is evidence for dog'
    """
    name, share = densest_region(shares, start, end)
    if not share:
        return f"nothing in the image is evidence for {label}"
    if share < CONCENTRATED:
        return f"the evidence for {label} is spread over the image"
    return f"{percent(share, 0)} of the evidence for {label} lies in the {name}"


def sum_sentence(row: EvidenceRow) -> str:
    """Say how the places of an image add up to the score of a class.

    Examples
    --------
    >>> from reports.records import EvidenceRow
    >>> row = EvidenceRow("svm", "a.jpg", "dog", 1, 0.53, 0.46, False, 0.0, 1.0, [[0.07]])
    >>> sum_sentence(row)
    'the places add up to +0.07; with +0.46 that belongs to no place, the score for dog is +0.53'
    """
    total = sum(map(sum, row.map))
    return (
        f"the places add up to {total:+.2g}; with {row.intercept:+.2g} that belongs to no place, "
        f"the score for {row.label} is {row.score:+.2g}"
    )


def caution_sentence(row: EvidenceRow) -> str:
    """Say that what belongs to no place outweighs the places of an image; empty if it does not.

    Examples
    --------
    >>> from reports.records import EvidenceRow
    >>> row = EvidenceRow("svm", "a.jpg", "dog", 1, 0.8, 2.6, False, 0.0, 1.0, [[-1.8]])
    >>> caution_sentence(row)
    'the places add up to -1.8, but the score for dog is +0.8'
    """
    total = sum(map(sum, row.map))
    if total * row.score >= 0:
        return ""
    return f"the places add up to {total:+.2g}, but the score for {row.label} is {row.score:+.2g}"


def densest_region(
    shares: Sequence[Sequence[float]], start: float = 0.0, end: float = 1.0
) -> tuple[str, float]:
    """Return the region with most of the evidence for a class, and its share of that.

    See `evidence_sentence` for the parameters. The share is 0 if there is none.
    """
    rows, columns = _spans(len(shares), start, end), _spans(len(shares[0]), start, end)
    total = against = 0.0
    of_regions = dict.fromkeys(REGIONS, 0.0)
    for line, row in zip(shares, rows, strict=True):
        for share, column in zip(line, columns, strict=True):
            against -= min(share, 0)
            if share > 0:
                total += share
                for name, (across, along) in REGIONS.items():
                    of_regions[name] += share * _overlap(row, across) * _overlap(column, along)
    name = max(of_regions, key=lambda name: of_regions[name])
    is_evidence = total >= NEGLIGIBLE * max(total + against, 1)
    return name, of_regions[name] / total if is_evidence else 0.0


def _spans(number: int, start: float, end: float) -> list[Span]:
    """Return where each of some places begins and ends; the outer ones reach to the borders."""
    borders = [start + (end - start) * i / number for i in range(number + 1)]
    borders[0], borders[-1] = 0.0, 1.0
    return list(itertools.pairwise(borders))


def _overlap(span: Span, region: Span) -> float:
    """Return which share of a span lies in a region."""
    common = min(span[1], region[1]) - max(span[0], region[0])
    return max(0.0, common) / (span[1] - span[0]) if span[1] > span[0] else 0.0
