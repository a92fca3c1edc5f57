"""What simulations found, in `benchmarks/results/figures`, and its table in `docs/statistics.md`.

`python -m benchmarks.figures --publish` writes both. Each group of statements has a file of its
own, so that one can be measured again without the others.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.common import inputs, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
COLUMNS = ("what", "before", "now", "draws", "date")


class Statement(NamedTuple):
    """What a figure promises, how often it held in earlier versions, and how often it does now."""

    what: str
    before: str
    now: str
    n_draws: int


def folder() -> Path:
    """Return the folder with one file for every group that was published."""
    return inputs.RESULTS / "figures"


def publish(group: str, statements: Iterable[Statement]) -> None:
    """Write the statements of a group into its file.

    Parameters
    ----------
    group : str
        The file's name without ``.csv``.
    statements : iterable of Statement
    """
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f"{group}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*one, f"{datetime.now(UTC):%F}") for one in statements)


def published(groups: Sequence[str]) -> str:
    """Return a table in Markdown for each of the groups that was published, in this order.

    Raises
    ------
    ValueError
        If a file belongs to none of the groups, or has other columns.
    """
    files = {path.stem: path for path in folder().glob("*.csv")}
    if unknown := sorted(set(files) - set(groups)):
        raise ValueError(f"{files[unknown[0]]} belongs to no group; expected one of {groups}")
    return "\n".join(_table(files[group]) for group in groups if group in files)


def rewrite(groups: Sequence[str]) -> None:
    """Write the tables of all published groups into `PAGE`."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(table.replaced(page, published(groups), "figures"), encoding="utf-8")


def _table(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if tuple(header) != COLUMNS:
        raise ValueError(
            f"{path}: expected the columns {','.join(COLUMNS)}, found {','.join(header)}"
        )
    days = sorted({day for *_, day in rows})
    lines = [f"### {path.stem.capitalize()}", "", f"Simulated on {' and '.join(days)}.", ""]
    lines += ["| what | before | now | draws |", "|---|---|---|---|"]
    lines += [f"| {what} | {before} | {now} | {int(n):,} |" for what, before, now, n, _ in rows]
    return "\n".join(lines) + "\n"
