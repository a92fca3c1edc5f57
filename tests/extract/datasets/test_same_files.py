"""Images that are the same file, on both sides of a split or in two classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extract.datasets.dataset import Dataset, Item, Split
from extract.datasets.same_files import describe_copies, require_different_images
from extract.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


def described(*rows: tuple[str, str, Split, str]) -> list[str]:
    """Describe images given as (name, label, split, digest)."""
    items = tuple(Item(Path("/d") / name, label, split) for name, label, split, _ in rows)
    digests = {Path("/d") / name: digest for name, _, _, digest in rows}
    return describe_copies(Dataset("pets", Path("/d"), items), digests)


def test_test_images_that_are_training_images_are_counted() -> None:
    (sentence,) = described(
        ("train/1.jpg", "cat", "train", "a"),
        ("train/2.jpg", "cat", "train", "b"),
        ("test/1.jpg", "cat", "test", "a"),
        ("test/2.jpg", "cat", "test", "c"),
        ("test/3.jpg", "cat", "test", "b"),
    )
    assert sentence == (
        "2 of 3 test images are the same file as a training image, as test/1.jpg and train/1.jpg: "
        "the accuracy on the test split is too high; an audit lists them."
    )


def test_an_image_in_two_classes_is_counted_and_a_copy_inside_a_class_is_not() -> None:
    (sentence,) = described(
        ("cat/1.jpg", "cat", "train", "a"),
        ("cat/2.jpg", "cat", "train", "b"),
        ("cat/copy.jpg", "cat", "train", "b"),
        ("dog/1.jpg", "dog", "train", "a"),
    )
    assert sentence.startswith("1 image is in more than one class, for example cat/1.jpg and dog/1")


PNG = "\x89PNG\r\n\x1a\n"


def of_classes(tmp_path: Path, **contents: list[str]) -> Dataset:
    items = []
    for label, texts in contents.items():
        (tmp_path / label).mkdir()
        for i, text in enumerate(texts):
            path = tmp_path / label / f"{i}.jpg"
            path.write_bytes(text.encode("latin-1"))
            items.append(Item(path, label, None))
    return Dataset("pets", tmp_path, tuple(items))


def test_a_class_of_copies_of_one_file_is_refused(tmp_path: Path) -> None:
    dataset = of_classes(tmp_path, cats=["a", "bb", "c"], dogs=["d", "e", "f"], birds=[PNG] * 3)
    read: list[Path] = []

    def digests_of(paths: Sequence[Path]) -> dict[Path, str]:
        read.extend(paths)
        return {path: path.read_bytes().hex() for path in paths}

    with pytest.raises(
        DataError, match=r"of 1 class are copies of a single file: 'birds' \(3\); expected"
    ):
        require_different_images(dataset, digests_of)
    assert {path.parent.name for path in read} == {"birds", "dogs"}  # cats differ in size
