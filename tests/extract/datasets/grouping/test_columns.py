"""Groups from a column of a table that is read with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract import Dataset


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
