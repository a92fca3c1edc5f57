"""Corrected labels replace those of a data set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from extract.datasets.corrections import apply_corrections
from extract.datasets.decisions import COLUMNS, HEADER, Decision
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


def test_of_several_files_each_corrects_the_one_before(data: Dataset, tmp_path: Path) -> None:
    """What ends with its original label was not changed; all that are left out are counted."""
    (tmp_path / "again").mkdir()
    files = [tmp_path / "corrections.csv", tmp_path / "again" / "corrections.csv"]
    write_csv(files[0], ["path", "label"], [["cats/1.png", "dogs"], ["cats/2.png", "dogs"],
                                            ["dogs/1.png", ""]])  # fmt: skip
    write_csv(files[1], ["path", "label"], [["cats/1.png", "cats"], ["dogs/2.png", ""]])
    found = apply_corrections(data, files)
    assert labels_of(found) == {"cats/1.png": "cats", "cats/2.png": "dogs"}
    assert {found.relative(path) for path in found.relabelled} == {"cats/2.png"}
    assert found.layout.passed_over["images that corrections.csv leaves out"] == 2


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


@pytest.mark.parametrize(
    ("label", "decision", "words"),
    [
        ("dogs", "leave out", "line 2: expected no label with 'leave out', found 'dogs'"),
        ("", "keep", "line 2: expected a label with 'keep', found ''"),
        ("", "relabel", "line 2: expected a label with 'relabel', found ''"),
    ],
)
def test_a_decision_that_its_label_contradicts_is_refused(
    data: Dataset, tmp_path: Path, label: str, decision: str, words: str
) -> None:
    """A row that was edited in a spreadsheet must not do the opposite of what it says."""
    row = {"path": "cats/1.png", "label": label, "decision": decision, "decided": "2026-01-01"}
    write_csv(tmp_path / "c.csv", list(COLUMNS), [[row[column] for column in COLUMNS]])
    with pytest.raises(DataError, match=words):
        apply_corrections(data, tmp_path / "c.csv")


def test_a_folder_is_no_file_of_corrections(data: Dataset, tmp_path: Path) -> None:
    """That of a run is easily given; the message names the file in it."""
    with pytest.raises(DataError, match=r"is a folder; give a file in it, .*corrections\.csv"):
        apply_corrections(data, tmp_path)


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


WHEN = "2026-01-31T12:00:00+00:00"


def decisions(*rows: tuple[str, str, str]) -> bytes:
    """Return the bytes of a file of decisions."""
    return HEADER + b"".join(Decision(*row, WHEN).encode() for row in rows)


def test_of_the_decisions_of_a_review_the_last_of_an_image_counts(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also if it takes an earlier one back; an image that keeps its label is not changed."""
    path = tmp_path / "corrections.csv"
    path.write_bytes(
        decisions(
            ("cats/1.png", "dogs", "relabel"),
            ("cats/2.png", "", "leave out"),
            ("cats/2.png", "cats", "undo"),
            ("cats/1.png", "", "leave out"),
            ("dogs/1.png", "dogs", "keep"),
            ("dogs/2.png", "cats", "relabel"),
        )
    )
    found = apply_corrections(data, path)
    assert labels_of(found) == {"cats/2.png": "cats", "dogs/1.png": "dogs", "dogs/2.png": "cats"}
    assert {found.relative(image) for image in found.relabelled} == {"dogs/2.png"}
    assert found.layout.passed_over["images that corrections.csv leaves out"] == 1
    assert caplog.text == ""


def test_a_decision_that_was_not_written_completely_is_not_used(
    data: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However many bytes of it there are; all but its line end is a complete row."""
    first = decisions(("cats/1.png", "dogs", "relabel"))
    both = decisions(("cats/1.png", "dogs", "relabel"), ("cats/2.png", "do,gs", "relabel"))
    path = tmp_path / "corrections.csv"
    for end in range(1, len(both) + 1):
        caplog.clear()
        path.write_bytes(both[:end])
        found = labels_of(apply_corrections(data, path))
        assert found["cats/1.png"] == ("dogs" if end >= len(first) - 1 else "cats"), end
        assert found["cats/2.png"] == ("do,gs" if end >= len(both) - 1 else "cats"), end
        is_incomplete = end in range(len(HEADER) + 1, len(first) - 1) or end in range(
            len(first) + 1, len(both) - 1
        )
        assert ("is not complete" in caplog.text) is is_incomplete, end


@pytest.mark.parametrize("spreadsheet", SPREADSHEETS)
def test_decisions_may_have_been_saved_by_a_spreadsheet(
    data: Dataset, tmp_path: Path, spreadsheet: str
) -> None:
    """With its own separator, line ends and order of columns, in the time format of a country."""
    encoding, separator, line_end = SPREADSHEETS[spreadsheet]
    rows = [
        ["decided", "path", "label", "decision"],
        ["31.01.2026 12:00", "cats\\1.png", "dogs", "relabel"],
        ["31.01.2026 12:01", "cats\\1.png", "cats", "undo"],
        ["31.01.2026 12:02", "cats\\2.png", "dogs", "relabel"],
    ]
    text = line_end.join(map(separator.join, rows)) + line_end
    (tmp_path / "corrections.csv").write_bytes(text.encode(encoding))
    found = labels_of(apply_corrections(data, tmp_path / "corrections.csv"))
    assert (found["cats/1.png"], found["cats/2.png"]) == ("cats", "dogs")


def test_names_of_any_kind_are_read_back(tmp_path: Path) -> None:
    """Spaces around them, separators, quotation marks, formulas, line breaks."""
    classes = [" cats ", '"dogs",', "=2+2", "line\nbreak", "-"]
    for label in classes:
        (tmp_path / "data" / label).mkdir(parents=True)
        for name in (" 1.png", "'=2,\".png"):
            (tmp_path / "data" / label / name).touch()
    data = read_dataset(tmp_path / "data")
    names = list(labels_of(data))
    moved = dict(zip(names, [*classes[1:], classes[0]] * 2, strict=True))
    path = tmp_path / "corrections.csv"
    path.write_bytes(decisions(*((name, moved[name], "relabel") for name in names)))
    assert labels_of(apply_corrections(data, path)) == moved


def test_decisions_about_an_unknown_image_are_refused(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(decisions(("cats/9.png", "dogs", "relabel")))
    with pytest.raises(DataError, match=r"has no image .cats/9\.png."):
        apply_corrections(data, path)


def test_a_decision_that_no_review_makes_is_refused(data: Dataset, tmp_path: Path) -> None:
    """Whoever wrote it meant something, perhaps other than what its label says."""
    path = tmp_path / "corrections.csv"
    path.write_bytes(decisions(("cats/1.png", "cats", "keep"), ("cats/2.png", "cats", "leaveout")))
    with pytest.raises(DataError, match=r"line 3: expected one of the decisions .* 'leaveout'"):
        apply_corrections(data, path)
