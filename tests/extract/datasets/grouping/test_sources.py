"""Where the groups of a data set come from: tables, paths, folders and DICOM files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from extract import Dataset, load_dataset
from extract.datasets.grouping import patterns
from extract.errors import DataError
from tests.extract.datasets.grouping.samples import make, patients
from tests.extract.pictures import HAS_DICOM, medical

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = patients()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Load with a cache of this test's own."""
    return lambda data, **settings: load_dataset(data, cache=tmp_path / "cache", **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders with three pictures of each of twelve patients."""
    return make(tmp_path / "data", NAMES)


def groups(data: Dataset) -> dict[str, str | None]:
    return {data.relative(item.path): item.group for item in data.items}


def stem(name: str) -> str:
    return name.rpartition("/")[2].partition("_")[0]


EXPECTED: dict[str, str | None] = {name: stem(name) for name in NAMES}


def on_one_side(data: Dataset) -> bool:
    return not set(data.train.groups) & set(data.test.groups)


def write_table(path: Path, header: str, *extra: str) -> Path:
    """Write a table of all pictures with their labels and further cells."""
    rows = [
        ",".join([name, name.partition("/")[0], *(cell.format(stem(name)) for cell in extra)])
        for name in NAMES
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_column_called_group_is_taken_by_itself(
    load: Callable[..., Dataset], folder: Path
) -> None:
    data = load(write_table(folder / "all.csv", "path,label,Group,age", "{}", "7"))
    assert groups(data) == EXPECTED
    assert data.group_origin == "column Group"
    assert "Columns: groups from 'Group'." in data.layout.remarks
    assert any(r.startswith("Columns that are not used: age, ") for r in data.layout.remarks)
    assert on_one_side(data)
    off = load(folder / "all.csv", group_by="none")
    assert not off.has_groups
    assert any(r.startswith("Columns that no classifier sees: Group;") for r in off.layout.remarks)


@pytest.mark.parametrize("name", ["patient_id", "Patient ID", "patient-id"])
def test_another_column_is_taken_by_its_name(
    load: Callable[..., Dataset], folder: Path, name: str
) -> None:
    table = write_table(folder / "all.csv", "path,label,patient_id,group", "{}", "one")
    data = load(table, group_column=name)
    assert groups(data) == EXPECTED
    assert data.group_origin == "column patient_id"
    assert any(r.startswith("Columns that are not used: group, ") for r in data.layout.remarks)


def test_a_column_that_may_be_groups_is_no_label_where_another_may_be(
    load: Callable[..., Dataset], folder: Path
) -> None:
    """As `finding` beside `patient_id`: neither is a known name of labels."""
    table = write_table(folder / "all.csv", "image,finding,patient_id", "{}")
    data = load(table, group_column="patient_id")
    assert data.classes == ["benign", "malignant"]
    assert groups(data) == EXPECTED


@pytest.mark.parametrize("layout", ["auto", "class-folders"])
def test_a_table_beside_class_folders_has_the_column(
    load: Callable[..., Dataset], folder: Path, layout: str
) -> None:
    write_table(folder / "about.csv", "path,label,patient", "{}")
    data = load(folder, group_column="patient", layout=layout)
    assert data.layout.name == "class-folders"
    assert groups(data) == EXPECTED


@pytest.mark.parametrize("layout", ["auto", "class-folders"])
@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("path,patient,age", ["{}", "5{}"]),  # numbers are no labels
        ("path,age,weight", ["{}", "5{}"]),  # nor is either of two
        ("image,species,patient", ["x", "{}"]),  # nor what is the same for all
    ],
)
def test_a_table_without_labels_beside_class_folders_has_the_column(
    load: Callable[..., Dataset], folder: Path, layout: str, header: str, cells: list[str]
) -> None:
    """Whatever its other columns may be; they are named, and the folders are the classes."""
    ages = {name: str(int(stem(name)[1:]) % 5) for name in NAMES}
    rows = [
        ",".join([name, *(c.format(stem(name) if c == "{}" else ages[name]) for c in cells)])
        for name in NAMES
    ]
    (folder / "about.csv").write_text("\n".join([header, *rows]) + "\n")
    column = header.split(",")[1 + cells.index("{}")]
    data = load(folder, group_column=column, layout=layout)
    assert data.layout.name == "class-folders"
    assert data.classes == ["benign", "malignant"]
    assert groups(data) == EXPECTED
    (other,) = {*header.split(",")[1:]} - {column}
    assert any(r.startswith("Columns that") and other in r for r in data.layout.remarks)


def test_a_table_with_other_labels_has_columns_if_the_folders_are_chosen(
    load: Callable[..., Dataset], folder: Path
) -> None:
    """Without a choice, the folders and the table may both be meant."""
    rows = [f"{name},{'ab'[i % 2]},{stem(name)}" for i, name in enumerate(NAMES)]
    rows.append("gone.png,a,x")
    (folder / "about.csv").write_text("\n".join(["path,dx,patient", *rows[:-1]]))
    with pytest.raises(DataError, match="can be read in 2 ways"):
        load(folder, group_column="patient")
    (folder / "about.csv").write_text("\n".join(["path,dx,patient", *rows]))
    data = load(folder, group_column="patient", layout="class-folders")
    assert groups(data) == EXPECTED
    assert "about.csv has 1 row of images that are not in the data." in data.layout.remarks
    assert any(r.startswith("Columns that no classifier sees: dx;") for r in data.layout.remarks)


def test_numbers_of_classes_beside_class_folders_may_be_labels(
    load: Callable[..., Dataset], folder: Path
) -> None:
    """Counted from 0 on, in another order than the folders."""
    rows = [f"{name},{i % 3}" for i, name in enumerate(NAMES)]
    (folder / "about.csv").write_text("\n".join(["path,grade", *rows]))
    with pytest.raises(DataError, match="can be read in 2 ways"):
        load(folder)


def test_the_label_beside_class_folders_is_called_that(
    load: Callable[..., Dataset], folder: Path
) -> None:
    """Also where a row of an image that is gone makes the table unusable for labels."""
    write_table(folder / "about.csv", "path,label,patient", "{}")
    with pytest.raises(DataError, match=r"the column 'label' .* has the labels of the images"):
        load(folder, group_column="label")
    (folder / "about.csv").write_text((folder / "about.csv").read_text() + "gone.png,benign,x\n")
    with pytest.raises(DataError, match=r"the column 'label' .* has the labels of the images"):
        load(folder, group_column="label", layout="class-folders")


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


def test_an_empty_cell_is_a_group_of_its_own(load: Callable[..., Dataset], folder: Path) -> None:
    table = folder / "all.csv"
    rows = [f"{name},{name[:6]},{'' if i < 3 else stem(name)}" for i, name in enumerate(NAMES)]
    table.write_text("\n".join(["path,label,group", *rows]))
    data = load(table)
    assert groups(data) == EXPECTED | dict.fromkeys(NAMES[:3])
    assert data.n_groups() == 11 + 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("patent", r"no column 'patent' .* found patient, age \(did you mean patient\?\)"),
        (
            "Label",
            r"the column 'label' of .*all.csv has the labels of the images, so it cannot have "
            r"their groups, too; .* measure nothing: .* as patients or sites; .*: patient, age",
        ),
        ("path", r"the column 'path' .* has the paths of the images"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    load: Callable[..., Dataset], folder: Path, name: str, message: str
) -> None:
    table = write_table(folder / "all.csv", "path,label,patient,age", "{}", "7")
    with pytest.raises(DataError, match=message) as caught:
        load(table, group_column=name)
    assert caught.value.setting == "group_column"


def test_a_column_of_data_without_a_table_is_refused(
    load: Callable[..., Dataset], folder: Path
) -> None:
    with pytest.raises(DataError, match="found no table that is read with the data"):
        load(folder, group_column="patient")


def test_a_picture_in_two_groups_is_refused(load: Callable[..., Dataset], folder: Path) -> None:
    table = write_table(folder / "all.csv", "path,label,group", "{}")
    table.write_text(table.read_text() + f"{NAMES[0]},benign,other\n")
    with pytest.raises(DataError, match=r"b00_scan0.png appears twice, .* 'b00' .* 'other'"):
        load(table)


@pytest.mark.parametrize("pattern", ["([^/]+)_[^/_]*$", r"[bm]\d\d", r"/(.*)_"])
def test_the_first_capture_group_or_the_whole_match(
    load: Callable[..., Dataset], folder: Path, pattern: str
) -> None:
    data = load(folder, group_by=pattern)
    assert groups(data) == EXPECTED
    assert data.group_origin == f"paths, by {pattern}"
    assert on_one_side(data)


def test_paths_without_a_match_are_groups_of_their_own_and_named(
    load: Callable[..., Dataset], folder: Path
) -> None:
    make(folder, ["benign/extra.png"])
    data = load(folder, group_by="([^/]+)_")
    assert groups(data) == {**EXPECTED, "benign/extra.png": None}
    (remark,) = data.layout.remarks
    assert remark == (
        "'([^/]+)_' is not in 1 path, as 'benign/extra.png': each of these images is a group of "
        "its own."
    )


def test_a_pattern_that_matches_no_path_is_refused(
    load: Callable[..., Dataset], folder: Path
) -> None:
    with pytest.raises(DataError, match=r"in none of the paths.* 'benign/b00_scan0.png'") as caught:
        load(folder, group_by="video(.*)_")
    assert caught.value.setting == "group_by"


@pytest.mark.parametrize("pattern", ["(", "[", "(?P<a", "a{3,2}", "(?<=a+)b"])
def test_what_is_no_regular_expression_is_refused(
    load: Callable[..., Dataset], folder: Path, pattern: str
) -> None:
    with pytest.raises(DataError, match="is no regular expression"):
        load(folder, group_by=pattern)


def test_a_pattern_of_exponential_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 1.0)
    with pytest.raises(DataError, match="takes more than 1 s for 1 paths"):
        patterns.groups_by_pattern(["a" * 60], "(a+)+b")


def test_paths_that_are_not_utf8_are_matched() -> None:
    assert patterns.groups_by_pattern(["caf\udce9_1.png"], "(.*)_") == ["caf\udce9"]


def test_folders_below_the_classes(load: Callable[..., Dataset], tmp_path: Path) -> None:
    """Equal names in several classes are different folders, and it is said how to join them."""
    names = [f"{k}/{i}/{j}.png" for k in ("cats", "dogs") for i in "123" for j in range(3)]
    folder = make(tmp_path / "data", [*names, "cats/9.png"])
    data = load(folder, group_by="folder", layout="class-folders")
    assert groups(data) == {name: name.rpartition("/")[0] for name in names} | {"cats/9.png": None}
    alone, twice = data.layout.remarks[-2:]
    assert alone == (
        "1 image is in no folder below the one of a class: each is a group of its own."
    )
    assert twice.endswith("if they are the same, set group_by to '([^/]+)/[^/]+$'.")
    joined = load(folder, group_by="([^/]+)/[^/]+$", layout="class-folders")
    assert groups(joined)["cats/1/0.png"] == groups(joined)["dogs/1/0.png"] == "1"


def test_the_folders_directly_below_the_classes_are_taken(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    """Sessions of one individual are not apart; a remark names both levels, and takes the other."""
    names = [f"{k}/{k}{i}/{s}/0.png" for k in "ab" for i in range(4) for s in ("may", "june")]
    folder = make(tmp_path / "data", names)
    data = load(folder, group_by="folder", layout="class-folders")
    assert groups(data) == {name: "/".join(name.split("/")[:2]) for name in names}
    remark = (
        "Groups are folders as 'a/a0', with other folders in them, as 'a/a0/june'; if those are "
        r"the groups, set group_by to '(.*)/[^/]+$'."
    )
    assert remark in data.layout.remarks
    inner = load(folder, group_by="(.*)/[^/]+$", layout="class-folders")
    assert groups(inner) == {name: name.rpartition("/")[0] for name in names}


def test_a_folder_that_holds_all_of_a_class_is_passed(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    """As `photos` in each class: the folders in it are the groups."""
    names = [f"{k}/photos/{k}{i}/{j}.png" for k in "ab" for i in range(4) for j in range(2)]
    data = load(make(tmp_path / "data", names), group_by="folder", layout="class-folders")
    assert groups(data) == {name: name.rpartition("/")[0] for name in names}


def test_folders_of_splits_are_no_groups(load: Callable[..., Dataset], tmp_path: Path) -> None:
    names = [f"{k}/{s}/{i}.png" for k in "ab" for s in ("train", "test") for i in range(3)]
    with pytest.raises(DataError, match="no image is in a folder below the one of its class"):
        load(make(tmp_path / "data", names), group_by="folder")


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


@pytest.mark.parametrize("layout", ["auto", "class-folders"])
def test_a_table_of_groups_beside_the_pictures_is_no_table_of_labels(
    load: Callable[..., Dataset], tmp_path: Path, layout: str
) -> None:
    """Nor is it one where it is named as the table of groups."""
    folder = make(tmp_path / "data", NAMES)
    rows = [f"{name},{stem(name)}" for name in NAMES]
    (folder / "groups.csv").write_text("\n".join(["path,group", *rows]))
    data = load(folder, layout=layout)
    assert data.classes == ["benign", "malignant"]
    assert data.group_origin == "column group"
    assert groups(data) == EXPECTED
    assert data.layout.remarks == ("Columns: groups from 'group'.",)
    named = load(folder, layout=layout, groups=folder / "groups.csv")
    assert named.group_origin == "groups.csv"
    assert groups(named) == EXPECTED


def test_a_table_of_groups_beside_labels_in_file_names(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    names = [f"{label}.{i}.png" for label in ("cat", "dog") for i in range(12)]
    folder = make(tmp_path / "data", names)
    rows = [f"{name},{name[0]}{int(name[4:-4]) // 3}" for name in names]
    (folder / "animals.csv").write_text("\n".join(["path,animal_id", *rows]))
    data = load(folder, group_column="animal_id")
    assert data.layout.name == "file-names"
    assert data.n_groups() == 8


def test_a_column_of_groups_alone_has_the_labels_where_nothing_else_has(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    """As in earlier versions: an experiment has groups, too. It is said."""
    names = [f"{i}.png" for i in range(12)]
    folder = make(tmp_path / "data", names)
    rows = [f"{name},{'control' if i % 2 else 'treated'}" for i, name in enumerate(names)]
    (folder / "all.csv").write_text("\n".join(["path,group", *rows]))
    for data in (load(folder), load(folder / "all.csv")):
        assert data.classes == ["control", "treated"]
        assert not data.has_groups
        assert "Columns: labels from 'group'." in data.layout.remarks


def test_empty_cells_of_the_column_are_counted(load: Callable[..., Dataset], folder: Path) -> None:
    """Each is a group of its own, and one is named."""
    table = write_table(folder / "all.csv", "path,label,group", "{}")
    lines = table.read_text().splitlines()
    lines[1:3] = [line.rpartition(",")[0] + "," for line in lines[1:3]]
    table.write_text("\n".join(lines) + "\n")
    remarks = load(table).layout.remarks
    first = lines[1].partition(",")[0]
    assert any(
        f"2 images have no group in the column 'group', as {first!r}" in remark
        for remark in remarks
    )


@pytest.mark.parametrize("given", [["a", "b"], {"a": 1}, 7])
def test_groups_that_are_no_path_are_refused(
    load: Callable[..., Dataset], folder: Path, given: object
) -> None:
    """A list of groups would have to be in the order of files that nobody has listed yet."""
    with pytest.raises(DataError, match=r"expected the path of a table .* write the groups"):
        load(folder, groups=given)
