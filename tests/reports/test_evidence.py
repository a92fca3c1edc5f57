"""The table of evidence maps is read back as it was written, and nothing else is believed."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reports import RecordError
from reports.evidence import EVIDENCE_NAME, read_evidence, write_evidence
from reports.frames import EVIDENCE_COLUMNS, evidence_frame
from reports.records import EvidenceRow

if TYPE_CHECKING:
    from pathlib import Path

ROW = EvidenceRow(
    "svm", "cat/1.jpg", "cat", 1, 1.25, -0.5, True, 0.0, 0.75, [[1.0, 0.5], [0.25, 0]]
)


@pytest.mark.parametrize("name", ["a.jpg", "=1+1,\n\"'.jpg", "caf\udce9.jpg", "", "\u202e<b>"])
def test_rows_survive_a_round_trip(tmp_path: Path, name: str) -> None:
    rows = [replace(ROW, path=name), replace(ROW, path="", label=name or "x", n_images=7)]
    write_evidence(rows, tmp_path / EVIDENCE_NAME)
    assert read_evidence(tmp_path) == rows


def test_a_run_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    assert read_evidence(tmp_path) == []


def test_rounding_keeps_the_sum(tmp_path: Path) -> None:
    row = replace(ROW, map=[[1 / 3, -1e-7], [2e5 / 7, 0.1]])
    write_evidence([row], tmp_path / EVIDENCE_NAME)
    (read,) = read_evidence(tmp_path)
    total, expected = (sum(map(sum, each.map)) for each in (read, row))
    assert total == pytest.approx(expected, rel=1e-8)


def test_files_of_overlays_are_one_more_column(tmp_path: Path) -> None:
    write_evidence([ROW], tmp_path / EVIDENCE_NAME, overlays=["0001-1.png"])
    with (tmp_path / EVIDENCE_NAME).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["overlay"] == "0001-1.png"
    assert row["map"] == "[[1.0, 0.5], [0.25, 0.0]]"


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("map", "[[1, NaN]]"),
        ("map", "[[1, Infinity]]"),
        ("map", "[[1, 2], [3]]"),
        ("map", "[]"),
        ("map", "[[]]"),
        ("map", "7"),
        ("map", '{"a": 1}'),
        ("map", "[[1]"),
        ("map", "[" * 5000),
        ("map", str([[0] * 65])),
        ("map", '[["x"]]'),
        ("map", "[[null]]"),
        ("exact", "maybe"),
        ("score", "nan"),
        ("score", ""),
        ("images", "many"),
        ("start", "inf"),
    ],
)
def test_what_is_no_map_is_refused_with_its_line(tmp_path: Path, column: str, cell: str) -> None:
    write_evidence([ROW, ROW], tmp_path / EVIDENCE_NAME)
    with (tmp_path / EVIDENCE_NAME).open(newline="") as file:
        rows = list(csv.reader(file))
    rows[2][EVIDENCE_COLUMNS.index(column)] = cell
    with (tmp_path / EVIDENCE_NAME).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(RecordError, match=r"evidence\.csv, line 3: not an evidence map"):
        read_evidence(tmp_path)


def test_the_frame_has_maps_that_add_up() -> None:
    frame = evidence_frame([ROW, replace(ROW, path="", n_images=3)])
    assert frame.images.tolist() == [1, 3]
    assert frame["map"][0].shape == (2, 2)
    assert frame["map"][0].sum() + frame.intercept[0] == frame.score[0]
    assert evidence_frame([]).columns.tolist() == EVIDENCE_COLUMNS
