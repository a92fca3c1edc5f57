"""ROC and precision-recall curves for the page: classifiers beside each other, classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.charts.svg import MUTED, Chart, Key, blank, house_style, plot, style, svg
from reports.wording.text import count, figure, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from reports.record import Result, RocCurve

MANY_CLASSES = 8
"""Above so many classes, their curves share one colour and one line of the legend."""
CORNER = 0.95
"""From this area on, a curve runs so near to its corner that it is shown enlarged."""
_GRID = 501
_PER_SEGMENT = 16


@dataclass(frozen=True)
class Line:
    """A curve in the unit square: what it is of, its points, its area."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    area: float


@dataclass(frozen=True)
class _Kind:
    """One of the two families of curves: what it is called, and how it is come by."""

    name: str
    title: str
    xlabel: str
    ylabel: str
    area: str
    corner: str
    line: Callable[[Result, RocCurve], Line]
    mean: Callable[[Sequence[Line]], Line]


@house_style()
def roc(results: Sequence[Result], n_classes: int) -> list[Chart]:
    """Draw the ROC curves: the classifiers beside each other, then the classes of each.

    Parameters
    ----------
    results : sequence of Result
        Those without curves are left out.
    n_classes : int
        With two classes one curve says it all, and there is one chart (and its upper left corner
        enlarged where a curve runs through it). With more, the first chart shows the mean of each
        classifier's one-vs-rest curves (the macro average), and one chart per classifier follows.

    Returns
    -------
    list of Chart
        Empty if no result has a curve.
    """
    return _charts(_ROC, results, n_classes)


@house_style()
def precision_recall(results: Sequence[Result], n_classes: int) -> list[Chart]:
    """Draw the precision-recall curves, in the same charts as the ROC curves.

    They come from the ROC curves and the number of pictures of each class: between two points of a
    ROC curve true and false positives grow together, so that precision does not run straight
    [1]_. The area is that under the curve so interpolated.

    Parameters
    ----------
    results, n_classes
        As for `roc`.

    Returns
    -------
    list of Chart
        Empty if no result has a curve.

    References
    ----------
    .. [1] J. Davis and M. Goadrich, The relationship between precision-recall and ROC curves,
       ICML 2006.
    """
    return _charts(_PRECISION_RECALL, results, n_classes)


def recall_and_precision(curve: RocCurve, support: int, n_test: int) -> Line:
    """Return a precision-recall curve from a ROC curve.

    Parameters
    ----------
    curve : RocCurve
    support : int
        Test pictures of the class that the curve is of.
    n_test : int
        All test pictures.

    Examples
    --------
    A perfect ranking, and one that is no better than chance among four pictures, two of the class:

    >>> from reports.record import RocCurve
    >>> recall_and_precision(RocCurve("cat", [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], 1.0), 2, 4).area
    1.0
    >>> recall_and_precision(RocCurve("cat", [0.0, 1.0], [0.0, 1.0], 0.5), 2, 4).area
    0.5
    """
    import numpy as np

    steps = np.linspace(0, len(curve.fpr) - 1, (len(curve.fpr) - 1) * _PER_SEGMENT + 1)
    corners = np.arange(len(curve.fpr))
    false = np.interp(steps, corners, curve.fpr) * (n_test - support)
    true = np.interp(steps, corners, curve.tpr) * support
    found = true + false > 0
    recall, precision = true[found] / support, true[found] / (true + false)[found]
    recall = np.concatenate([[0.0], recall])
    precision = np.concatenate([precision[:1], precision])
    area = float(np.trapezoid(precision, recall))
    return Line(curve.label, recall.tolist(), precision.tolist(), area)


def _of_roc(_: Result, curve: RocCurve) -> Line:
    return Line(curve.label, curve.fpr, curve.tpr, curve.auc)


def _of_precision_recall(result: Result, curve: RocCurve) -> Line:
    support = next(score.support for score in result.classes if score.name == curve.label)
    return recall_and_precision(curve, support, result.n_test)


def _mean_from_zero(lines: Sequence[Line]) -> Line:
    mean = _mean(lines)
    return Line(mean.label, [0.0, *mean.xs], [0.0, *mean.ys], mean.area)


def _mean(lines: Sequence[Line]) -> Line:
    """Return the mean height of the lines at each place of the horizontal axis."""
    import numpy as np

    grid = np.linspace(0, 1, _GRID)
    mean = np.mean([np.interp(grid, line.xs, line.ys) for line in lines], axis=0)
    area = float(np.mean([line.area for line in lines]))
    return Line("mean over the classes", grid.tolist(), mean.tolist(), area)


_ROC = _Kind(
    "roc",
    "ROC",
    "False positive rate",
    "True positive rate",
    "AUC",
    "left",
    _of_roc,
    _mean_from_zero,
)
_PRECISION_RECALL = _Kind(
    "precision-recall",
    "Precision-recall",
    "Recall",
    "Precision",
    "area",
    "right",
    _of_precision_recall,
    _mean,
)


def _charts(kind: _Kind, results: Sequence[Result], n_classes: int) -> list[Chart]:
    found = {
        i: lines
        for i, result in enumerate(results)
        if (lines := [kind.line(result, curve) for curve in result.roc])
    }
    if not found:
        return []
    two = n_classes <= 2
    series = [
        (results[i].title, *style(i), lines[-1] if two else kind.mean(lines))
        for i, lines in found.items()
    ]
    if two:
        caption = f"{kind.title} curve, “{series[0][-1].label}” found"
    else:
        caption = f"{kind.title} curves, mean over the classes"
    charts = [_chart(kind, f"{kind.name}-all", caption, series)]
    if any(line.area >= CORNER for *_, line in series):
        caption = f"Upper {kind.corner} corner, enlarged"
        charts.append(_chart(kind, f"{kind.name}-corner", caption, series, corner=True))
    if not two:
        charts += [_of_classes(kind, i, results[i].title, lines) for i, lines in found.items()]
    return charts


def _chart(
    kind: _Kind,
    name: str,
    caption: str,
    series: Sequence[tuple[str, int, int, Line]],
    *,
    corner: bool = False,
) -> Chart:
    canvas, axes = _frame(kind, corner=corner)
    legend = []
    for label, colour, dash, line in series:
        plot(axes, line.xs, line.ys, colour, dash)
        legend.append(Key(label, f"{kind.area} {figure(line.area)}", colour, dash))
    return _finished(canvas, name, caption, legend)


def _of_classes(kind: _Kind, index: int, title: str, lines: Sequence[Line]) -> Chart:
    name, caption = f"{kind.name}-{index}", f"{title}: each class against the rest"
    if len(lines) <= MANY_CLASSES:
        series = [(line.label, *style(i), line) for i, line in enumerate(lines)]
        return _chart(kind, name, caption, series)
    canvas, axes = _frame(kind)
    for line in lines:
        plot(axes, line.xs, line.ys, 0, 0, faint=True)
    mean = kind.mean(lines)
    plot(axes, mean.xs, mean.ys, 1, 0)
    areas = [line.area for line in lines]
    span = f"{kind.area} {figure(min(areas))} to {figure(max(areas))}"
    legend = [
        Key(f"each of {count(len(areas))} classes", span, 0, 0),
        Key("mean over the classes", f"{kind.area} {figure(mean.area)}", 1, 0),
    ]
    return _finished(canvas, name, caption, legend)


def _frame(kind: _Kind, *, corner: bool = False) -> tuple[Any, Axes]:
    canvas, axes = blank(kind.xlabel, kind.ylabel)
    if kind is _ROC:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    whole, high = [0, 0.25, 0.5, 0.75, 1], [0.8, 0.85, 0.9, 0.95, 1]
    across = whole if not corner else high if kind.corner == "right" else [v - 0.8 for v in high]
    up = high if corner else whole
    # A little room keeps a curve that runs along the frame from being cut in half.
    room = 0.004 if corner else 0.02
    left, right = (0, room) if kind.corner == "right" else (room, 0)
    axes.set_xlim(across[0] - left, across[-1] + right)
    axes.set_ylim(up[0], up[-1] + room)
    axes.set_xticks(across, [percent(tick, 0) for tick in across])
    axes.set_yticks(up, [percent(tick, 0) for tick in up])
    return canvas, axes


def _finished(canvas: Any, name: str, caption: str, legend: list[Key]) -> Chart:
    description = "; ".join(f"{key.label}: {key.value}" for key in legend) + "."
    return Chart(caption, svg(canvas, name, caption, description), legend)
