"""A test split drawn by the names of groups: every group is on one side."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from extract.datasets.dataset import Dataset, Item, counts
from extract.errors import DataError


def digests(n: int) -> list[str]:
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(n)]


def grouped(*groups: tuple[str, str, int]) -> Dataset:
    """Return a data set of images in groups, each given by its name, its class and its size."""
    items = [
        Item(Path(f"/d/{label}/{group}_{i}.jpg"), label, None, group)
        for group, label, n in groups
        for i in range(n)
    ]
    return Dataset("d", Path("/d"), tuple(items), group_origin="as given")


def patients(n: int, sizes: int = 5) -> list[tuple[str, str, int]]:
    """Return so many groups of 1 to `sizes` images in each of two classes."""
    rng = np.random.default_rng(0)
    return [
        (f"{label}-{i}", label, int(rng.integers(1, sizes + 1))) for label in "ab" for i in range(n)
    ]


def split(dataset: Dataset, share: float = 0.2, seed: int = 0) -> Dataset:
    return dataset.with_hashed_split(digests(len(dataset)), share, seed)


def sides(dataset: Dataset) -> dict[str | None, set[str | None]]:
    found: dict[str | None, set[str | None]] = {}
    for item in dataset.items:
        found.setdefault(item.group, set()).add(item.split)
    return found


def test_every_group_is_on_one_side_and_a_share_of_each_class_is_for_the_test() -> None:
    found = split(grouped(*patients(40)), 0.25)
    assert all(len(of_group) == 1 for of_group in sides(found).values())
    test = Counter(str(group)[0] for group, of in sides(found).items() if of == {"test"})
    assert test == {"a": 10, "b": 10}
    n_test = counts(found.items, ["a", "b"], "test")
    assert found.split_origin == (
        f"{sum(n_test)} of {len(found)} drawn for the test, 20 of 80 groups by their names, 25% of "
        "those of every class, seed 0"
    )
    assert sides(split(grouped(*patients(40)), 0.25, seed=1)) != sides(found)


def test_without_groups_the_split_is_that_of_earlier_versions() -> None:
    """Pinned: the images that were drawn before there were groups."""
    items = tuple(Item(Path(f"/d/{i}.jpg"), "ab"[i % 2], None) for i in range(40))
    drawn = split(Dataset("d", Path("/d"), items))
    test = [i for i, item in enumerate(drawn.items) if item.split == "test"]
    assert test == [8, 9, 17, 18, 28, 29, 36, 39]
    assert drawn.split_origin == (
        "8 of 40 drawn for the test by their content, 20% of every class, seed 0"
    )


def test_images_without_a_group_are_drawn_by_content() -> None:
    """Copies among them stay together, whatever their names."""
    alone = [Item(Path(f"/d/{i}.jpg"), "ab"[i % 2], None) for i in range(60)]
    dataset = Dataset("d", Path("/d"), (*grouped(*patients(20)).items, *alone))
    names = digests(len(dataset))
    names[-60:] = digests(30) * 2
    found = dataset.with_hashed_split(names, 0.3, 0)
    of_copies = [item.split for item in found.items[-60:]]
    assert of_copies[:30] == of_copies[30:]
    assert set(of_copies) == {"train", "test"}
    renamed = tuple(
        dataclasses.replace(item, path=item.path.with_stem(f"new-{item.path.stem}"))
        for item in dataset.items
    )
    again = dataclasses.replace(dataset, items=renamed).with_hashed_split(names, 0.3, 0)
    assert [item.split for item in again.items] == [item.split for item in found.items]


def test_adding_pictures_to_groups_moves_nobody() -> None:
    before = sides(split(grouped(*patients(30))))
    more = [(group, label, n + 7) for group, label, n in patients(30)]
    assert sides(split(grouped(*more))) == before


@pytest.mark.parametrize("n_added", [1, 10, 50])
def test_adding_groups_moves_at_most_those_at_the_border(n_added: int) -> None:
    before = sides(split(grouped(*patients(100))))
    after = sides(split(grouped(*patients(100 + n_added))))
    for label in "ab":
        moved = [
            (before[group], after[group])
            for group in before
            if str(group)[0] == label and before[group] != after[group]
        ]
        assert len({str(move) for move in moved}) <= 1
        assert len(moved) <= max(1, n_added // 5)


def test_groups_of_several_classes_stay_whole_and_every_class_is_on_both_sides() -> None:
    """Whatever the seed: patients with healthy and sick images, and some with one kind."""
    rng = np.random.default_rng(1)
    groups = [
        (f"p{i}", label, int(rng.integers(1, 6)))
        for i in range(30)
        for label in "abc"
        if rng.random() < 0.5
    ]
    for seed in range(50):
        found = split(grouped(*groups), 0.2, seed)
        assert all(len(of_group) == 1 for of_group in sides(found).values())
        assert min(counts(found.items, ["a", "b", "c"], "train")) >= 2
        assert min(counts(found.items, ["a", "b", "c"], "test")) >= 1


def test_a_group_that_training_needs_is_not_taken() -> None:
    """Two groups, one of a single image: that one is for the test, whatever is drawn."""
    for seed in range(20):
        found = split(grouped(("big", "a", 5), ("one", "a", 1), *patients(5)[5:]), 0.5, seed)
        assert sides(found)["one"] == {"test"}
        assert sides(found)["big"] == {"train"}


def test_a_class_in_one_group_is_refused_by_name() -> None:
    dataset = grouped(("herd 1", "goat", 12), *patients(5))
    with pytest.raises(DataError, match=r"'goat' is in one group only, 'herd 1' \(12 images\)"):
        split(dataset)


def test_a_class_whose_groups_other_classes_need_is_refused() -> None:
    """Both groups of the class are all that another class has to train on."""
    dataset = grouped(("g1", "a", 1), ("g2", "a", 1), ("g1", "b", 3), ("g2", "b", 3))
    with pytest.raises(DataError, match=r"'a' \(2 images in 2 groups: 'g\d', 'g\d'\)"):
        split(dataset)


def test_a_single_class_in_a_single_group_is_all_for_training() -> None:
    """Embeddings can be extracted of it; nothing can be trained."""
    found = split(grouped(("g", "a", 4)))
    assert {item.split for item in found.items} == {"train"}
