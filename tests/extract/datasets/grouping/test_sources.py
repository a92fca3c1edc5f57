"""Groups from tables of their own and from DICOM files, and what holds for every source."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from extract.errors import DataError
from tests.extract.datasets.grouping.samples import (
    EXPECTED,
    NAMES,
    groups,
    make,
    on_one_side,
    stem,
)
from tests.extract.pictures import HAS_DICOM, medical

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract import Dataset


@pytest.mark.parametrize("word", ["None", "unknown", "?", "n/a", "nan", "-"])
@pytest.mark.parametrize("source", ["column", "table", "pattern"])
def test_a_word_for_a_missing_group_is_no_group(
    load: Callable[..., Dataset], tmp_path: Path, word: str, source: str
) -> None:
    """Images of unknown patients are not one patient; it is said, and counted."""
    if source == "pattern" and word == "n/a":
        pytest.skip("no name of a file has a slash")
    names = [f"{'ab'[i % 2]}/{word if i < 6 else f'p{i // 4}'}_{i}.png" for i in range(24)]
    if word == "n/a":
        names = [name.replace("n/a", "x") for name in names]
    folder = make(tmp_path / "data", names)
    rows = [f"{name},{word if i < 6 else f'p{i // 4}'}" for i, name in enumerate(names)]
    table = (folder if source == "column" else tmp_path) / "groups.csv"
    if source != "pattern":
        table.write_text("\n".join(["path,group", *rows]))
    settings = {"groups": table} if source == "table" else {}
    settings = {"group_by": "([^/]+)_"} if source == "pattern" else settings
    data = load(folder, **settings)
    assert [groups(data)[name] for name in names[:6]] == [None] * 6
    assert data.n_groups() == 6 + 5
    assert any("6 images" in r and "own" in r for r in data.layout.remarks)


@pytest.mark.parametrize(
    ("header", "write"),
    [
        ("path,group", lambda name: name),
        ("group;filename", lambda name: name.replace("/", "\\")),
        ("\ufeffPath,Patient ID,note", lambda name: f" {name} "),
    ],
)
def test_a_table_of_groups_as_a_spreadsheet_saves_it(
    load: Callable[..., Dataset],
    folder: Path,
    tmp_path: Path,
    header: str,
    write: Callable[[str], str],
) -> None:
    """Pictures that it does not name are groups of their own, and counted."""
    separator = ";" if ";" in header else ","
    cells = {
        "path": write, "filename": write, "group": stem, "patient id": stem, "note": lambda _: "x",
    }  # fmt: skip
    columns = [cells[name.strip("\ufeff").lower()] for name in header.split(separator)]
    rows = [separator.join(column(name) for column in columns) for name in NAMES[1:]]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join([header, *rows]), encoding="utf-8")
    data = load(folder, groups=table)
    assert groups(data) == {**EXPECTED, NAMES[0]: None}
    assert data.group_origin == "groups.csv"
    assert "1 image has no group in groups.csv: each is a group of its own." in data.layout.remarks
    assert on_one_side(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,group\nbenign/absent.png,a\n", "the data set has no image 'benign/absent.png'"),
        (f"path,group\n{NAMES[0]},a\n{NAMES[0]},b\n", "line 3: .* appears twice"),
        (f"path,colour\n{NAMES[0]},a\n", "expected the columns path and group, found path,colour"),
        ("", "expected the columns path and group, found an empty file"),
    ],
)
def test_mistakes_in_a_table_of_groups(
    load: Callable[..., Dataset], folder: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(folder, groups=tmp_path / "groups.csv")


def test_only_one_source_may_be_named(load: Callable[..., Dataset], folder: Path) -> None:
    with pytest.raises(DataError, match="expected one source of groups, found 2"):
        load(folder, group_by="folder", group_column="patient")
    with pytest.raises(DataError, match="expected a text as group_by"):
        load(folder, group_by=3)


@pytest.fixture
def scans(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes DICOM files, three of each of four patients in two classes."""

    def write(**elements: Any) -> Path:
        for i in range(24):
            path = tmp_path / "scans" / "ab"[i % 2] / f"{i}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(medical(**({"PatientID": f"P{i // 3}", "SeriesNumber": i} | elements)))
        return tmp_path / "scans"

    return write


@pytest.mark.skipif(not HAS_DICOM, reason="needs the extra dicom")
def test_patients_of_dicom_files_are_taken_by_themselves(
    load: Callable[..., Dataset], scans: Callable[..., Path]
) -> None:
    """They are remembered: a second time, no file is read."""
    data = load(scans())
    assert data.n_groups() == 8
    assert groups(data)["a/0.dcm"] == groups(data)["b/1.dcm"] == "P0"
    assert data.group_origin == "PatientID"
    assert data.layout.remarks == (
        "The images are DICOM files of 8 patients, whose images stay together.",
    )
    assert on_one_side(data)
    assert not load(scans(), group_by="none").has_groups


@pytest.mark.skipif(not HAS_DICOM, reason="needs the extra dicom")
@pytest.mark.parametrize("patient", ["ANONYMOUS", ""])
def test_one_patient_for_all_is_not_taken_by_itself(
    load: Callable[..., Dataset], scans: Callable[..., Path], patient: str
) -> None:
    assert not load(scans(PatientID=patient)).has_groups


def test_patients_of_other_files_are_refused(load: Callable[..., Dataset], folder: Path) -> None:
    with pytest.raises(DataError, match=r"PatientID|the extra dicom"):
        load(folder, group_by="patient")


def test_a_given_split_through_groups_is_a_warning(
    load: Callable[..., Dataset], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{s}/{k}/{k}{i}_{s}.png" for s in ("train", "test") for k in "ab" for i in range(4)]
    others = [f"test/a/a9_{i}.png" for i in range(3)]
    with caplog.at_level(logging.WARNING, logger="extract"):
        data = load(make(tmp_path / "data", [*names, *others]), group_by="([^/]+)_")
    remark = (
        "8 of 9 groups are on both sides of the split of the data, as 'a0': 8 images of 11 in the "
        "test split belong to groups that are trained on, so the accuracy on new groups is "
        "probably lower."
    )
    assert remark in data.layout.remarks
    assert remark in caplog.text


@pytest.mark.parametrize("given", [["a", "b"], {"a": 1}, 7])
def test_groups_that_are_no_path_are_refused(
    load: Callable[..., Dataset], folder: Path, given: object
) -> None:
    """A list of groups would have to be in the order of files that nobody has listed yet."""
    with pytest.raises(DataError, match=r"expected the path of a table .* write the groups"):
        load(folder, groups=given)
