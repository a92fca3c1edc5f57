"""CSV cells: every name is preserved, none becomes a formula."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.csv_cells import decode_text, encode_text, write_csv, write_quarantine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r")
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@settings(deadline=None)
@given(ANY_TEXT)
def test_any_text_is_preserved(text: str) -> None:
    """Encoded text is decoded to the same text, including lone surrogates and controls."""
    cell = encode_text(text)
    assert decode_text(cell) == text
    assert cell.encode("utf-8").decode("utf-8") == cell
    assert not any(ord(character) < 32 for character in cell)


@settings(deadline=None)
@given(st.sampled_from(["", *FORMULA]), ANY_TEXT)
def test_no_cell_is_a_formula(start: str, text: str) -> None:
    """A spreadsheet evaluates cells that begin with one of these characters; none does."""
    text = start + text
    assert not encode_text(text).startswith(FORMULA)


def test_quarantine_csv_is_read_back_by_any_csv_reader(tmp_path: Path) -> None:
    """Quotes, commas and line breaks in names do not leave their cells."""
    write_quarantine(tmp_path / "q.csv", [('a,"b"\n.jpg', "empty file"), ("=cmd()", "text")])
    with (tmp_path / "q.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "reason"]
    assert [decode_text(row[0]) for row in rows[1:]] == ['a,"b"\n.jpg', "=cmd()"]


def test_a_table_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(None, ["path", "label"], [["a.jpg", "cat"]])
    assert capsys.readouterr().out == "path,label\na.jpg,cat\n"
