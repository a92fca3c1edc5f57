"""Groups that measure nothing are explained, before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extract.datasets.dataset import Dataset, Item
from extract.datasets.grouping.checks import describe_groups, groups_summary, require_groups
from extract.errors import DataError

if TYPE_CHECKING:
    from extract.datasets.dataset import Split


def dataset(*rows: tuple[str, str | None, Split | None]) -> Dataset:
    """Return images of a class, a group and a split each."""
    items = tuple(
        Item(Path(f"/d/{label}/{i}.png"), label, split, group)
        for i, (label, group, split) in enumerate(rows)
    )
    return Dataset("d", Path("/d"), items, group_origin="column site", group_setting="group_column")


def test_one_group_for_all_is_refused_and_explained() -> None:
    data = dataset(*[(label, "x", None) for label in "ab" for _ in range(4)])
    with pytest.raises(
        DataError, match=r"all 8 images are in one group, 'x' \(column site\)"
    ) as it:
        require_groups(data)
    assert it.value.setting == "group_column"
    assert describe_groups(data)[0].startswith("All 8 images are in one group")


def test_groups_that_are_the_labels_are_refused_and_explained() -> None:
    data = dataset(*[(label, label.upper(), None) for label in "ab" for _ in range(4)])
    with pytest.raises(DataError, match=r"each class is one group .*'a' is 'A'.*same as the label"):
        require_groups(data)


def test_a_class_in_one_group_is_refused_with_the_class_and_the_group() -> None:
    rows = [("a", f"g{i}", None) for i in range(4)] + [("b", "herd 1", None)] * 4
    with pytest.raises(DataError, match=r"'b' is in one group only, 'herd 1' \(4 images\)") as it:
        require_groups(dataset(*rows))
    assert it.value.setting == "group_column"
    assert describe_groups(dataset(*rows)) == [
        "The class 'b' is in one group only, 'herd 1' (4 images)."
    ]


@pytest.mark.parametrize("group", ["one for all", "the label"])
def test_with_a_split_of_the_data_they_are_only_remarks(group: str) -> None:
    splits: tuple[Split, ...] = ("train", "train", "test")
    rows = [
        (label, label if group == "the label" else "x", split) for label in "ab" for split in splits
    ]
    data = dataset(*rows)
    require_groups(data)
    remarks = describe_groups(data)
    assert ("Each class is one group" in remarks[0]) == (group == "the label")
    assert ("All 6 images are in one group" in remarks[0]) == (group == "one for all")
    assert "on both sides of the split" in remarks[1]


def test_one_group_for_each_image_changes_nothing() -> None:
    rows = [(label, f"{label}{i}", None) for label in "ab" for i in range(4)]
    data = dataset(*rows)
    require_groups(data)
    assert describe_groups(data) == [
        "Every image is a group of its own (column site), so the groups change nothing."
    ]


@pytest.mark.parametrize("names", [("P01", "p01 "), ("3", "3.0"), ("tom  cat", "Tom cat")])
def test_two_spellings_of_a_group_are_named(names: tuple[str, str]) -> None:
    """They are two groups, so that one patient could be on both sides of the split."""
    rows = [(label, name, None) for label in "ab" for name in (*names, "x", "y") for _ in range(2)]
    (remark,) = describe_groups(dataset(*rows))
    assert remark.startswith("Names of groups that differ only by case")
    assert all(repr(name) in remark for name in names)


def test_different_names_are_not_called_alike() -> None:
    """Separators and counters tell groups apart."""
    names = ("p1-12", "p11-2", "cow (1)", "cow (2)", "1", "10")
    rows = [(label, name, None) for label in "ab" for name in names for _ in range(2)]
    assert describe_groups(dataset(*rows)) == []


def test_groups_that_are_nearly_the_labels_are_mentioned() -> None:
    rows = [(label, label.upper() if i else "other", None) for label in "ab" for i in range(20)]
    data = dataset(*rows)
    require_groups(data)
    (remark,) = describe_groups(data)
    assert remark.startswith("38 of 40 images are in the largest group of their class")


def test_sound_groups_need_no_remark() -> None:
    data = dataset(*[(label, f"{label}{i // 2}", None) for label in "ab" for i in range(8)])
    require_groups(data)
    assert describe_groups(data) == []
    assert groups_summary(data) == {
        "origin": "column site", "number": 8, "train": None, "test": None, "cut": 0,
        "test_images_cut": 0,
    }  # fmt: skip


def test_a_single_image_on_the_other_side_belongs_to_a_group() -> None:
    rows = [("a", "x", "train"), ("b", "y", "train"), ("a", "x", "test"), ("b", "z", "test")]
    assert "1 image of 2 in the test split belongs to groups" in describe_groups(dataset(*rows))[-1]
