"""Which image has which label and split, for every layout and every mistake."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from extract.datasets.dataset import Dataset, Item, counts
from extract.datasets.layouts import images_in, read_dataset
from extract.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def found(dataset: Dataset) -> list[tuple[str, str, str | None]]:
    return [(dataset.relative(i.path), i.label, i.split) for i in dataset.items]


def test_the_lessons_folders(tmp_path: Path) -> None:
    """CLASS-train and CLASS-test give label and split; classes are sorted: dogs = 1, cats = 0."""
    touch(tmp_path, "dogs-train/dog.1.jpg", "cats-train/cat.1.jpg", "cats-test/cat.4001.jpg",
          "dogs-test/dog.4001.JPG", "dogs-train/notes.txt")  # fmt: skip
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ["cats", "dogs"]
    assert found(dataset) == [
        ("cats-test/cat.4001.jpg", "cats", "test"),
        ("cats-train/cat.1.jpg", "cats", "train"),
        ("dogs-test/dog.4001.JPG", "dogs", "test"),
        ("dogs-train/dog.1.jpg", "dogs", "train"),
    ]
    assert dataset.has_split


@pytest.mark.parametrize("test_folder", ["test", "val", "validation"])
def test_train_and_test_folders_of_classes(tmp_path: Path, test_folder: str) -> None:
    """train/CLASS and test/CLASS, or another name for the test."""
    touch(tmp_path, "train/a/1.png", "train/b/1.png", f"{test_folder}/a/2.png")
    assert found(read_dataset(tmp_path)) == sorted(
        [("train/a/1.png", "a", "train"), ("train/b/1.png", "b", "train"),
         (f"{test_folder}/a/2.png", "a", "test")]
    )  # fmt: skip


def test_a_folder_per_class_has_no_split_yet(tmp_path: Path) -> None:
    """Images may be in subfolders of the class; hidden files are ignored."""
    touch(tmp_path, "a/1.jpg", "a/deep/2.webp", "b/3.bmp", "b/.hidden.jpg", ".git/x.jpg")
    dataset = read_dataset(tmp_path)
    assert found(dataset) == [("a/1.jpg", "a", None), ("a/deep/2.webp", "a", None),
                              ("b/3.bmp", "b", None)]  # fmt: skip
    assert not dataset.has_split


def test_kaggles_file_names(tmp_path: Path) -> None:
    """CLASS.NUMBER.jpg in one folder, or in its train/; an unlabelled test/ is ignored."""
    touch(tmp_path, "train/cat.0.jpg", "train/dog.0.jpg", "test/1.jpg", "readme.txt")
    assert found(read_dataset(tmp_path)) == [("train/cat.0.jpg", "cat", None),
                                     ("train/dog.0.jpg", "dog", None)]  # fmt: skip
    assert [i.label for i in read_dataset(tmp_path / "train").items] == ["cat", "dog"]


def test_a_single_folder_around_the_classes_is_entered(tmp_path: Path) -> None:
    """Archives often contain a single folder, and those of a Mac a second one with metadata."""
    touch(tmp_path, "pets/cats/1.jpg", "pets/dogs/1.jpg", "__MACOSX/pets/cats/._1.jpg")
    assert read_dataset(tmp_path).classes == ["cats", "dogs"]


def test_csv_with_and_without_a_split(tmp_path: Path) -> None:
    """Paths are relative to the CSV file; the split column is optional."""
    touch(tmp_path, "x/1.jpg", "x/2.jpg")
    (tmp_path / "d.csv").write_text("path,label,split\nx/1.jpg,b,train\nx/2.jpg,a,TEST\n")
    assert found(read_dataset(tmp_path / "d.csv")) == [
        ("x/1.jpg", "b", "train"),
        ("x/2.jpg", "a", "test"),
    ]
    (tmp_path / "e.csv").write_text("label,path\nb,x/1.jpg\na,x/2.jpg\n")
    assert not read_dataset(tmp_path / "e.csv").has_split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns path,label"),
        ("file,label\nx,y\n", "line 2: there is no file"),
        ("path,label\n", "found none below the header"),
        ("path,label\nabsent.jpg,a\n", "line 2: there is no file"),
        ("path,label\nx/1.jpg,\n", "line 2: expected a path and a label"),
        ("path,label,split\nx/1.jpg,a,spare\n", "line 2: the split is 'spare'"),
        ("path,label\nx/1.jpg,a\nx/1.jpg,b\n", "appears twice, once as a"),
        ("path,label,split\nx/1.jpg,a,test\nx/2.jpg,a,\n", "has no split"),
    ],
)
def test_a_wrong_csv_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake has its own message."""
    touch(tmp_path, "x/1.jpg", "x/2.jpg")
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path / "d.csv")


def test_a_class_folder_without_images_is_an_error(tmp_path: Path) -> None:
    """A label without images is named, not ignored."""
    touch(tmp_path, "a/1.jpg", "b/drawing.psd")
    with pytest.raises(DataError, match="class 'b' has no images"):
        read_dataset(tmp_path)


def test_a_folder_without_a_layout_lists_the_layouts(tmp_path: Path) -> None:
    """The message lists the layouts and what was found instead."""
    touch(tmp_path, "holiday1.jpg", "holiday2.jpg")
    with pytest.raises(DataError, match=r"one folder per class.*found holiday1.jpg, holiday2.jpg"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="found neither"):
        read_dataset(tmp_path / "absent")


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    """Class names may contain newlines and bytes that are not UTF-8."""
    odd = os.fsdecode(b"caf\xe9\n")
    touch(tmp_path, f"{odd}/1.jpg", "b/1.jpg")
    assert read_dataset(tmp_path).classes == sorted([odd, "b"])


def digests(n: int, salt: str = "") -> list[str]:
    return [hashlib.sha256(f"{salt}{i}".encode()).hexdigest() for i in range(n)]


def flat(n: int, label: str = "a", start: int = 0) -> tuple[Item, ...]:
    return tuple(Item(Path(f"/d/{label}/{i}.jpg"), label, None) for i in range(start, start + n))


def test_the_hashed_split_is_stratified_and_seeded() -> None:
    """The same share of each class is drawn; the seed decides which images."""
    dataset = Dataset("d", Path("/d"), flat(500) + flat(300, "b"))
    names = digests(800)
    split = dataset.with_hashed_split(names, 0.25, seed=0)
    assert counts(split.items, ["a", "b"], "test") == [125, 75]
    again = dataset.with_hashed_split(names, 0.25, seed=0)
    assert split == again
    other = dataset.with_hashed_split(names, 0.25, seed=1)
    assert [i.split for i in other.items] != [i.split for i in split.items]


@pytest.mark.parametrize("n_added", [1, 10, 100])
def test_adding_images_moves_at_most_those_at_the_border(n_added: int) -> None:
    """All that move go the same way: they are next to each other in the order of the draws."""
    names = digests(200 + n_added)
    few = Dataset("d", Path("/d"), flat(200)).with_hashed_split(names[:200], 0.2, seed=0)
    many = Dataset("d", Path("/d"), flat(200 + n_added)).with_hashed_split(names, 0.2, seed=0)
    moved = [
        (before.split, after.split)
        for before, after in zip(few.items, many.items, strict=False)
        if before != after
    ]
    assert len(set(moved)) <= 1
    assert len(moved) <= max(1, n_added // 5)


def test_copies_of_one_image_are_in_one_split() -> None:
    """The same image in both splits would be a leak."""
    dataset = Dataset("d", Path("/d"), flat(100))
    names = digests(50) * 2
    split = dataset.with_hashed_split(names, 0.5, seed=0)
    assert [i.split for i in split.items[:50]] == [i.split for i in split.items[50:]]


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("size", [0.01, 0.5, 0.99])
def test_a_small_class_has_two_images_to_train_and_one_to_test(n: int, size: float) -> None:
    """Whatever the share and the seed."""
    for salt in map(str, range(20)):
        dataset = Dataset("d", Path("/d"), flat(n))
        split = dataset.with_hashed_split(digests(n, salt), size, seed=0)
        assert counts(split.items, ["a"], "train")[0] >= 2
        assert counts(split.items, ["a"], "test")[0] >= 1


def test_a_class_of_two_images_has_one_in_each_split() -> None:
    for salt in map(str, range(20)):
        split = Dataset("d", Path("/d"), flat(2)).with_hashed_split(digests(2, salt), 0.2, seed=0)
        assert {i.split for i in split.items} == {"train", "test"}


def test_copies_do_not_count_as_two_training_images() -> None:
    """They are always in the same split, so two others must be found."""
    names = digests(3)
    split = Dataset("d", Path("/d"), flat(4)).with_hashed_split([names[0], *names], 0.99, seed=0)
    train = {
        name for name, i in zip([names[0], *names], split.items, strict=True) if i.split == "train"
    }
    assert len(train) == 2


@pytest.mark.parametrize("size", [0.0, 1.0, -1.0])
def test_a_share_must_be_between_0_and_1(size: float) -> None:
    """Shares of 0 and 1 are refused."""
    with pytest.raises(DataError, match="between 0 and 1"):
        Dataset("d", Path("/d"), flat(3)).with_hashed_split(digests(3), size, seed=0)


def test_images_in_accepts_files_and_folders(tmp_path: Path) -> None:
    """A file is returned itself, a folder as its sorted image files; a missing one is an error."""
    touch(tmp_path, "b.jpg", "a.png", "notes.txt")
    assert [p.name for p in images_in(tmp_path).paths] == ["a.png", "b.jpg"]
    assert images_in(tmp_path).passed_over == {".txt files": 1}
    assert images_in(tmp_path / "b.jpg").paths == [tmp_path / "b.jpg"]
    with pytest.raises(DataError, match=r"new.zip is an archive, not an image; unpack it"):
        images_in(touch(tmp_path, "new.zip") / "new.zip")
    with pytest.raises(DataError, match=r"notes.txt is a table or a text, not an image"):
        images_in(tmp_path / "notes.txt")
    with pytest.raises(DataError, match="no file or folder"):
        images_in(tmp_path / "absent")
    with pytest.raises(DataError, match="contains no images"):
        images_in(touch(tmp_path, "empty/x.txt") / "empty")
