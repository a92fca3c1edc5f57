"""Corrected labels replace those of a data set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from extract.datasets.corrections import apply_corrections
from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from toolkit.csv_cells import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Two classes of two images each."""
    for name in ("cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    return read_dataset(tmp_path / "data")


def labels_of(found: Dataset) -> dict[str, str]:
    return {found.relative(item.path): item.label for item in found.items}


def test_labels_are_changed_and_images_left_out(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only images that the file names are changed; a note says how many."""
    rows = [["cats/1.png", "dogs", "0.9"], ["dogs/2.png", "", "0.1"], ["dogs/1.png", "dogs", ""]]
    write_csv(tmp_path / "corrected.csv", ["path", "label", "likely"], rows)
    with caplog.at_level(logging.INFO, logger="extract"):
        found = apply_corrections(data, tmp_path / "corrected.csv")
    assert labels_of(found) == {"cats/1.png": "dogs", "cats/2.png": "cats", "dogs/1.png": "dogs"}
    assert "1 label changed, 1 image left out" in caplog.text
    assert {found.relative(path) for path in found.relabelled} == {"cats/1.png"}


def test_a_new_class_is_mentioned(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be intended, or a typing error."""
    write_csv(tmp_path / "corrected.csv", ["Path", "Label"], [["cats/1.png", "dgos"]])
    with caplog.at_level(logging.INFO, logger="extract"):
        assert apply_corrections(data, tmp_path / "corrected.csv").classes == [
            "cats",
            "dgos",
            "dogs",
        ]
    assert "new class: dgos (did you mean dogs?)" in caplog.text


def test_columns_may_have_the_names_of_other_tables(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a table of images, and the columns that were taken are named."""
    rows = [["cats/1.png", "dogs"], ["cats/2.png", ""]]
    write_csv(tmp_path / "corrected.csv", ["Filename", "Class"], rows)
    found = apply_corrections(data, tmp_path / "corrected.csv")
    assert labels_of(found) == {"cats/1.png": "dogs", "dogs/1.png": "dogs", "dogs/2.png": "dogs"}
    assert "Columns: images from 'Filename', labels from 'Class'." in caplog.text


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (
            ["path", "note"],
            [["cats/1.png", "?"], ["cats/2.png", "!"]],
            "expected the columns path and label, found path,note",
        ),
        ([], [], "expected the columns path,label"),
        (["path", "label"], [["cats/9.png", "dogs"]], "has no image 'cats/9.png'; write paths as"),
        (
            ["path", "label"],
            [["cats/8.png", "dogs"], ["cats/9.png", "dogs"]],
            "has no image 'cats/8.png', nor 1 other image",
        ),
        (
            ["path", "label"],
            [["cats/1.png", "dogs"], ["cats/1.png", "cats"]],
            "line 3: 'cats/1.png' appears twice",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    data: Dataset, tmp_path: Path, header: list[str], rows: list[list[str]], words: str
) -> None:
    """The error says what was expected and found."""
    write_csv(tmp_path / "corrected.csv", header, rows)
    with pytest.raises(DataError, match=words):
        apply_corrections(data, tmp_path / "corrected.csv")


def test_a_missing_file_is_one_error(data: Dataset, tmp_path: Path) -> None:
    """The error is one sentence."""
    with pytest.raises(DataError, match="cannot be read as a table"):
        apply_corrections(data, tmp_path / "absent.csv")


SPREADSHEETS = {
    "American": ("utf-8-sig", ",", "\r\n"),
    "German": ("cp1252", ";", "\r\n"),
    "French": ("cp1252", ";", "\r\n"),
    "Japanese": ("cp932", ",", "\r\n"),
    "Chinese": ("gb18030", ",", "\r\n"),
    "Polish": ("cp1250", ";", "\r\n"),
    "Unicode text": ("utf-16", "\t", "\r\n"),
    "LibreOffice": ("utf-8", "\t", "\n"),
}
CLASSES = {
    "German": "K\xe4tzchen", "French": "b\xeate", "Japanese": "\u72ac", "Chinese": "\u72d7",
    "Polish": "\u017c\xf3\u0142w",
}  # fmt: skip


@pytest.mark.parametrize("spreadsheet", SPREADSHEETS)
def test_what_a_spreadsheet_saves_is_read_back(
    tmp_path: Path, spreadsheet: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In its own encoding, with its own separator, backslashes and an empty row at the end."""
    label = CLASSES.get(spreadsheet, "dogs")
    for name in ("cats/new.png", f"{label}/1.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).touch()
    data = read_dataset(tmp_path / "data")
    encoding, separator, line_end = SPREADSHEETS[spreadsheet]
    rows = [["path", "label", "likely"], ["cats\\new.png", label, "0.9"], ["", "", ""]]
    text = line_end.join(map(separator.join, rows)) + line_end
    (tmp_path / "suspects.csv").write_bytes(text.encode(encoding))
    assert labels_of(apply_corrections(data, tmp_path / "suspects.csv")) == {
        "cats/new.png": label,
        f"{label}/1.png": label,
    }


def test_an_excel_file_of_corrections_is_read(data: Dataset, tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["cats/1.png"], "label": ["dogs"]})
    frame.to_excel(tmp_path / "suspects.xlsx", index=False)
    found = apply_corrections(data, tmp_path / "suspects.xlsx")
    assert labels_of(found)["cats/1.png"] == "dogs"


def test_the_test_images_of_a_table_of_leaks_are_left_out(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As an audit has written it; one that resembles several training images is left out once."""
    rows = [["cats/1.png", "cats/2.png", "1.0", "yes"], ["cats/1.png", "dogs/1.png", "0.9", "no"]]
    write_csv(tmp_path / "leaks.csv", ["test", "train", "cosine", "exact"], rows)
    with caplog.at_level(logging.INFO, logger="extract"):
        found = apply_corrections(data, tmp_path / "leaks.csv")
    assert sorted(labels_of(found)) == ["cats/2.png", "dogs/1.png", "dogs/2.png"]
    assert "0 labels changed, 1 image left out" in caplog.text
    write_csv(tmp_path / "leaks.csv", ["test", "train"], [["other/1.png", "cats/2.png"]])
    with pytest.raises(DataError, match=r"has no image .other/1\.png."):
        apply_corrections(data, tmp_path / "leaks.csv")
