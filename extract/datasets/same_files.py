"""Images that are the same file: copies, in two classes, or on both sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.errors import DataError, ImageError
from extract.images.files import read_bytes
from extract.images.formats import format_of
from toolkit.addresses import is_remote
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from extract.datasets.dataset import Dataset, Item


def copies(dataset: Dataset, digests: Mapping[Path, str]) -> list[tuple[Item, Item]]:
    """Return every image that is a copy of an earlier one, together with the first of its copies.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping of Path to str
        SHA-256 of the bytes of each image.

    Returns
    -------
    list of (Item, Item)
        In the order of the data set.
    """
    firsts: dict[str, Item] = {}
    pairs = [(item, firsts.setdefault(digests[item.path], item)) for item in dataset.items]
    return [(item, first) for item, first in pairs if first is not item]


def describe_copies(dataset: Dataset, digests: Mapping[Path, str]) -> list[str]:
    """Say which copies make the figures of a classifier wrong, one sentence for each kind.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping of Path to str
        SHA-256 of the bytes of each image.

    Returns
    -------
    list of str
        About images in several classes, and about test images that are training images, too.
    """
    return [*_in_several_classes(dataset, digests), *_describe_both_sides(dataset, digests)]


def _in_several_classes(dataset: Dataset, digests: Mapping[Path, str]) -> list[str]:
    twice = {
        first.path: other.path
        for other, first in copies(dataset, digests)
        if other.label != first.label
    }
    if not twice:
        return []
    first, second = next(iter(twice.items()))
    return [
        f"{plural(len(twice), 'image is', 'images are')} in more than one class, for example "
        f"{dataset.relative(first)} and {dataset.relative(second)}, which are the same file; an "
        "audit lists them."
    ]


def on_both_sides(dataset: Dataset, digests: Mapping[Path, str]) -> list[tuple[Item, Item]]:
    """Return every test image that is the same file as a training image, together with that one.

    Parameters
    ----------
    dataset : Dataset
        With a split.
    digests : mapping of Path to str
        SHA-256 of the bytes of each image.
    """
    training = {digests[item.path]: item for item in dataset.items if item.split == "train"}
    test = [item for item in dataset.items if item.split == "test"]
    return [(item, training[digests[item.path]]) for item in test if digests[item.path] in training]


def _describe_both_sides(dataset: Dataset, digests: Mapping[Path, str]) -> list[str]:
    pairs = on_both_sides(dataset, digests)
    if not pairs:
        return []
    n_test = sum(item.split == "test" for item in dataset.items)
    test, training = (dataset.relative(item.path) for item in pairs[0])
    verb = "is" if len(pairs) == 1 else "are"
    return [
        f"{len(pairs):,} of {plural(n_test, 'test image')} {verb} the same file as a training "
        f"image, as {test} and {training}: the accuracy on the test split is too high; an audit "
        "lists them."
    ]


def require_different_images(
    dataset: Dataset, digests_of: Callable[[Sequence[Path]], Mapping[Path, str]]
) -> None:
    """Check that no class is made of copies of one file, which cannot be split.

    Only the files of a class whose sizes are all the same are read.

    Parameters
    ----------
    dataset : Dataset
        It is not checked if it has a split, or is at an address.
    digests_of : callable
        Returns the SHA-256 of those of the given files that can be read.

    Raises
    ------
    DataError
        If a class has several images, and all of them are the same file.
    """
    if dataset.has_split or len(dataset.classes) < 2 or is_remote(dataset.root):
        return
    same = []
    for label in dataset.classes:
        paths = [item.path for item in dataset.items if item.label == label]
        if len(paths) > 1 and len(set(map(_size, paths))) == 1 and _size(paths[0]) is not None:
            digests = digests_of(paths)
            is_one_file = len(digests) == len(paths) and len(set(digests.values())) == 1
            if is_one_file and _is_image(paths[0]):
                same.append(f"{label!r} ({len(paths):,})")
    if same:
        raise DataError(
            f"the images of {plural(len(same), 'class', 'classes')} are copies of a single file: "
            f"{', '.join(same)}; expected different images to train and to test on; add some, or "
            "move the class out of the data"
        )


def _is_image(path: Path) -> bool:
    """Tell whether a file begins as an image; what does not is reported as unusable later."""
    try:
        return format_of(read_bytes(path)) is not None
    except ImageError:
        return False


def _size(path: Path) -> int | None:
    try:
        return None if is_remote(path) else path.stat().st_size
    except OSError:
        return None
