"""Read the cells of a table: delimited text as spreadsheets save it, Excel and Parquet.

The kind of a file is decided by its content, because names of files are often wrong.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extract.errors import DataError
from toolkit.addresses import is_remote, read_remote
from toolkit.encodings import decode
from toolkit.errors import AddressError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path, PurePath

    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".parquet")
"""Ends of the names of tables, in lower case."""
MAX_BYTES = 2**30
MAX_ROWS = 10_000_000
MAX_COLUMNS = 10_000

_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[ \t,;]*(\r\n|\n|\r)', re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")
_ROWS_TO_COMPARE = 50
_NAMES_OF_ENCODINGS = {
    "cp1252": "CP1252 (Western European)",
    "cp932": "CP932 (Japanese)",
    "cp1251": "CP1251 (Cyrillic)",
}
_INSTALL = "run pip install '.[tables]', or save it as a .csv file"


@dataclass(frozen=True)
class Grid:
    """The cells of a table.

    Parameters
    ----------
    header : list of str
        The first row that is not empty.
    rows : list of (int, list of str)
        The other rows that are not empty: the line in the file, and as many cells as the header.
    encoding : str, default="utf-8"
        Python's name of the encoding of a text file.
    remarks : tuple of str, default=()
        What was guessed, one sentence each.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    encoding: str = "utf-8"
    remarks: tuple[str, ...] = ()

    def column(self, index: int) -> list[str]:
        """Return the cells of a column, below the header."""
        return [cells[index] for _, cells in self.rows]


def is_table(path: PurePath) -> bool:
    """Tell whether a file or address has the name of a table."""
    return path.suffix.lower() in SUFFIXES


def read_grid(path: Path, known: Collection[str] = ()) -> Grid:
    """Read the cells of a table.

    Parameters
    ----------
    path : Path
        A file or the address of one.
    known : collection of str, default=()
        Words that the table should contain; they help to find its encoding.

    Returns
    -------
    Grid
        Without empty rows.

    Raises
    ------
    DataError
        If the file cannot be read, is too large, or has a row that does not fit its header.
    AddressError
        If the server of an address does not respond.
    """
    return parse_grid(path, read_table(path), known)


def read_table(path: Path) -> bytes:
    """Read the bytes of a table; see `read_grid`."""
    try:
        return _read(path)
    except AddressError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            reason = "there is no such file; check the name"
        raise DataError(f"{path} cannot be read as a table: {reason}") from error


def parse_grid(path: Path, data: bytes, known: Collection[str] = ()) -> Grid:
    """Do what `read_grid` does with the bytes of a table; `path` is for messages."""
    try:
        if data.startswith(b"PK\x03\x04"):
            rows, remarks, encoding = *_excel(path, data), "utf-8"
        elif data.startswith(b"PAR1"):
            rows, remarks, encoding = _parquet(path, data), (), "utf-8"
        elif data.startswith(b"\xd0\xcf\x11\xe0"):
            raise DataError(f"{path} is an old Excel file; save it as .xlsx or .csv")
        else:
            rows, remarks, encoding = _text(path, data, known)
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    filled = [(line, cells) for line, cells in rows if any(map(str.strip, cells))]
    if not filled:
        return Grid([], [], encoding, remarks)
    header = [cell.strip() for cell in filled[0][1]]
    while len(header) > 1 and not header[-1] and _is_empty(filled, len(header) - 1):
        header.pop()
    return Grid(header, [_fitted(path, header, row) for row in filled[1:]], encoding, remarks)


def _is_empty(rows: list[tuple[int, list[str]]], column: int) -> bool:
    return not any(cells[column].strip() for _, cells in rows if column < len(cells))


def _fitted(path: Path, header: list[str], row: tuple[int, list[str]]) -> tuple[int, list[str]]:
    """Return a row with as many cells as the header; spreadsheets leave out empty ones."""
    line, cells = row
    if any(map(str.strip, cells[len(header) :])):
        raise DataError(
            f"{path}, line {line}: expected {plural(len(header), 'cell')} as in the header, found "
            f"{len(cells)}; put a cell that contains the separator in quotation marks"
        )
    return line, cells[: len(header)] + [""] * (len(header) - len(cells))


def _read(path: Path) -> bytes:
    if is_remote(path):
        data = read_remote(path, MAX_BYTES)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return data


def _text(
    path: Path, data: bytes, known: Collection[str]
) -> tuple[list[tuple[int, list[str]]], tuple[str, ...], str]:
    decoded = decode(data, known)
    if decoded is None:
        raise DataError(
            f"{path} is neither UTF-8 nor in an encoding that can be told with certainty; save it "
            "as UTF-8 (in Excel: CSV UTF-8)"
        )
    text, encoding = decoded
    if "\0" in text:
        raise DataError(f"{path} is not a text: it contains zero bytes; save it as CSV UTF-8")
    remarks: tuple[str, ...] = ()
    if not encoding.startswith("utf"):
        name = _NAMES_OF_ENCODINGS.get(encoding, encoding)
        example = next(line for line in text.splitlines() if not line.isascii())
        remarks = (
            f"{path.name} is not UTF-8 and was read as {name}, as in {example.strip()[:60]!r}.",
        )
    skipped, delimiter = 0, ""
    separator = _SEPARATOR_LINE.match(text)
    if separator:
        text, delimiter, skipped = text[separator.end() :], separator[1], 1
    delimiter = delimiter or _delimiter(text, path.suffix.lower())
    _check_quotation_marks(path, text, delimiter)
    reader = _parse(text, delimiter)
    return [(reader.line_num + skipped, cells) for cells in reader], remarks, encoding


def _check_quotation_marks(path: Path, text: str, delimiter: str) -> None:
    """Refuse a quotation mark that is never closed: all rows after it would be one cell."""
    line = 0
    try:
        reader = _parse(text, delimiter, strict=True)
        for _ in reader:
            line = reader.line_num
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise DataError(
                f"{path}, after line {line}: a quotation mark is not closed; close it, or double "
                "it if it belongs to the cell"
            ) from error


def _parse(text: str, delimiter: str, *, strict: bool = False) -> Any:
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def _delimiter(text: str, suffix: str) -> str:
    """Return the separator that splits the header, and most rows into as many cells."""
    best, most = ",", (0.0, 1)
    # Lists for Caffe and its successors separate a path and a number by a space.
    for delimiter in (*_DELIMITERS, " ") if suffix == ".txt" else _DELIMITERS:
        counts: list[int] = []
        for cells in _parse(text, delimiter):
            if any(map(str.strip, cells)):
                counts.append(len(cells))
            if len(counts) == _ROWS_TO_COMPARE:
                break
        if counts and counts[0] > 1:
            score = (counts.count(counts[0]) / len(counts), counts[0])
            best, most = max((most, best), (score, delimiter), key=lambda pair: pair[0])[::-1]
    return best


def _excel(path: Path, data: bytes) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    try:
        import pandas as pd

        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MAX_BYTES:
                raise DataError(f"{path} is larger than {MAX_BYTES // 2**20} MiB when unpacked")
        with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            frame = pd.read_excel(book, header=None, dtype=str, na_filter=False)
            sheets = book.sheet_names
    except ImportError as error:
        raise DataError(f"{path}: Excel files need a package: {_INSTALL}") from error
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as an Excel file: {error}") from error
    more = len(sheets) - 1
    remark = (
        f"{path.name} has {plural(more + 1, 'sheet')}; only the first, {sheets[0]!r}, was read."
    )
    return list(_cells(frame, 1)), (remark,) if more else ()


def _parquet(path: Path, data: bytes) -> list[tuple[int, list[str]]]:
    try:
        import pandas as pd
        from pyarrow.parquet import ParquetFile

        described = ParquetFile(io.BytesIO(data)).metadata
        if described.num_rows > MAX_ROWS or described.num_columns > MAX_COLUMNS:
            raise DataError(
                f"{path} has {described.num_rows:,} rows and {described.num_columns:,} columns, "
                f"more than {MAX_ROWS:,} and {MAX_COLUMNS:,}"
            )
        frame = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except ImportError as error:
        raise DataError(f"{path}: Parquet files need a package: {_INSTALL}") from error
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be read as a Parquet file: {error}") from error
    if any(frame.index.names):
        frame = frame.reset_index()
    return [(1, [str(name) for name in frame.columns]), *_cells(frame, 2)]


def _cells(frame: pd.DataFrame, first_line: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(frame.itertuples(index=False, name=None), first_line):
        yield line, [as_text(cell) for cell in row]


def as_text(cell: Any) -> str:
    """Return a cell as text; a missing value is empty, and a whole number has no point."""
    if isinstance(cell, str):
        return cell
    text = str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)
    return "" if text in {"None", "nan", "NaT", "<NA>"} else text
