"""Folders as people have them, and what is expected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    "development, evaluation": both("development/{}", "evaluation/{}"),
    "learn, holdout": both("learn/{}", "holdout/{}"),
    "German": both("Trainingsdaten/{}", "Testdaten/{}"),
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
    "training folder, unlabelled test folder as Keras wants it": (
        ("train/cats/a.jpg*3", "train/dogs/a.jpg*3", "test/unknown/b.jpg*4"),
        {"cats": "3", "dogs": "3"},
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
