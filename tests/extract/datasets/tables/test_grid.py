"""Cells of Excel and Parquet files, and of files that are called something else than they are."""

from __future__ import annotations

import sys
import zipfile
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from extract.datasets.tables import grid as grids
from extract.datasets.tables.grid import read_grid
from extract.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame(
    {
        "path": ["a.jpg", "b.jpg", None],
        "label": [7, 8, 9],
        "weight": [1.0, None, 2.5],
        "good": [True, False, None],
    }
)
CELLS = [["a.jpg", "7", "1", "True"], ["b.jpg", "8", "", "False"], ["", "9", "2.5", ""]]


@pytest.mark.parametrize("name", ["t.xlsx", "t.csv"])
def test_excel(tmp_path: Path, name: str) -> None:
    """Whatever it is called: whole numbers have no point, and missing values are empty."""
    FRAME.to_excel(tmp_path / "t.xlsx", index=False)
    (tmp_path / "t.xlsx").rename(tmp_path / name)
    found = read_grid(tmp_path / name)
    assert found.header == list(FRAME.columns)
    assert found.rows == list(zip([2, 3, 4], CELLS, strict=True))
    assert not found.remarks


def test_only_the_first_sheet_of_excel_is_read_and_this_is_said(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        FRAME.to_excel(book, sheet_name="good", index=False)
        FRAME.to_excel(book, sheet_name="notes")
    assert read_grid(tmp_path / "t.xlsx").remarks == (
        "t.xlsx has 2 sheets; only the first, 'good', was read.",
    )


def test_parquet(tmp_path: Path) -> None:
    """Also with the paths as index, as pandas writes them."""
    FRAME.to_parquet(tmp_path / "t.parquet")
    found = read_grid(tmp_path / "t.parquet")
    assert found.header == list(FRAME.columns)
    assert [cells for _, cells in found.rows] == CELLS
    FRAME.set_index("path").to_parquet(tmp_path / "t.parquet")
    assert read_grid(tmp_path / "t.parquet").header == list(FRAME.columns)


def test_text_called_excel_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("path;label\na.jpg;7\n")
    assert read_grid(tmp_path / "t.xlsx").rows == [(2, ["a.jpg", "7"])]


def test_lists_with_spaces(tmp_path: Path) -> None:
    """As those of ImageNet, whose files end in .txt."""
    (tmp_path / "t.txt").write_text("a.jpg 7\nb.jpg 8\n")
    assert read_grid(tmp_path / "t.txt").header == ["a.jpg", "7"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0 old", "old Excel file; save it as .xlsx or .csv"),
        (b"PK\x03\x04 cut", "cannot be read as an Excel file"),
        (b"PAR1 cut", "cannot be read as a Parquet file"),
        ("path,label".encode("utf-16-le"), "zero bytes"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=words) as raised:
        read_grid(tmp_path / "t.xlsx")
    assert "\n" not in str(raised.value)


def test_a_table_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its bytes; an Excel file by what it expands to, a Parquet file by its rows."""
    monkeypatch.setattr(grids, "MAX_BYTES", 100_000)
    monkeypatch.setattr(grids, "MAX_ROWS", 2)
    (tmp_path / "t.csv").write_bytes(b"x" * 100_001)
    with pytest.raises(DataError, match="larger than"):
        read_grid(tmp_path / "t.csv")
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(200_000))
    with pytest.raises(DataError, match="when unpacked"):
        read_grid(tmp_path / "t.xlsx")
    FRAME.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="3 rows and 4 columns, more than"):
        read_grid(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "module"), [("t.xlsx", "openpyxl"), ("t.parquet", "pyarrow.parquet")]
)
def test_a_missing_package_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    FRAME.to_excel(tmp_path / "t.xlsx")
    FRAME.to_parquet(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=r"run pip install '\.\[tables\]'"):
        read_grid(tmp_path / name)
