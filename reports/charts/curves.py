"""ROC and precision-recall curves: of all classifiers together, and of the classes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.charts.svg import MUTED, Chart, LegendEntry, new_figure, plot, report_style, style, svg
from reports.records import MANY_CLASSES
from reports.wording.text import count, figure, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from reports.records import Result, RocCurve

SEVERAL_CLASSES = 8
"""With more classes, their curves share one colour and one line of the legend."""
CORNER = 0.95
"""From this area on, a curve is so close to its corner that the corner is also shown enlarged."""
_GRID = 501
_PER_SEGMENT = 16


@dataclass(frozen=True)
class Curve:
    """A curve in the unit square: its label, its points, and the area under it."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    area: float


@dataclass(frozen=True)
class _CurveFamily:
    """One of the two families of curves: its names, and how its curves are computed."""

    name: str
    title: str
    xlabel: str
    ylabel: str
    area: str
    corner: str
    line: Callable[[Result, RocCurve], Curve]
    mean: Callable[[Sequence[Curve]], Curve]


@report_style()
def roc(results: Sequence[Result], n_classes: int) -> list[Chart]:
    """Draw the ROC curves of all classifiers together, then those of the classes of each.

    Parameters
    ----------
    results : sequence of Result
        Those without curves are omitted.
    n_classes : int
        With two classes there is one curve per classifier and one chart (and its enlarged corner,
        if a curve runs through it). With more, the first chart shows the mean of each classifier's
        one-vs-rest curves (the macro average), and up to `MANY_CLASSES` classes one chart per
        classifier follows.

    Returns
    -------
    list of Chart
        Empty if no result has a curve.
    """
    return _charts(_ROC, results, n_classes)


@report_style()
def precision_recall(results: Sequence[Result], n_classes: int) -> list[Chart]:
    """Draw the precision-recall curves, in the same charts as the ROC curves.

    They are computed from the ROC curves and the number of images of each class. Between two points
    of a ROC curve, true and false positives grow in proportion, so that precision is not linear
    [1]_. The area is that under the curve interpolated in this way.

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


def recall_and_precision(curve: RocCurve, support: int, n_test: int) -> Curve:
    """Return a precision-recall curve from a ROC curve.

    Parameters
    ----------
    curve : RocCurve
    support : int
        Number of test images of the class.
    n_test : int
        Number of all test images.

    Examples
    --------
    A perfect ranking of four images, two of them of the class, and a random one:

    >>> from reports.records import RocCurve
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
    positive = true + false > 0
    recall, precision = true[positive] / support, true[positive] / (true + false)[positive]
    recall = np.concatenate([[0.0], recall])
    precision = np.concatenate([precision[:1], precision])
    area = float(np.trapezoid(precision, recall))
    return Curve(curve.label, recall.tolist(), precision.tolist(), area)


def _of_roc(_: Result, curve: RocCurve) -> Curve:
    return Curve(curve.label, curve.fpr, curve.tpr, curve.auc)


def _of_precision_recall(result: Result, curve: RocCurve) -> Curve:
    support = next(score.support for score in result.classes if score.name == curve.label)
    return recall_and_precision(curve, support, result.n_test)


def _mean_from_zero(lines: Sequence[Curve]) -> Curve:
    mean = _mean(lines)
    return Curve(mean.label, [0.0, *mean.xs], [0.0, *mean.ys], mean.area)


def _mean(lines: Sequence[Curve]) -> Curve:
    """Return the mean height of the curves at each point of the horizontal axis."""
    import numpy as np

    grid = np.linspace(0, 1, _GRID)
    mean = np.mean([np.interp(grid, line.xs, line.ys) for line in lines], axis=0)
    area = float(np.mean([line.area for line in lines]))
    return Curve("mean over the classes", grid.tolist(), mean.tolist(), area)


_ROC = _CurveFamily(
    "roc",
    "ROC",
    "False positive rate",
    "True positive rate",
    "AUC",
    "left",
    _of_roc,
    _mean_from_zero,
)
_PRECISION_RECALL = _CurveFamily(
    "precision-recall",
    "Precision-recall",
    "Recall",
    "Precision",
    "area",
    "right",
    _of_precision_recall,
    _mean,
)


def _charts(family: _CurveFamily, results: Sequence[Result], n_classes: int) -> list[Chart]:
    curves = {
        i: lines
        for i, result in enumerate(results)
        if (lines := [family.line(result, curve) for curve in result.roc])
    }
    if not curves:
        return []
    two = n_classes <= 2
    series = [
        (results[i].title, *style(i), lines[-1] if two else family.mean(lines))
        for i, lines in curves.items()
    ]
    if two:
        caption = f"{family.title} curve of the class “{series[0][-1].label}”"
    else:
        caption = f"{family.title} curves, mean over the classes"
    charts = [_chart(family, f"{family.name}-all", caption, series)]
    if any(line.area >= CORNER for *_, line in series):
        caption = f"Upper {family.corner} corner, enlarged"
        charts.append(_chart(family, f"{family.name}-corner", caption, series, corner=True))
    if 2 < n_classes <= MANY_CLASSES:
        charts += [_of_classes(family, i, results[i].title, lines) for i, lines in curves.items()]
    return charts


def _chart(
    family: _CurveFamily,
    name: str,
    caption: str,
    series: Sequence[tuple[str, int, int, Curve]],
    *,
    corner: bool = False,
) -> Chart:
    canvas, axes = _frame(family, corner=corner)
    legend = []
    for label, colour, dash, line in series:
        plot(axes, line.xs, line.ys, colour, dash)
        legend.append(LegendEntry(label, f"{family.area} {figure(line.area)}", colour, dash))
    return _finished(canvas, name, caption, legend)


def _of_classes(family: _CurveFamily, index: int, title: str, lines: Sequence[Curve]) -> Chart:
    name, caption = f"{family.name}-{index}", f"{title}: each class against the rest"
    if len(lines) <= SEVERAL_CLASSES:
        series = [(line.label, *style(i), line) for i, line in enumerate(lines)]
        return _chart(family, name, caption, series)
    canvas, axes = _frame(family)
    for line in lines:
        plot(axes, line.xs, line.ys, 0, 0, faint=True)
    mean = family.mean(lines)
    plot(axes, mean.xs, mean.ys, 1, 0)
    areas = [line.area for line in lines]
    span = f"{family.area} {figure(min(areas))} to {figure(max(areas))}"
    legend = [
        LegendEntry(f"each of {count(len(areas))} classes", span, 0, 0),
        LegendEntry("mean over the classes", f"{family.area} {figure(mean.area)}", 1, 0),
    ]
    return _finished(canvas, name, caption, legend)


def _frame(family: _CurveFamily, *, corner: bool = False) -> tuple[Any, Axes]:
    canvas, axes = new_figure(family.xlabel, family.ylabel)
    if family is _ROC:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    whole, high = [0, 0.25, 0.5, 0.75, 1], [0.8, 0.85, 0.9, 0.95, 1]
    across = whole if not corner else high if family.corner == "right" else [v - 0.8 for v in high]
    up = high if corner else whole
    # A margin, so that a curve along the frame is not cut in half.
    room = 0.004 if corner else 0.02
    left, right = (0, room) if family.corner == "right" else (room, 0)
    axes.set_xlim(across[0] - left, across[-1] + right)
    axes.set_ylim(up[0], up[-1] + room)
    axes.set_xticks(across, [percent(tick, 0) for tick in across])
    axes.set_yticks(up, [percent(tick, 0) for tick in up])
    return canvas, axes


def _finished(canvas: Any, name: str, caption: str, legend: list[LegendEntry]) -> Chart:
    description = "; ".join(f"{key.label}: {key.value}" for key in legend) + "."
    return Chart(caption, svg(canvas, name, caption, description), legend)
