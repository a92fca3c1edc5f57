"""Curves as inline SVG for the page, drawn by matplotlib's object interface.

Names never enter matplotlib: the page writes the legends in HTML, where they wrap and are escaped.
Colours are stand-ins that become the page's CSS variables, so that one drawing serves light and
dark. The same record gives the same text, byte for byte.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reports.svg import MUTED, N_COLOURS, blank, house_style, ink, svg
from reports.text import count, figure, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from reports.record import Result, RocCurve, Run, Search, SearchPoint

DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 2.5), (8, 3, 2, 3))
MANY_CLASSES = 8
"""Above so many classes, their ROC curves share one colour and one line of the legend."""
MANY_FOLDS = 20
"""With more of them, each image is a fold of its own."""
SEARCHED = {"C": "C", "k": "neighbours", "learning_rate": "learning rate"}
"""Parameters that a search may be drawn over, and what the axis calls them."""


@dataclass(frozen=True)
class Key:
    """One line of a legend: its colour is `--series-COLOUR`, its dashes `DASHES[dash]`."""

    label: str
    value: str
    colour: int
    dash: int

    @property
    def dasharray(self) -> str:
        """The dashes as an SVG attribute."""
        return " ".join(map(str, DASHES[self.dash]))


@dataclass(frozen=True)
class Chart:
    """An `<svg>` element, the caption above it and the legend below it."""

    caption: str
    svg: str
    legend: list[Key]


def style(index: int) -> tuple[int, int]:
    """Return colour and dash of the series `index`: pairs repeat after 32 series."""
    return index % N_COLOURS, (index + index // N_COLOURS) % len(DASHES)


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
    series = [(i, result) for i, result in enumerate(results) if result.roc]
    if not series:
        return []
    if n_classes <= 2:
        lines = [
            (Key(result.title, f"AUC {figure(result.roc[-1].auc)}", *style(i)), result.roc[-1])
            for i, result in series
        ]
        charts = [_roc_chart("roc-all", f"ROC curve, “{series[0][1].roc[-1].label}” found", lines)]
    else:
        lines = [
            (Key(result.title, f"AUC {figure(result.roc_auc)}", *style(i)), _macro(result.roc))
            for i, result in series
        ]
        charts = [_roc_chart("roc-all", "ROC curves, mean over the classes", lines)]
    if any(curve.auc >= 0.95 for _, curve in lines):
        charts.append(_roc_chart("roc-corner", "Upper left corner, enlarged", lines, corner=True))
    if n_classes > 2:
        charts += [_roc_of_classes(f"roc-{i}", result) for i, result in series]
    return charts


@house_style()
def training(results: Sequence[Result]) -> list[Chart]:
    """Draw loss and accuracy over the epochs, each with one line per network.

    Validation values, where a history has them, are dashed.
    """
    charts = []
    for metric in ("loss", "accuracy"):
        lines: list[tuple[Key, list[float]]] = []
        for i, result in enumerate(results):
            colour, _ = style(i)
            for name, dash, suffix in ((metric, 0, ""), (f"val_{metric}", 1, ", validation")):
                values = result.history.get(name, [])
                if values:
                    key = Key(result.title + suffix, f"last {figure(values[-1])}", colour, dash)
                    lines.append((key, values))
        if lines:
            caption = f"{metric.capitalize()} on the training split"
            charts.append(_epochs_chart(f"training-{metric}", caption, metric.capitalize(), lines))
    return charts


@house_style()
def sweeps(results: Sequence[Result]) -> list[Chart]:
    """Draw the log loss over the epochs for every learning rate that was tried, for each network.

    It is that of the part which was not trained on.
    """
    charts = []
    for i, result in enumerate(results):
        lines = [
            (Key(f"learning rate {sweep.learning_rate:g}", f"last {figure(values[-1])}", *style(j)),
             values)
            for j, sweep in enumerate(result.sweep)
            if (values := sweep.history.get("val_loss", []))
        ]  # fmt: skip
        if lines:
            caption = f"{result.title}: log loss on a validation part"
            charts.append(_epochs_chart(f"sweep-{i}", caption, "Log loss", lines))
    return charts


@house_style()
def search(result: Result, index: int) -> Chart | None:
    """Draw a search: mean and standard deviation over the folds, a line per kernel.

    Returns None if the result has no search, or it was not over one of `SEARCHED`.
    """
    if result.search is None:
        return None
    searched = next((name for name in SEARCHED if _split(result.search.chosen, name)[0]), "C")
    groups: dict[str, list[tuple[float, SearchPoint]]] = {}
    for point in result.search.points:
        c, rest = _split(point.params, searched)
        if c is not None and math.isfinite(point.mean):
            groups.setdefault(rest, []).append((c, point))
    if not groups:
        return None
    chosen_c, chosen_rest = _split(result.search.chosen, searched)
    canvas, axes = blank(f"{SEARCHED[searched]} (log scale)", result.search.scoring.capitalize())
    axes.set_xscale("log")
    legend = []
    for i, (rest, points) in enumerate(sorted(groups.items())):
        points.sort(key=lambda item: item[0])
        colour, dash = style(i) if len(groups) > 1 else (index % N_COLOURS, 0)
        means = [point.mean for _, point in points]
        stds = [point.std if math.isfinite(point.std) else 0.0 for _, point in points]
        xs = [c for c, _ in points]
        axes.fill_between(
            xs,
            [m - s for m, s in zip(means, stds, strict=True)],
            [min(m + s, 1.0) for m, s in zip(means, stds, strict=True)],
            color=ink(colour),
            alpha=0.14,
            linewidth=0,
        )
        _plot(axes, xs, means, colour, dash, marker=True)
        for c, point in points:
            if (c, rest) == (chosen_c, chosen_rest):
                axes.plot([c], [point.mean], "o", ms=12, mfc="none", mec=ink(colour), mew=1.6)
        legend.append(Key(rest or result.title, f"best {figure(max(means))}", colour, dash))
    _ticks_at(axes, sorted({c for points in groups.values() for c, _ in points}))
    description = (
        f"Mean {result.search.scoring} {_judged(result.search)} against {SEARCHED[searched]}: "
        + "; ".join(f"{key.label}: {key.value}" for key in legend)
        + f". The circle is the point chosen, by {result.search.chosen_by}."
    )
    caption = (
        f"{result.title}: {result.search.scoring} {_judged(result.search)}; "
        f"chosen by {result.search.chosen_by}"
    )
    return Chart(caption, svg(canvas, f"search-{index}", caption, description), legend)


@house_style()
def reliability(results: Sequence[Result]) -> Chart | None:
    """Draw how often answers are right against how sure they are; the diagonal is as it should be.

    Returns None if no result knows it.
    """
    shown = [(i, r.title, r.reliability) for i, r in enumerate(results) if r.reliability]
    if not shown:
        return None
    canvas, axes = blank("Mean probability of the answers", "Share of them that are right")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    legend = []
    for i, title, found in shown:
        colour, dash = style(i)
        _plot(axes, found.probabilities, found.accuracies, colour, dash, marker=True)
        legend.append(Key(title, f"error {figure(found.error)}", colour, dash))
    least = min((p for *_, found in shown for p in found.probabilities), default=0.5)
    axes.set_xlim(min(0.5, least - 0.02), 1)
    axes.set_ylim(0, 1.02)
    caption = "How sure the answers are, and how often they are right"
    description = "; ".join(f"{key.label}: expected calibration {key.value}" for key in legend)
    return Chart(caption, svg(canvas, "reliability", caption, f"{description}."), legend)


@house_style()
def learning(run: Run, results: Sequence[Result]) -> Chart | None:
    """Draw accuracy against training images per class: the mean, and from least to best draw.

    Returns None if there is no curve.
    """
    ranks = {result.classifier: i for i, result in enumerate(results)}
    titles = {result.classifier: result.title for result in results}
    if not run.learning_curves:
        return None
    canvas, axes = blank("Training images per class (log scale)", "Accuracy on the test split")
    axes.set_xscale("log")
    legend = []
    for curve in run.learning_curves:
        colour, dash = style(ranks.get(curve.classifier, 0))
        xs, means = [float(n) for n in curve.sizes], [fmean(found) for found in curve.accuracies]
        lows, highs = ([edge(found) for found in curve.accuracies] for edge in (min, max))
        axes.fill_between(xs, lows, highs, color=ink(colour), alpha=0.14, linewidth=0)
        _plot(axes, xs, means, colour, dash, marker=True)
        title = titles.get(curve.classifier, curve.classifier)
        legend.append(Key(title, f"{percent(means[-1])} with all", colour, dash))
    _ticks_at(axes, sorted({float(n) for curve in run.learning_curves for n in curve.sizes}))
    caption = "Accuracy with fewer training images"
    description = "; ".join(
        f"{key.label}: {percent(fmean(curve.accuracies[0]))} with {count(curve.sizes[0])} per class"
        f", {key.value}"
        for key, curve in zip(legend, run.learning_curves, strict=True)
    )
    return Chart(caption, svg(canvas, "learning", caption, f"{description}."), legend)


def _roc_chart(
    name: str, caption: str, lines: Sequence[tuple[Key, RocCurve]], corner: bool = False
) -> Chart:
    canvas, axes = blank("False positive rate", "True positive rate")
    _roc_frame(axes, corner)
    for key, curve in lines:
        _plot(axes, curve.fpr, curve.tpr, key.colour, key.dash)
    legend = [key for key, _ in lines]
    description = "; ".join(f"{key.label}: {key.value}" for key in legend) + "."
    return Chart(caption, svg(canvas, name, caption, description), legend)


def _roc_of_classes(name: str, result: Result) -> Chart:
    canvas, axes = blank("False positive rate", "True positive rate")
    _roc_frame(axes)
    many = len(result.roc) > MANY_CLASSES
    legend = []
    for i, curve in enumerate(result.roc):
        colour, dash = (0, 0) if many else style(i)
        _plot(axes, curve.fpr, curve.tpr, colour, dash, faint=many)
        if not many:
            legend.append(Key(curve.label, f"AUC {figure(curve.auc)}", colour, dash))
    if many:
        areas = [curve.auc for curve in result.roc]
        span = f"AUC {figure(min(areas))} to {figure(max(areas))}"
        legend.append(Key(f"each of {count(len(areas))} classes", span, 0, 0))
        mean = _macro(result.roc)
        _plot(axes, mean.fpr, mean.tpr, 1, 0)
        legend.append(Key("mean over the classes", f"AUC {figure(result.roc_auc)}", 1, 0))
    description = "; ".join(f"{key.label}: {key.value}" for key in legend) + "."
    caption = f"{result.title}: each class against the rest"
    return Chart(caption, svg(canvas, name, caption, description), legend)


def _roc_frame(axes: Axes, corner: bool = False) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, dashes=(3, 3))
    # A little room keeps a curve that runs along the frame from being cut in half.
    axes.set_xlim(*((-0.004, 0.2) if corner else (-0.02, 1.0)))
    axes.set_ylim(*((0.8, 1.004) if corner else (0.0, 1.02)))
    ticks = [0, 0.05, 0.1, 0.15, 0.2] if corner else [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [percent(tick, 0) for tick in ticks])
    ticks = [tick + 0.8 for tick in ticks] if corner else ticks
    axes.set_yticks(ticks, [percent(tick, 0) for tick in ticks])


def _macro(curves: Sequence[RocCurve]) -> RocCurve:
    """Return the mean of the curves' true positive rates at each false positive rate."""
    import numpy as np

    from reports.record import RocCurve

    grid = np.linspace(0, 1, 501)
    heights = [np.interp(grid, curve.fpr, curve.tpr) for curve in curves if curve.fpr]
    mean = np.mean(heights, axis=0) if heights else grid
    return RocCurve(
        label="mean over the classes",
        fpr=[0.0, *map(float, grid)],
        tpr=[0.0, *map(float, mean)],
        auc=float(np.mean([curve.auc for curve in curves])),
    )


def _epochs_chart(
    name: str, caption: str, axis: str, lines: Sequence[tuple[Key, list[float]]]
) -> Chart:
    from matplotlib.ticker import MaxNLocator

    canvas, axes = blank("Epoch", axis)
    for key, values in lines:
        epochs = [float(epoch) for epoch in range(1, len(values) + 1)]
        _plot(axes, epochs, values, key.colour, key.dash, marker=True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axis != "Accuracy":
        axes.set_ylim(bottom=0)
    legend = [key for key, _ in lines]
    description = "; ".join(
        f"{key.label}: {figure(values[0])} after epoch 1, {figure(values[-1])} after epoch "
        f"{len(values)}"
        for key, values in lines
    )
    return Chart(caption, svg(canvas, name, caption, f"{description}."), legend)


def _judged(search: Search) -> str:
    """Say by what a search has judged its points."""
    if search.folds == 1:
        return "on a validation part"
    if search.folds > MANY_FOLDS:
        return "of images that are each left out in turn"
    return f"over {search.folds} folds"


def _split(params: dict[str, Any], searched: str) -> tuple[float | None, str]:
    """Return a parameter and, in words, the others of one point of a grid.

    A pipeline's names (`svc__C`) count by their last part.
    """
    found, kernel, rest = None, None, []
    for name, value in sorted(params.items()):
        short = name.rpartition("__")[2]
        if short == searched and isinstance(value, int | float) and value > 0:
            found = float(value)
        elif short == "kernel":
            kernel = str(value)
        else:
            rest.append(f"{short} {value}")
    return found, ", ".join([f"{kernel} kernel", *rest] if kernel else rest)


def _plot(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    colour: int,
    dash: int,
    *,
    marker: bool = False,
    faint: bool = False,
) -> None:
    (line,) = axes.plot(
        xs,
        ys,
        color=ink(colour),
        linewidth=1 if faint else 2,
        alpha=0.4 if faint else 1,
        marker="o" if marker else None,
        markersize=4,
        solid_capstyle="round",
        solid_joinstyle="round",
    )
    if DASHES[dash]:
        line.set_dashes(DASHES[dash])


def _ticks_at(axes: Axes, values: Sequence[float]) -> None:
    """Put a tick at each of the values that were tried, or at a few of very many."""
    values = values[:: math.ceil(len(values) / 9)]
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.set_xticks([], minor=True)
