"""Labels in a table beside the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from extract.options import DataSettings
from tests.extract.datasets.layouts.samples import counted, make

if TYPE_CHECKING:
    from pathlib import Path


def rows(header: str, names: str, labels: str = "cat dog") -> str:
    """Return a table of the images, whose labels take turns."""
    both = labels.split()
    return "\n".join([header, *(f"{n},{both[i % 2]}" for i, n in enumerate(names.split()))])


TABLES = {
    "train, unlabelled test, labels.csv": (
        ("train/a.jpg*4", "test/b.jpg*3"), {"labels.csv": rows("id,breed", "a1 a2 a3 a4")},
        {"cat": "2", "dog": "2"}, {"images without a row in labels.csv in test": 3},
    ),
    "train.csv, test.csv without labels, sample submission": (
        ("train/a.jpg*4", "test/b.jpg*3"),
        {"train.csv": rows("id,label", "a1.jpg a2.jpg a3.jpg a4.jpg"), "test.csv": "id\nb1.jpg\n",
         "sample_submission.csv": rows("id,label", "b1.jpg b2.jpg")},
        {"cat": "2", "dog": "2"},
        {"images without a row in train.csv in test": 3, ".csv files": 2},
    ),
    "trainLabels.csv beside a wrapped folder": (
        ("cifar/train/a.png*4",), {"cifar/trainLabels.csv": rows("id,label", "a1 a2 a3 a4")},
        {"cat": "2", "dog": "2"}, {},
    ),
    "images in one folder": (
        ("images/a.jpg*4", "readme.md"), {"annotations.csv": rows("filename,class", "a1 a2 a3 a4")},
        {"cat": "2", "dog": "2"}, {".md files": 1},
    ),
    "a table of each split": (
        ("train/a.jpg*4", "test/b.jpg*2"),
        {"train/_classes.csv": "filename,cat,dog\na1.jpg,1,0\na2.jpg,0,1\na3.jpg,1,0\na4.jpg,0,1\n",
         "test/_classes.csv": "filename,cat,dog\nb1.jpg,1,0\nb2.jpg,0,1\n"},
        {"cat": "2+1", "dog": "2+1"}, {},
    ),
    "train.csv and val.csv": (
        ("images/a.jpg*4", "images/b.jpg*2"),
        {"train.csv": rows("image,label", "a1.jpg a2.jpg a3.jpg a4.jpg"),
         "val.csv": rows("image,label", "b1.jpg b2.jpg")},
        {"cat": "2+1", "dog": "2+1"}, {},
    ),
    "lists of paths and numbers, as for Caffe": (
        ("images/a.jpg*4", "images/b.jpg*2"),
        {"train.txt": "images/a1.jpg 0\nimages/a2.jpg 1\nimages/a3.jpg 0\nimages/a4.jpg 1\n",
         "test.txt": "images/b1.jpg 0\nimages/b2.jpg 1\n"},
        {"0": "2+1", "1": "2+1"}, {},
    ),
    "a table that says what the names say": (
        ("cat_0.jpg*2", "dog_0.jpg*2"),
        {"l.csv": rows("path,label", "cat_01.jpg dog_01.jpg cat_02.jpg dog_02.jpg")},
        {"cat": "2", "dog": "2"}, {},
    ),
    "a table with the splits of class folders": (
        ("cat/a.jpg*3", "dog/b.jpg*3"),
        {"all.csv": "path,label,split\ncat/a1.jpg,0,train\ncat/a2.jpg,0,train\ncat/a3.jpg,0,test\n"
                    "dog/b1.jpg,1,train\ndog/b2.jpg,1,train\ndog/b3.jpg,1,test\n"},
        {"cat": "2+1", "dog": "2+1"}, {},
    ),
    "a German table": (
        ("bilder/a.jpg*4",),
        {"l.csv": "Dateiname;Klasse;Aufteilung\na1.jpg;Katze;Training\na2.jpg;Hund;Training\n"
                  "a3.jpg;Katze;Test\na4.jpg;Hund;Test\n"},
        {"Hund": "1+1", "Katze": "1+1"}, {},
    ),
    "numbers whose zeros a spreadsheet removed": (
        ("train/0000.jpg*4",), {"labels.csv": rows("id,label", "1 2 3 4")},
        {"cat": "2", "dog": "2"}, {},
    ),
    "a table that says what the folders say": (
        ("cat/a.jpg*2", "dog/b.jpg*2"), {"all.csv": rows("path,label", "cat/a1.jpg dog/b1.jpg")},
        {"cat": "2", "dog": "2"}, {".csv files": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_beside_the_images(tmp_path: Path, kind: str) -> None:
    files, tables, expected, passed_over = TABLES[kind]
    make(tmp_path / "data", *files)
    for name, text in tables.items():
        (tmp_path / "data" / name).write_text(text)
    dataset = read_dataset(tmp_path / "data")
    assert counted(dataset) == expected
    assert dataset.layout.passed_over == passed_over


def test_a_table_that_contradicts_the_folders_is_refused(tmp_path: Path) -> None:
    """As of skin lesions, whose images are in two parts."""
    make(tmp_path, "images_part_1/a.jpg*2", "images_part_2/b.jpg*2")
    (tmp_path / "metadata.csv").write_text(rows("image_id,dx", "a1 a2 b1 b2"))
    with pytest.raises(DataError, match=r"read as table, labels in metadata.csv: 2 classes \(cat"):
        read_dataset(tmp_path)
    dataset = read_dataset(tmp_path, settings=DataSettings("table"))
    assert counted(dataset) == {"cat": "2", "dog": "2"}


def test_two_tables_with_labels_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "images/a.jpg*4")
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).write_text(rows("id,label", "a1 a2 a3 a4"))
    with pytest.raises(DataError, match=r"several tables: new.csv and old.csv; give the one"):
        read_dataset(tmp_path)


def test_tables_of_two_splits_may_not_share_images(tmp_path: Path) -> None:
    make(tmp_path, "images/a.jpg*4")
    (tmp_path / "train.csv").write_text(rows("id,label", "a1 a2 a3"))
    (tmp_path / "test.csv").write_text(rows("id,label", "a3 a4"))
    with pytest.raises(DataError, match=r"test.csv, train.csv have 1 image in common"):
        read_dataset(tmp_path)


def test_a_table_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    make(tmp_path, "images/a.jpg*2")
    (tmp_path / "labels.csv").write_text("id,label\na1,cat\nb7,dog\n")
    with pytest.raises(DataError, match=r"has no layout .*labels: .*labels.csv, line 3: there is"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("first/a.jpg*4", "second/b.jpg*4"), "a1 a2 a3 a4 b1 b2 b3 b4"),
        (("images/x_01.jpg*4", "images/y_01.jpg*4"), "x_011 x_012 x_013 x_014 y_011 y_012"),
    ],
    ids=["folders", "names"],
)
def test_a_table_with_one_wrong_row_is_not_passed_over(
    tmp_path: Path, files: tuple[str, ...], names: str
) -> None:
    """Other labels would be taken for those of the table, without a word."""
    make(tmp_path, *files)
    (tmp_path / "labels.csv").write_text(rows("id,label", names) + "\ngone,cat\n")
    with pytest.raises(
        DataError, match=r"there is no file .*gone.*; the table has labels"
    ) as error:
        read_dataset(tmp_path)
    assert error.value.setting == "layout"


def test_a_table_about_something_else_is_no_reason_to_refuse(tmp_path: Path) -> None:
    """It names no image that is there."""
    make(tmp_path, "cats/a.jpg*4", "dogs/b.jpg*4")
    (tmp_path / "prices.csv").write_text("id,label\nmilk,1.20\nbread,2.40\n")
    assert counted(read_dataset(tmp_path)) == {"cats": "4", "dogs": "4"}


def test_a_layout_is_for_folders(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg*2")
    (tmp_path / "t.csv").write_text(rows("path,label", "a1.jpg a2.jpg"))
    with pytest.raises(DataError, match=r"is a table: the layout class-folders is for folders"):
        read_dataset(tmp_path / "t.csv", settings=DataSettings("class-folders"))


UNUSABLE = {
    "several columns": ("labels.csv", "file,animal,sex\na1.jpg,cat,m\na2.jpg,dog,f\na3.jpg,cat,f\n"
                        "a4.jpg,dog,m\nb1.jpg,cat,m\nb2.jpg,dog,f\n", "any of animal, sex may be"),
    "a title": ("labels.csv", "My animals\n\npath,label\na1.jpg,cat\na2.jpg,dog\na3.jpg,cat\n"
                "b1.jpg,cat\nb2.jpg,dog\n", "line 3: expected 1 cell"),
    "a list of names": ("train.txt", "north/a1.jpg\nnorth/a2.jpg\nsouth/b1.jpg\n",
                        "none of them has labels"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_table_of_the_images_that_cannot_be_used_is_named(tmp_path: Path, kind: str) -> None:
    """The class folders beside it may not be what its owner means."""
    name, text, reason = UNUSABLE[kind]
    make(tmp_path, "north/a.jpg*4", "south/b.jpg*4")
    (tmp_path / name).write_text(text)
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ["north", "south"]
    remark = dataset.layout.remarks[0]
    if kind == "several columns":  # they may be about the images
        assert remark.startswith(f"{name} has no column that is surely of labels")
        assert list(dataset.columns[0].columns) == ["animal", "sex"]
        assert dataset.layout.passed_over == {}
    else:
        assert remark.startswith(f"{name} names images of the data, but is not used: ")
        assert reason in remark
        assert dataset.columns == ()
        assert sum(dataset.layout.passed_over.values()) == 1
    with pytest.raises(DataError, match=f"cannot be read as table; .*{reason}"):
        read_dataset(tmp_path, settings=DataSettings("table"))


@pytest.mark.parametrize("name", ["labels.txt", "meta/labels.csv"])
def test_a_table_counts_wherever_it_is(tmp_path: Path, name: str) -> None:
    make(tmp_path, "north/a.jpg*2", "south/b.jpg*2")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(rows("path,label", "a1.jpg a2.jpg b1.jpg b2.jpg"))
    with pytest.raises(DataError, match=f"read as table, labels in {name}: 2 classes"):
        read_dataset(tmp_path)


def test_a_table_that_contradicts_folders_of_splits_is_named(tmp_path: Path) -> None:
    make(tmp_path, "train/x/a.jpg*2", "train/y/b.jpg*2", "test/x/c.jpg*1", "test/y/d.jpg*1")
    (tmp_path / "labels.csv").write_text(rows("path,label", "a1.jpg a2.jpg b1.jpg b2.jpg"))
    remarks = read_dataset(tmp_path).layout.remarks
    assert remarks[0].startswith("labels.csv has labels of 4 images that are not used")
