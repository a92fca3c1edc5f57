"""Corrected labels replace those of a data set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

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


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (["path", "class"], [["cats/1.png", "dogs"]], "expected the columns path and label"),
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
    with pytest.raises(DataError, match="cannot be read as CSV"):
        apply_corrections(data, tmp_path / "absent.csv")
