"""What the report shows of a confusion matrix of many classes: its worst parts, and a search."""

from __future__ import annotations

import base64
import io
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.wording.text import NOTHING, count, percent
from toolkit.statistics import wilson
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from reports.records import ClassScore, Result, Run

SHOWN = 10
"""Number of pairs and of classes in the tables."""
MAP_SIDE = 250
"""Largest number of dots along a side of the heat map."""
_RIGHT, _WRONG = (47, 127, 193), (224, 123, 57)
_FAINTEST = 110


@dataclass(frozen=True)
class ConfusedPair:
    """A true class that is mistaken for another: how often, and as a share of its images."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class; the interval is that of the recall."""

    score: ClassScore
    n_correct: int
    low: float
    high: float
    mistaken_for: list[tuple[str, int]]
    """The classes that its images are predicted as by mistake, the most frequent first."""


@dataclass(frozen=True)
class ManyClasses:
    """The confusion matrix of one classifier."""

    result: Result
    rows: dict[int, ClassRow]
    """The figures of every class that has a score, by its position."""
    n_pairs: int
    """Number of pairs of true and predicted class that are confused at least once."""
    pairs: list[ConfusedPair]
    n_perfect: int
    """Number of classes whose images are all recognised."""
    worst: list[ClassRow]
    heat_map: str
    """A PNG in Base64, with a transparent background."""
    per_dot: int
    """Number of neighbouring classes along a side of each of its dots."""
    description: str


def many_classes(result: Result, classes: Sequence[str]) -> ManyClasses:
    """Return the parts of a confusion matrix that a page has room for.

    The worst classes are sorted by the upper end of the interval of their recall, so that a class
    comes first only if enough images show that it is badly recognised.
    """
    cells = list(result.cells())
    supports = {score.name: score.support for score in result.classes}
    pairs = [
        ConfusedPair(classes[i], classes[j], n, n / max(supports.get(classes[i], n), 1))
        for i, j, n in cells
        if i != j
    ]
    pairs.sort(key=lambda pair: (-pair.count, -pair.share))
    rows = _rows(result, classes)
    tested = [row for row in rows.values() if row.score.support]
    missed = [row for row in tested if row.n_correct < row.score.support]
    image, per_dot = heat_map(cells, len(classes))
    return ManyClasses(
        result,
        rows,
        n_pairs=len(pairs),
        pairs=pairs[:SHOWN],
        n_perfect=len(tested) - len(missed),
        worst=sorted(missed, key=lambda row: (row.high, row.score.recall))[:SHOWN],
        heat_map=image,
        per_dot=per_dot,
        description=_described(result, len(classes), pairs),
    )


def to_json(run: Run, views: Sequence[ManyClasses]) -> dict[str, Any]:
    """Return what the page's script needs to show any class; classes are given by position."""
    data = run.data
    return {
        "classes": [printable(name) for name in data.classes],
        "images": list(zip(data.train_counts, data.test_counts, strict=True)),
        "results": [
            {
                "title": printable(view.result.title),
                "scores": {code: _scores(row) for code, row in view.rows.items()},
                "wrong": [cell for cell in view.result.cells() if cell[0] != cell[1]],
            }
            for view in views
        ],
    }


def _scores(row: ClassRow) -> list[str]:
    precision, recall = percent(row.score.precision), NOTHING
    if row.score.precision_low is not None:
        precision += f" ({percent(row.score.precision_low)} to {percent(row.score.precision_high)})"
    if row.score.support:
        recall = f"{percent(row.score.recall)} ({percent(row.low)} to {percent(row.high)})"
    return [recall, precision]


def _rows(result: Result, classes: Sequence[str]) -> dict[int, ClassRow]:
    codes = {name: code for code, name in enumerate(classes)}
    correct: dict[int, int] = {}
    mistaken: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    for i, j, n in sorted(result.cells(), key=lambda cell: -cell[2]):
        if i == j:
            correct[i] = n
        else:
            mistaken[i].append((classes[j], n))
    rows = {}
    for score in result.classes:
        code = codes[score.name]
        n_correct = correct.get(code, 0)
        rows[code] = ClassRow(score, n_correct, *_recall_interval(score, n_correct), mistaken[code])
    return rows


def _recall_interval(score: ClassScore, n_correct: int) -> tuple[float, float]:
    """Return the interval of the recall, which records of earlier versions do not have."""
    if score.recall_low is not None and score.recall_high is not None:
        return score.recall_low, score.recall_high
    return wilson(n_correct, score.support) if score.support else (0.0, 1.0)


def heat_map(cells: Iterable[tuple[int, int, int]], n_classes: int) -> tuple[str, int]:
    """Draw a confusion matrix with a dot for each cell, or for a square of neighbouring cells.

    Parameters
    ----------
    cells : iterable of (int, int, int)
        True class, predicted class, number.
    n_classes : int

    Returns
    -------
    png : str
        In Base64: correct predictions blue, wrong ones orange, more opaque the larger their share
        of the row.
    per_dot : int
        Number of classes along a side of each dot.
    """
    import numpy as np
    from matplotlib.image import imsave

    per_dot = math.ceil(n_classes / MAP_SIDE)
    side = math.ceil(n_classes / per_dot)
    counts = np.zeros((2, side, side))  # wrong and correct
    for i, j, n in cells:
        counts[int(i == j), i // per_dot, j // per_dot] += n
    shares = counts / np.maximum(counts.sum(axis=(0, 2)), 1)[:, None]
    pixels: NDArray[np.uint8] = np.zeros((side, side, 4), dtype=np.uint8)
    for colour, share in ((_WRONG, shares[0]), (_RIGHT, shares[1])):
        # A dot with more correct than wrong predictions is blue.
        chosen = (share > 0) & (share >= shares.max(axis=0))
        pixels[chosen, :3] = colour
        # The square root makes a single mistake among many images visible.
        opacity = _FAINTEST + (255 - _FAINTEST) * np.sqrt(share[chosen])
        pixels[chosen, 3] = opacity.astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", metadata={"Software": ""})
    return base64.b64encode(buffer.getvalue()).decode("ascii"), per_dot


def _described(result: Result, n_classes: int, pairs: Sequence[ConfusedPair]) -> str:
    text = (
        f"Heat map of the confusion matrix of {count(n_classes)} classes: "
        f"{count(result.n_correct)} of {plural(result.n_test, 'image')} on the diagonal; "
        f"{plural(len(pairs), 'pair of classes is', 'pairs of classes are')} confused"
    )
    if pairs:
        text += f", most often {pairs[0].true} as {pairs[0].predicted} ({count(pairs[0].count)})"
    return printable(text)
