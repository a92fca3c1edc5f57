"""What the tables of a data set say about its images, beside label and split."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Value = float | str | None


@dataclass(frozen=True)
class FurtherColumns:
    """The columns of a table of images that are neither path nor label nor split.

    Parameters
    ----------
    table : Path
        The file.
    columns : mapping of str to int
        Name of a column as in the header -> its position in the rows.
    rows : sequence of (Path, sequence of str)
        The image of each row, with all of its cells.
    others : mapping of str to str, default={}
        Name of every other column -> what it has: "the paths", "the labels" or "the split".
    """

    table: Path
    columns: Mapping[str, int]
    rows: Sequence[tuple[Path, Sequence[str]]]
    others: Mapping[str, str] = field(default_factory=dict)

    def cells(self, name: str) -> Iterator[tuple[Path, str]]:
        """Yield every image with its cell of a column, without the spaces around it."""
        column = self.columns[name]
        for path, cells in self.rows:
            yield path, cells[column].strip()

    def sentences(self, taken: str | None = None) -> list[str]:
        """Say which columns only an audit looks at, and which are not used at all.

        Parameters
        ----------
        taken : str, default=None
            The column that is taken for the groups.
        """
        names = [name for name in self.columns if name != taken]
        examined = [
            name
            for name in names
            if tells_images_apart(as_values([cell for _, cell in self.cells(name)]))
        ]
        unused = [name for name in names if name not in examined]
        sentences = []
        if examined:
            sentences.append(
                f"Columns that no classifier sees: {', '.join(examined)}; an audit looks for "
                "shortcuts and weak spots in them."
            )
        if unused:
            sentences.append(
                f"Columns that are not used: {', '.join(unused)}, which are the same, or another "
                "name or number, in every row."
            )
        return sentences


def as_values(cells: Sequence[str | None]) -> list[Value]:
    """Return the cells of a column as numbers if all are, and else as words.

    Examples
    --------
    >>> as_values(["1", "2.5", ""]), as_values(["1", "m"])
    ([1.0, 2.5, None], ['1', 'm'])
    """
    words = [None if cell is None or not cell.strip() else cell.strip() for cell in cells]
    try:
        numbers: list[Value] = [None if word is None else float(word) for word in words]
    except ValueError:
        return list(words)
    finite = all(math.isfinite(number) for number in numbers if isinstance(number, float))
    return numbers if finite else list(words)


def tells_images_apart(values: Sequence[Value]) -> bool:
    """Tell whether a column divides the images, and does not only number or name each of them.

    Examples
    --------
    >>> tells_images_apart(["m", "f", "m"]), tells_images_apart([1.0, 2.0, 3.0])
    (True, False)
    """
    present = [value for value in values if value is not None]
    if len(set(values)) < 2:
        return False
    if len(set(present)) < len(present):
        return True
    return not all(isinstance(value, str) or value == int(value) for value in present)
