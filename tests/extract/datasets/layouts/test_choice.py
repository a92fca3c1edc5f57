"""What people have, and how it is read: every kind of folder, or the refusal that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from extract.options import DataSettings

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset


def make(root: Path, *names: str) -> Path:
    """Write empty files; ``name*3`` is three of them, with a number before the suffix."""
    for name in names:
        name, _, number = name.partition("*")
        for i in range(1, int(number or 1) + 1):
            stem, dot, suffix = name.rpartition(".")
            path = root / (f"{stem}{i}{dot}{suffix}" if number else name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return root


def counted(dataset: Dataset) -> dict[str, str]:
    """Return the numbers of every class: in training and test, or in all without a split."""
    numbers: dict[str, str] = {}
    for label, split in dataset.class_counts().items():
        in_all = sum(item.label == label for item in dataset.items)
        numbers[label] = f"{split['train']}+{split['test']}" if dataset.has_split else f"{in_all}"
    return numbers


CLASSES = ("cats/a.jpg*3", "dogs/a.jpg*3")
BOTH = {"cats": "3+2", "dogs": "3+2"}


def both(train: str, test: str) -> tuple[str, ...]:
    """Return two classes in folders like ``train/{}``."""
    return tuple(
        f"{pattern.format(label)}/{split}.jpg*{number}"
        for label in ("cats", "dogs")
        for pattern, split, number in ((train, "r", 3), (test, "e", 2))
    )


SPLIT = {
    "training, testing": both("Training/{}", "Testing/{}"),
    "train, test": both("train/{}", "test/{}"),
    "in capitals": both("TRAIN/{}", "TEST/{}"),
    "train, validation": both("train/{}", "validation/{}"),
    "valid, as Roboflow": both("train/{}", "valid/{}"),
    "eval": both("train/{}", "eval/{}"),
    "dev": both("train/{}", "dev/{}"),
    "train_set": both("train_set/{}", "test_set/{}"),
    "training_set": both("training_set/training_set/{}", "test_set/test_set/{}"),
    "seg_train, doubled": both("seg_train/seg_train/{}", "seg_test/seg_test/{}"),
    "images_train": both("images_train/{}", "images_test/{}"),
    "training_data": both("training_data/{}", "test_images/{}"),
    "train2017": both("train2017/{}", "val2017/{}"),
    "a space behind": both("Train/{}", "Test /{}"),
    "wrapped": both("x/x/train/{}", "x/x/test/{}"),
    "images inside": both("train/images/{}", "test/images/{}"),
    "below the classes": both("{}/train", "{}/test"),
    "below, wrapped": both("pets/{}/Train", "pets/{}/Valid"),
    "in the names": both("{}-train", "{}-test"),
    "in the names, with an underscore": both("{}_train", "{}_val"),
    "before the names": both("train_{}", "test_{}"),
    "one name before the splits": both("pets_train/pets_train/{}", "pets_test/pets_test/{}"),
    "masks beside": (*both("train/{}", "test/{}"), "ground_truth/cats/a.png*2"),
    "an unlabelled folder beside, doubled": (
        *both("seg_train/seg_train/{}", "seg_test/seg_test/{}"), "seg_pred/seg_pred/a.jpg*3",
    ),
    "an unlabelled folder beside": (*both("seg_train/{}", "seg_test/{}"), "seg_pred/a.jpg*9"),
    "readmes and licences beside": (
        *both("train/{}", "test/{}"), "README.md", "LICENSE", "notes.ipynb", "train/x.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPLIT)
def test_folders_of_splits(tmp_path: Path, kind: str) -> None:
    dataset = read_dataset(make(tmp_path / "data", *SPLIT[kind]))
    assert counted(dataset) == BOTH
    assert dataset.layout.name == "split-folders"


DRAWN = {
    "class folders": (CLASSES, {"cats": "3", "dogs": "3"}),
    "doubled": (
        ("x/x/cats/a.jpg*3", "x/x/dogs/a.jpg*3", "x/readme.txt"), {"cats": "3", "dogs": "3"},
    ),
    "beside a readme and a .docx": (
        ("PetImages/Cat/a.jpg*3", "PetImages/Dog/a.jpg*3", "readme[1].txt", "MSR-LA - 3467.docx"),
        {"Cat": "3", "Dog": "3"},
    ),
    "__background__": (
        (*CLASSES, "__background__/a.jpg*3", "_none_/a.jpg*3"),
        {"__background__": "3", "_none_": "3", "cats": "3", "dogs": "3"},
    ),
    "BACKGROUND_Google": (
        ("101_ObjectCategories/BACKGROUND_Google/image_0001.jpg*3",
         "101_ObjectCategories/accordion/image_0001.jpg*3"),
        {"BACKGROUND_Google": "3", "accordion": "3"},
    ),
    "digits": (("0/a.png*3", "1/a.png*3", "2/a.png*3"), {"0": "3", "1": "3", "2": "3"}),
    "positive, negative": (
        ("Positive/a.jpg*3", "Negative/a.jpg*3"), {"Negative": "3", "Positive": "3"},
    ),
    "numbered classes": (("c0/a.jpg*3", "c1/a.jpg*3"), {"c0": "3", "c1": "3"}),
    "ImageNet's numbers": (
        ("train/n01440764/a.JPEG*3", "train/n01443537/a.JPEG*3"),
        {"n01440764": "3", "n01443537": "3"},
    ),
    "meta beside images": (
        ("food/images/pie/a.jpg*3", "food/images/soup/a.jpg*3", "food/meta/train.txt"),
        {"pie": "3", "soup": "3"},
    ),
    "trains among vehicles": (
        ("bus/a.jpg*3", "car/a.jpg*3", "train/a.jpg*3"), {"bus": "3", "car": "3", "train": "3"},
    ),
    "kinds of trains": (
        ("steam-train/a.jpg*3", "bullet-train/a.jpg*3", "bus/a.jpg*3"),
        {"bullet-train": "3", "bus": "3", "steam-train": "3"},
    ),
    "folders in classes": (
        ("cats/siamese/a.jpg*2", "cats/persian/a.jpg*1", "dogs/a.jpg*3"),
        {"cats": "3", "dogs": "3"},
    ),
    "empty folders and lost+found": (
        (*CLASSES, "lost+found/x.jpg", "@eaDir/x.jpg"), {"cats": "3", "dogs": "3"},
    ),
    "training folder, unlabelled test folder": (
        ("train/cats/a.jpg*3", "train/dogs/a.jpg*3", "test/b.jpg*4"), {"cats": "3", "dogs": "3"},
    ),
    "only a training folder": (
        ("train/cats/a.jpg*3", "train/dogs/a.jpg*3"), {"cats": "3", "dogs": "3"},
    ),
    "CLASS.NUMBER": (("cat.1.jpg", "cat.2.jpg", "dog.1.jpg"), {"cat": "2", "dog": "1"}),
    "CLASS_NUMBER": (("cat_00.jpg*2", "dog_00.jpg*3"), {"cat": "2", "dog": "3"}),
    "CLASS (NUMBER)": (
        ("big cat (1).jpg", "big cat (2).jpg", "dog (1).jpg", "dog (2).jpg"),
        {"big cat": "2", "dog": "2"},
    ),
    "names in a folder": (
        ("images/Abyssinian_1.jpg", "images/Abyssinian_2.jpg", "images/great_dane_1.jpg",
         "images/great_dane_2.jpg", "annotations/x.xml"),
        {"Abyssinian": "2", "great_dane": "2"},
    ),
    "names in a folder, and masks": (
        ("images/Abyssinian_1.jpg", "images/Abyssinian_2.jpg", "images/pug_1.jpg",
         "images/pug_2.jpg", "annotations/trimaps/Abyssinian_1.png"),
        {"Abyssinian": "2", "pug": "2"},
    ),
    "camel case": (
        ("trainCats/a.jpg*3", "testCats/a.jpg*1", "trainDogs/a.jpg*3", "testDogs/a.jpg*2"),
        {"Cats": "3+1", "Dogs": "3+2"},
    ),
    "Teachable Machine": (
        ("Class 1-samples/0.jpg*3", "Class 2-samples/0.jpg*3"),
        {"Class 1-samples": "3", "Class 2-samples": "3"},
    ),
    "kingdoms of animals and plants": (
        ("Animalia/Aves/robin/a.jpg*2", "Animalia/Mammalia/fox/a.jpg*2", "Plantae/Rosa/a.jpg*2"),
        {"Animalia": "4", "Plantae": "2"},
    ),
    "only a test folder": (
        ("test/cats/a.jpg*3", "test/dogs/a.jpg*3"), {"cats": "3", "dogs": "3"},
    ),
    "Kaggle's names, unlabelled test folder": (
        ("train/cat.0.jpg", "train/dog.0.jpg", "test1/1.jpg"), {"cat": "1", "dog": "1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DRAWN)
def test_folders_without_a_split(tmp_path: Path, kind: str) -> None:
    files, expected = DRAWN[kind]
    assert counted(read_dataset(make(tmp_path / "data", *files))) == expected


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
    with pytest.raises(DataError, match=r"has no layout .*; .*labels.csv, line 3: there is"):
        read_dataset(tmp_path)


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
