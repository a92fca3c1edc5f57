"""What the tables of a data set say about its images, beside label and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


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
    """

    table: Path
    columns: Mapping[str, int]
    rows: Sequence[tuple[Path, Sequence[str]]]

    def cells(self, name: str) -> Iterator[tuple[Path, str]]:
        """Yield every image with its cell of a column, without the spaces around it."""
        column = self.columns[name]
        for path, cells in self.rows:
            yield path, cells[column].strip()

    def unused_sentence(self, taken: str | None = None) -> str | None:
        """Return a sentence that names the columns, except the one that is taken for the groups."""
        names = [name for name in self.columns if name != taken]
        return f"Columns that are not used: {', '.join(names)}." if names else None
