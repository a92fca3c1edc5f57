"""Charts of training, parameter searches, learning curves and reliability."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reports.charts.svg import (
    MUTED,
    N_COLOURS,
    Chart,
    LegendEntry,
    new_figure,
    plot,
    report_style,
    series_colour,
    style,
    svg,
)
from reports.wording.findings import training_images
from reports.wording.text import figure, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from reports.records import Result, Run, Search, SearchPoint

SEARCHED = {
    "C": "C",
    "k": "neighbours",
    "learning_rate": "learning rate",
    "alpha": "alpha",
    "shrinkage": "shrinkage",
}
"""Parameters that a search can be drawn over, and their names on the axis."""


@report_style()
def training(results: Sequence[Result]) -> list[Chart]:
    """Draw loss and accuracy over the epochs, each with one line per network.

    Validation values are dashed, if a history has them.
    """
    charts = []
    for metric in ("loss", "accuracy"):
        lines: list[tuple[LegendEntry, list[float]]] = []
        for i, result in enumerate(results):
            colour, _ = style(i)
            for name, dash, suffix in ((metric, 0, ""), (f"val_{metric}", 1, ", validation")):
                values = result.history.get(name, [])
                if values:
                    key = LegendEntry(
                        result.title + suffix, f"last {figure(values[-1])}", colour, dash
                    )
                    lines.append((key, values))
        if lines:
            caption = f"{metric.capitalize()} on the training split"
            charts.append(_epochs_chart(f"training-{metric}", caption, metric.capitalize(), lines))
    return charts


@report_style()
def sweeps(results: Sequence[Result]) -> list[Chart]:
    """Draw the validation loss over the epochs for every learning rate, one chart per network."""
    charts = []
    for i, result in enumerate(results):
        lines = [
            (
                LegendEntry(
                    f"learning rate {sweep.learning_rate:g}",
                    f"last {figure(values[-1])}",
                    *style(j),
                ),
                values,
            )
            for j, sweep in enumerate(result.sweep)
            if (values := sweep.history.get("val_loss", []))
        ]
        if lines:
            caption = f"{result.title}: log loss on the validation split"
            charts.append(_epochs_chart(f"sweep-{i}", caption, "Log loss", lines))
    return charts


@report_style()
def search(result: Result, index: int) -> Chart | None:
    """Draw a parameter search: mean and standard deviation over the folds, one line per kernel.

    Returns None if the result has no search over one of the parameters in `SEARCHED`.
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
    canvas, axes = new_figure(
        f"{SEARCHED[searched]} (log scale)", result.search.scoring.capitalize()
    )
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
            color=series_colour(colour),
            alpha=0.14,
            linewidth=0,
        )
        plot(axes, xs, means, colour, dash, marker=True)
        for c, point in points:
            if (c, rest) == (chosen_c, chosen_rest):
                axes.plot(
                    [c], [point.mean], "o", ms=12, mfc="none", mec=series_colour(colour), mew=1.6
                )
        legend.append(LegendEntry(rest or result.title, f"best {figure(max(means))}", colour, dash))
    _ticks_at(axes, sorted({c for points in groups.values() for c, _ in points}))
    description = (
        f"Mean {result.search.scoring} {_validated(result.search)} against {SEARCHED[searched]}: "
        + "; ".join(f"{key.label}: {key.value}" for key in legend)
        + f". The circle marks the point chosen by {result.search.chosen_by}."
    )
    caption = (
        f"{result.title}: {result.search.scoring} {_validated(result.search)}; "
        f"chosen by {result.search.chosen_by}"
    )
    return Chart(caption, svg(canvas, f"search-{index}", caption, description), legend)


@report_style()
def reliability(results: Sequence[Result]) -> Chart | None:
    """Draw accuracy against confidence; calibrated probabilities are on the diagonal.

    Returns None if no result has a reliability diagram.
    """
    shown = [(i, r.title, r.reliability) for i, r in enumerate(results) if r.reliability]
    if not shown:
        return None
    canvas, axes = new_figure("Mean predicted probability", "Share of correct predictions")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    legend = []
    for i, title, diagram in shown:
        colour, dash = style(i)
        plot(axes, diagram.probabilities, diagram.accuracies, colour, dash, marker=True)
        legend.append(LegendEntry(title, f"error {figure(diagram.error)}", colour, dash))
    least = min((p for *_, diagram in shown for p in diagram.probabilities), default=0.5)
    axes.set_xlim(min(0.5, least - 0.02), 1)
    axes.set_ylim(0, 1.02)
    caption = "Confidence and accuracy of the predictions"
    description = "; ".join(f"{key.label}: expected calibration {key.value}" for key in legend)
    return Chart(caption, svg(canvas, "reliability-all", caption, f"{description}."), legend)


@report_style()
def learning(run: Run, results: Sequence[Result]) -> Chart | None:
    """Draw accuracy against training images: mean, minimum and maximum over the draws.

    Returns None if the run has no learning curves.
    """
    ranks = {result.classifier: i for i, result in enumerate(results)}
    titles = {result.classifier: result.title for result in results}
    if not run.learning_curves:
        return None
    per_class = " per class" if run.learning_curves[0].per_class else ""
    canvas, axes = new_figure(
        f"Training images{per_class} (log scale)", "Accuracy on the test split"
    )
    axes.set_xscale("log")
    legend = []
    for curve in run.learning_curves:
        colour, dash = style(ranks.get(curve.classifier, 0))
        xs, means = [float(n) for n in curve.sizes], [fmean(draws) for draws in curve.accuracies]
        lows, highs = ([edge(draws) for draws in curve.accuracies] for edge in (min, max))
        axes.fill_between(xs, lows, highs, color=series_colour(colour), alpha=0.14, linewidth=0)
        plot(axes, xs, means, colour, dash, marker=True)
        title = titles.get(curve.classifier, curve.classifier)
        most = training_images(curve, curve.sizes[-1])
        legend.append(LegendEntry(title, f"{percent(means[-1])} with {most}", colour, dash))
    _ticks_at(axes, sorted({float(n) for curve in run.learning_curves for n in curve.sizes}))
    caption = "Accuracy with fewer training images"
    description = "; ".join(
        f"{key.label}: {percent(fmean(curve.accuracies[0]))} with "
        f"{training_images(curve, curve.sizes[0])}, {key.value}"
        for key, curve in zip(legend, run.learning_curves, strict=True)
    )
    return Chart(caption, svg(canvas, "learning", caption, f"{description}."), legend)


def _epochs_chart(
    name: str, caption: str, axis: str, lines: Sequence[tuple[LegendEntry, list[float]]]
) -> Chart:
    from matplotlib.ticker import MaxNLocator

    canvas, axes = new_figure("Epoch", axis)
    for key, values in lines:
        epochs = [float(epoch) for epoch in range(1, len(values) + 1)]
        plot(axes, epochs, values, key.colour, key.dash, marker=True)
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


def _validated(search: Search) -> str:
    """Say how a search validated its points."""
    if search.method == "hold-out":
        return "on a held-out part of the training split"
    if search.method == "leave-one-out":
        return "by leave-one-out"
    return f"over {search.folds} folds"


def _split(params: dict[str, Any], searched: str) -> tuple[float | None, str]:
    """Return the searched parameter of a grid point and, in words, its other parameters.

    Only the last part of the names in a pipeline (`svc__C`) counts.
    """
    value_searched, kernel, rest = None, None, []
    for name, value in sorted(params.items()):
        short = name.rpartition("__")[2]
        if short == searched and isinstance(value, int | float) and value > 0:
            value_searched = float(value)
        elif short == "kernel":
            kernel = str(value)
        else:
            rest.append(f"{short} {value}")
    return value_searched, ", ".join([f"{kernel} kernel", *rest] if kernel else rest)


def _ticks_at(axes: Axes, values: Sequence[float]) -> None:
    """Put a tick at each of the values, or at some of them if there are many."""
    values = values[:: math.ceil(len(values) / 9)]
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.set_xticks([], minor=True)
