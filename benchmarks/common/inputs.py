"""The data that benchmarks run on, and how they publish their figures.

`DOGS_VS_CATS_DIR` names a folder with the lesson's four zip files, `VGG16_WEIGHTS_FILE` a file of
VGG16 weights. Without them, a benchmark uses the drawn shapes and `--weights auto`, and says so.
"""

from __future__ import annotations

import csv
import math
import os
import re
import statistics
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from classify.environment import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).parents[1] / "results"
COLUMNS = ("what", "median", "low", "high", "rounds", "unit", "promised", "met", "machine", "date")

_PROMISE = re.compile(r"(>=|<=) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Row:
    """One figure of a benchmark.

    Parameters
    ----------
    what : str
        Name of the figure; for a ratio, what is divided by what.
    values : sequence of float
        One value per round. The median is compared with the promise.
    unit : str, default=""
        Unit of the values; empty for a ratio.
    promised : str, default=""
        ``>= NUMBER`` or ``<= NUMBER`` in the same unit; empty if nothing was promised.
    """

    what: str
    values: Sequence[float]
    unit: str = ""
    promised: str = ""


def publish(name: str, rows: Sequence[Row]) -> None:
    """Print the figures of a benchmark, and write them into `RESULTS`.

    Parameters
    ----------
    name : str
        The benchmark's module, and its file without ``.csv``.
    rows : sequence of Row
        The figures, in the order in which the table shows them.

    Raises
    ------
    ValueError
        If a row has no value or one that is not finite, or if its promise cannot be parsed.
    """
    computer = machine()
    where = f"{computer['processor']}, {computer['cores']} cores"
    lines = [{**_judged(row), "machine": where, "date": f"{datetime.now(UTC):%F}"} for row in rows]
    for line in lines:
        print(_summary(line), flush=True)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def judge(promised: str, value: float) -> str:
    """Return whether a promise is met.

    Parameters
    ----------
    promised : str
        As in `Row`.
    value : float

    Returns
    -------
    str
        ``yes``, ``no``, or an empty string if nothing was promised.

    Raises
    ------
    ValueError
        If the promise has another form.

    Examples
    --------
    >>> judge(">= 1.05", 1.05), judge("<= 180", 181.0), judge("", 3.0)
    ('yes', 'no', '')
    """
    if not promised:
        return ""
    match = _PROMISE.fullmatch(promised)
    if match is None:
        raise ValueError(f"a promise is '>= NUMBER' or '<= NUMBER', not {promised!r}")
    sign, bound = match[1], float(match[2])
    return "yes" if (value >= bound if sign == ">=" else value <= bound) else "no"


def measured(median: float, low: float, high: float, unit: str) -> str:
    """Format a median and its range, or a single value, to three significant digits.

    Examples
    --------
    >>> measured(1.0512, 0.998, 1.1, "")
    '1.05 (0.998 to 1.10)'
    >>> measured(25000.0, 25000.0, 25000.0, "images")
    '25,000 images'
    """
    span = "" if low == high else f" ({_digits(low)} to {_digits(high)})"
    return f"{_digits(median)}{unit and ' '}{unit}{span}"


def _judged(row: Row) -> dict[str, str]:
    """Return a row's line of the file without machine and date."""
    if not row.values or not all(map(math.isfinite, row.values)):
        raise ValueError(f"{row.what!r} needs at least one value, all finite; got {row.values}")
    # Judge the rounded figures: a reader can check only the digits that are in the file.
    figures = (statistics.median(row.values), min(row.values), max(row.values))
    median, low, high = (f"{value:.6g}" for value in figures)
    return {
        "what": row.what,
        "median": median,
        "low": low,
        "high": high,
        "rounds": str(len(row.values)),
        "unit": row.unit,
        "promised": row.promised,
        "met": judge(row.promised, float(median)),
    }


def _summary(line: dict[str, str]) -> str:
    median, low, high = (float(line[column]) for column in ("median", "low", "high"))
    text = f"{line['what']}: {measured(median, low, high, line['unit'])}"
    if int(line["rounds"]) > 1:
        text += f", {line['rounds']} rounds"
    if line["promised"]:
        outcome = "met" if line["met"] == "yes" else "NOT MET"
        text += f"; promised {line['promised']}: {outcome}"
    return text


def _digits(value: float) -> str:
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(0, decimals)}f}"


def photographs(folder: Path) -> str:
    """Unpack the lesson's photographs into `folder`; return the value of `--data`."""
    zips = os.environ.get("DOGS_VS_CATS_DIR")
    if not zips:
        print("DOGS_VS_CATS_DIR is not set: measuring on the drawn shapes", file=sys.stderr)
        return "shapes"
    data = folder / "dogs-vs-cats"
    for archive in sorted(Path(zips).glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(data)
    return str(data)


def weights() -> str:
    """Return the value of `--weights`."""
    return os.environ.get("VGG16_WEIGHTS_FILE", "auto")
