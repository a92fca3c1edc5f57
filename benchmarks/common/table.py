"""The table in `docs/benchmarks.md`, made from the figures in `benchmarks/results`.

`python -m benchmarks.common.table` writes it between two comments of that page; `make bench` ends
with it.
"""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ORDER = (
    *("extract", "precision", "resize", "telephone", "results", "lesson", "phases", "csearch"),
    *(
        "classes",
        "forward",
        "pipeline",
        "large",
        "memory",
        "folders",
        "dense",
        "audit",
        "duplicates",
        "review",
        "shortcuts",
        "open_set",
        "evidence",
        "export",
        "finetune",
        "scale",
        "writers",
        "streamed",
        "thousand_classes",
        "training",
        "addresses",
        "serving",
    ),
)
"""The benchmarks in the order in which they run and appear in the table."""


@dataclass(frozen=True)
class Figure:
    """One line of a results file; see `inputs.COLUMNS`."""

    what: str
    median: float
    low: float
    high: float
    rounds: int
    unit: str
    promised: str
    met: str
    machine: str
    date: str


def read(path: Path) -> list[Figure]:
    """Read a results file.

    Parameters
    ----------
    path : Path
        A file that `inputs.publish` has written.

    Returns
    -------
    list of Figure
        One for each line, in the file's order.

    Raises
    ------
    ValueError
        If the file has another format, or a line contradicts its own figures.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if tuple(header) != inputs.COLUMNS:
            raise ValueError(
                f"{path}: expected the columns {','.join(inputs.COLUMNS)}, found {','.join(header)}"
            )
        figures = []
        for cells in reader:
            try:
                figures.append(_figure(cells))
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not figures:
        raise ValueError(f"{path}: the file has no figures")
    return figures


def table(folder: Path) -> str:
    """Return the table in Markdown, below a line with the machines and dates.

    Parameters
    ----------
    folder : Path
        Contains one file for every benchmark that has been run.

    Returns
    -------
    str
        The line and the table; empty if there is no file.

    Raises
    ------
    ValueError
        If a file cannot be parsed, or belongs to no benchmark in `ORDER`.
    """
    files = {path.stem: path for path in folder.glob("*.csv")}
    unknown = sorted(set(files) - set(ORDER))
    if unknown:
        raise ValueError(f"{files[unknown[0]]} belongs to no benchmark; expected one of {ORDER}")
    figures = [figure for name in ORDER if name in files for figure in read(files[name])]
    if not figures:
        return ""
    lines = ["| what | measured (median, range) | promised | met |", "|---|---|---|---|"]
    lines += [_line(figure) for figure in figures]
    return "\n".join([_machines(figures), "", *lines]) + "\n"


def replaced(page: str, text: str, name: str = "benchmarks") -> str:
    """Return the page with `text` between the two comments of this name.

    Raises
    ------
    ValueError
        If the page does not have each comment once, in order.
    """
    begin, end = (f"<!-- {name}: {which} -->" for which in ("begin", "end"))
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if (page.count(begin), rest.count(end), page.count(end)) != (1, 1, 1):
        raise ValueError(f"the page must contain {begin} and, below it, {end}, each once")
    body = f"\n{text}\n" if text else ""
    return f"{before}{begin}\n{body}{end}{after}"


def main() -> None:
    """Rewrite the page."""
    try:
        text = table(inputs.RESULTS)
        if not text:
            raise ValueError(f"{inputs.RESULTS} has no results; run a benchmark first")
        page = replaced(PAGE.read_text(encoding="utf-8"), text)
    except ValueError as error:
        sys.exit(f"error: {error}")
    PAGE.write_text(page, encoding="utf-8")
    print(text, end="")


def _figure(cells: Sequence[str]) -> Figure:
    if len(cells) != len(inputs.COLUMNS):
        raise ValueError(f"expected {len(inputs.COLUMNS)} cells, found {len(cells)}")
    what, median, low, high, rounds, unit, promised, met, machine, day = cells
    figure = Figure(
        what, float(median), float(low), float(high), int(rounds),
        unit, promised, met, machine, date.fromisoformat(day).isoformat(),
    )  # fmt: skip
    if not what or not machine:
        raise ValueError("a line needs the name of the figure and of the machine")
    if not -math.inf < figure.low <= figure.median <= figure.high < math.inf:
        raise ValueError(f"the median {median} is not within the range {low} to {high}")
    if figure.rounds < 1:
        raise ValueError(f"expected a number of rounds, found {rounds}")
    if met != inputs.judge(promised, figure.median):
        raise ValueError(f"the promise {promised!r} is marked {met!r}, but the median is {median}")
    return figure


def _line(figure: Figure) -> str:
    words = {">=": "at least", "<=": "at most"}
    sign, _, bound = figure.promised.partition(" ")
    promised = f"{words[sign]} {bound} {figure.unit}".rstrip() if bound else "-"
    met = {"yes": "yes", "no": "**no**", "": "-"}[figure.met]
    value = inputs.measured(figure.median, figure.low, figure.high, figure.unit)
    return f"| {figure.what} | {value} | {promised} | {met} |"


def _machines(figures: Sequence[Figure]) -> str:
    days: dict[str, set[str]] = {}
    for figure in figures:
        days.setdefault(figure.machine, set()).add(figure.date)
    places = (
        f"{machine}, {' to '.join(sorted({min(dates), max(dates)}))}"
        for machine, dates in days.items()
    )
    return f"Measured on {'; '.join(places)}."


if __name__ == "__main__":
    main()
