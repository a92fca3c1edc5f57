"""What people have, and how it is read: every kind of folder, or the refusal that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from extract.options import DataSettings
from tests.extract.datasets.layouts.samples import BOTH, CLASSES, DRAWN, SPLIT, both, counted, make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", SPLIT)
def test_folders_of_splits(tmp_path: Path, kind: str) -> None:
    dataset = read_dataset(make(tmp_path / "data", *SPLIT[kind]))
    assert counted(dataset) == BOTH
    assert dataset.layout.name == "split-folders"


@pytest.mark.parametrize("kind", DRAWN)
def test_folders_without_a_split(tmp_path: Path, kind: str) -> None:
    files, expected = DRAWN[kind]
    assert counted(read_dataset(make(tmp_path / "data", *files))) == expected


UNCLEAR = {
    "a class beside splits": (
        (*both("train/{}", "test/{}"), "cats/a.jpg*3"), ["split-folders", "class-folders"],
    ),
    "splits without classes": (
        ("train/a.jpg*3", "val/a.jpg*3"), ["unlabelled", "class-folders"],
    ),
    "a folder called test among classes": (
        (*CLASSES, "test/a.jpg*3"), ["split-folders", "class-folders"],
    ),
    "some classes with splits": (
        ("cats/train/a.jpg*3", "cats/test/a.jpg*3", "dogs/a.jpg*3"),
        ["split-folders", "class-folders"],
    ),
    "some names with splits": (
        ("cats-train/a.jpg*3", "cats-test/a.jpg*3", "dogs/a.jpg*3"),
        ["split-folders", "class-folders"],
    ),
    "folds": (
        tuple(f"fold{i}/{label}/a.jpg*3" for i in range(1, 6) for label in ("cats", "dogs")),
        ["class-folders", "leaf-folders"],
    ),
    "classes beside a validation split": (
        (*CLASSES, "val/cats/a.jpg*2", "val/dogs/a.jpg*2"), ["split-folders", "class-folders"],
    ),
    "months": (("2023-01/a.jpg*3", "2023-02/a.jpg*3"), ["class-folders", "unlabelled"]),
    "a camera's folders": (
        ("100CANON/a.jpg*3", "101CANON/a.jpg*3"), ["class-folders", "unlabelled"],
    ),
    "variants of all images": (
        tuple(f"{v}/{c}/a.jpg*2" for v in ("color", "grey") for c in ("apple", "corn")),
        ["class-folders", "leaf-folders"],
    ),
    "parts of one collection": (
        ("HAM10000_images_part_1/a.jpg*3", "HAM10000_images_part_2/a.jpg*3"),
        ["class-folders", "unlabelled"],
    ),
    "masks": (("images/a.jpg*3", "masks/a.png*3"), ["class-folders", "unlabelled"]),
    "a copy of all classes beside them": (
        (*CLASSES, "cell_images/cats/b.jpg*3", "cell_images/dogs/b.jpg*3"),
        ["class-folders", "leaf-folders"],
    ),
    "folds with splits and classes": (
        tuple(f"fold{n}/{split}/{label}/a.jpg*2" for n in (1, 2) for split in ("train", "val")
              for label in ("cats", "dogs")),
        ["split-folders", "leaf-folders"],
    ),
    "images and masks in every class": (
        ("covid/images/a.png*3", "covid/masks/a.png*3", "normal/images/a.png*3",
         "normal/masks/a.png*3"),
        ["class-folders", "leaf-folders"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_can_be_read_in_two_ways_is_refused_with_both(tmp_path: Path, kind: str) -> None:
    files, layouts = UNCLEAR[kind]
    with pytest.raises(DataError, match="can be read in 2 ways") as raised:
        read_dataset(make(tmp_path / "data", *files))
    assert raised.value.setting == "layout"
    assert all(f"read as {layout}, " in str(raised.value) for layout in layouts)


@pytest.mark.parametrize(
    ("files", "layout", "expected"),
    [
        ((*CLASSES, "test/a.jpg*3"), "class-folders", {"cats": "3", "dogs": "3", "test": "3"}),
        ((*CLASSES, "test/a.jpg*3"), "split-folders", {"cats": "3", "dogs": "3"}),
        ((*both("train/{}", "test/{}"), "cats/a.jpg*3"), "split-folders", BOTH),
        ((*CLASSES, "val/cats/a.jpg*2", "val/dogs/a.jpg*2"), "split-folders", BOTH),
        (UNCLEAR["folds"][0], "leaf-folders", {"cats": "15", "dogs": "15"}),
        (("a/x/1.jpg", "a/y/1.jpg", "b/z/1.jpg"), "leaf-folders", {"x": "1", "y": "1", "z": "1"}),
        (both("train/{}", "test/{}"), "leaf-folders", BOTH),
    ],
)
def test_a_layout_that_is_named_settles_it(
    tmp_path: Path, files: tuple[str, ...], layout: str, expected: dict[str, str]
) -> None:
    dataset = read_dataset(make(tmp_path / "data", *files), settings=DataSettings(layout))
    assert counted(dataset) == expected
    assert dataset.layout.name == layout


def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as file-names; found cats/, dogs/"):
        read_dataset(make(tmp_path, *CLASSES), settings=DataSettings("file-names"))


NO_LABELS = {
    "holidays": ("holiday1.jpg", "holiday2.jpg"),
    "a camera's names": ("IMG_0001.jpg", "IMG_0002.jpg", "DSC_0001.jpg", "DSC_0002.jpg"),
    "one class in the names": ("image_0001.jpg", "image_0002.jpg"),
    "one name without a number": ("cat_1.jpg", "cat_2.jpg", "dog_1.jpg", "dog_2.jpg", "bird.jpg"),
    "numbers of patients": ("p01_1.png", "p01_2.png", "p02_1.png", "p02_2.png"),
    "a folder called images": ("images/a.jpg*3", "labels/a.txt"),
    "YOLO": ("train/images/a.jpg*3", "train/labels/a.txt", "README.dataset.txt"),
}


@pytest.mark.parametrize("kind", NO_LABELS)
def test_images_without_labels_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match="has no layout that gives labels: expected one folder per"):
        read_dataset(make(tmp_path, *NO_LABELS[kind]))


@pytest.mark.parametrize(
    ("validation", "expected", "words"),
    [
        ("auto", "5+1", "(4 images) joins the training split: everything is chosen inside it"),
        ("train", "5+1", "joins the training split."),
        ("test", "3+3", "joins the test split."),
        ("ignore", "3+1", "is left out"),
    ],
)
def test_a_validation_split_beside_a_test_split(
    tmp_path: Path, validation: str, expected: str, words: str
) -> None:
    files = [f"{split}/{label}/a.jpg*{n}" for label in ("cats", "dogs")
             for split, n in (("train", 3), ("val", 2), ("test", 1))]  # fmt: skip
    dataset = read_dataset(make(tmp_path, *files), settings=DataSettings(validation=validation))
    assert counted(dataset) == {"cats": expected, "dogs": expected}
    assert words in dataset.layout.remarks[0]
    assert dataset.layout.passed_over == (
        {"images of the validation split": 4} if validation == "ignore" else {}
    )


@pytest.mark.parametrize(
    "drawn", ["mask", "slice_mask", "gt", "seg", "label"], ids=lambda drawn: str(drawn)
)
def test_masks_beside_their_images_in_one_folder_are_refused(tmp_path: Path, drawn: str) -> None:
    make(tmp_path, "slice_.png*4", f"{drawn}_.png*4")
    with pytest.raises(DataError, match=r"read as file-names, .*; read as unlabelled, images and"):
        read_dataset(tmp_path)


def test_a_misspelt_split_is_named(tmp_path: Path) -> None:
    make(tmp_path, *both("Train/{}", "Tset/{}"))
    with pytest.raises(DataError, match=r"rename 'Tset' \(did you mean test\?\)"):
        read_dataset(tmp_path)


def test_the_file_whose_name_has_no_label_is_named(tmp_path: Path) -> None:
    make(tmp_path, "cat_0.jpg*9", "dog_0.jpg*9", "unsorted.jpg")
    for layout in ("auto", "file-names"):
        with pytest.raises(DataError, match=r"label but 1 name, as unsorted.jpg: rename or move"):
            read_dataset(tmp_path, settings=DataSettings(layout))
