r"""The file of decisions about labels that a person has made one by one: `corrections.csv`.

It is a CSV file with the columns `path`, `label`, `decision` and `decided`, encoded as in
`toolkit.csv_cells`, and only ever appended to. Each row says which label an image has from then on,
or none if it is left out, so the last row of an image counts. A row that a process was writing when
it was killed may be incomplete; it counts as not written.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from toolkit.csv_cells import encode_text

COLUMNS = ("path", "label", "decision", "decided")
HEADER = (",".join(COLUMNS) + "\n").encode()
RELABEL, KEEP, LEAVE_OUT, UNDO = DECISIONS = "relabel", "keep", "leave out", "undo"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@dataclass(frozen=True)
class Decision:
    """A row of the file.

    Parameters
    ----------
    path : str
        Of the image, as in the reports of its data set.
    label : str
        Which it has from then on; empty if it is left out.
    decision : {"relabel", "keep", "leave out", "undo"}
    decided : str
        UTC, ISO 8601, to the second.
    """

    path: str
    label: str
    decision: str
    decided: str

    def encode(self) -> bytes:
        r"""Return the row as it is appended to the file.

        Examples
        --------
        >>> Decision("a, b.png", "=dog", "relabel", "2026-01-31T12:00:00+00:00").encode()
        b'"a, b.png",\'=dog,relabel,2026-01-31T12:00:00+00:00\n'
        """
        values = (self.path, self.label, self.decision, self.decided)
        return (",".join(_quoted(encode_text(value)) for value in values) + "\n").encode()


def without_incomplete_row(data: bytes) -> bytes:
    r"""Return the bytes of a file of decisions without a last row that was not written completely.

    The bytes of any other table are returned as they are.

    Examples
    --------
    >>> row = Decision("1.png", "dog", "relabel", "2026-01-31T12:00:00+00:00").encode()
    >>> without_incomplete_row(HEADER + row + row[:20]) == HEADER + row
    True
    >>> without_incomplete_row(HEADER + row[:-1]) == HEADER + row[:-1]  # an editor's last line
    True
    """
    bare = data.removeprefix(_BYTE_ORDER_MARK)
    if bare and HEADER.startswith(bare):
        return HEADER
    if not is_appendable(data):
        return data
    end = data.rfind(b"\n") + 1
    return data if not data[end:] or _is_complete(data[end:]) else data[:end]


def is_appendable(data: bytes) -> bool:
    """Tell whether the first line is the header of decisions, so that rows can be appended."""
    first, line_end, _ = data.removeprefix(_BYTE_ORDER_MARK).partition(b"\n")
    return first.removesuffix(b"\r") + line_end == HEADER


def _is_complete(row: bytes) -> bool:
    try:
        (cells,) = csv.reader([row.decode()], strict=True)
    except (UnicodeDecodeError, csv.Error):
        return False
    return len(cells) == len(COLUMNS) and _TIME.fullmatch(cells[-1]) is not None


def _quoted(cell: str) -> str:
    """Return a cell, in quotation marks if a reader would take it for something else."""
    if cell == cell.strip() and not set(cell) & set(',"'):
        return cell
    return '"' + cell.replace('"', '""') + '"'
