"""What the benchmarks run on, and how they tell their figures.

`DOGS_VS_CATS_DIR` names a folder with the lesson's four zip files and `VGG16_WEIGHTS_FILE` a file
of VGG16 weights. Without them the drawn shapes and `--weights auto` are used, and it is said so.
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

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("what", "median", "low", "high", "rounds", "unit", "promised", "met", "machine", "date")

_PROMISE = re.compile(r"(>=|<=) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Row:
    """One figure of a benchmark.

    Parameters
    ----------
    what : str
        Names the figure; for a ratio, what is divided by what.
    values : sequence of float
        One of every round. The median is what is judged.
    unit : str
        Follows the number; none for a ratio.
    promised : str
        ``>= NUMBER`` or ``<= NUMBER`` in the same unit; none if nothing was.
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
        In the order in which they are shown.

    Raises
    ------
    ValueError
        If a row has no value, or one that is no finite number, or its promise cannot be read.
    """
    found = machine()
    where = f"{found['processor']}, {found['cores']} cores"
    lines = [{**_judged(row), "machine": where, "date": f"{datetime.now(UTC):%F}"} for row in rows]
    for line in lines:
        print(_told(line), flush=True)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def judge(promised: str, value: float) -> str:
    """Tell whether a promise is met.

    Parameters
    ----------
    promised : str
        As in `Row`.
    value : float

    Returns
    -------
    str
        ``yes``, ``no``, or nothing if nothing was promised.

    Raises
    ------
    ValueError
        If the promise is something else.

    Examples
    --------
    >>> judge(">= 1.05", 1.05), judge("<= 180", 181.0), judge("", 3.0)
    ('yes', 'no', '')
    """
    if not promised:
        return ""
    found = _PROMISE.fullmatch(promised)
    if found is None:
        raise ValueError(f"a promise is '>= NUMBER' or '<= NUMBER', not {promised!r}")
    sign, bound = found[1], float(found[2])
    return "yes" if (value >= bound if sign == ">=" else value <= bound) else "no"


def measured(median: float, low: float, high: float, unit: str) -> str:
    """Write a median with its range, or a single value, to three significant digits.

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
    """Return a row's line of the file, but for its last two columns."""
    if not row.values or not all(map(math.isfinite, row.values)):
        raise ValueError(f"{row.what!r} has no figures, or not all are numbers: {row.values}")
    # What is judged is what is written: nobody can check more digits than there are in the file.
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


def _told(line: dict[str, str]) -> str:
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
    """Unpack the lesson's photographs into `folder`; return what `--data` takes."""
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
    """Return what `--weights` takes."""
    return os.environ.get("VGG16_WEIGHTS_FILE", "auto")
