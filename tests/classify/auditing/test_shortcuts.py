"""Properties of images that predict the label, planted and not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify.auditing.image_properties import in_bins, properties_of
from classify.auditing.shortcuts import ALL, drawn_for_shortcuts, find_shortcuts
from extract.datasets.dataset import Dataset, Item
from extract.datasets.further import FurtherColumns, as_values
from extract.images.properties.record import ImageProperties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reports.records import Shortcut

N = 400
CLASSES = ("cat", "dog")


def dataset(n: int = N, names: str = "{split}/{label}/{i}.jpg", **fields: Any) -> Dataset:
    """Return a data set of two classes; every fourth image is for the test."""
    items = []
    for i in range(n):
        label, split = CLASSES[i % 2], "test" if i % 4 == 3 else "train"
        path = Path("/data") / names.format(label=label, split=split, part=i // 2 % 3, i=f"{i:04}")
        items.append(Item(path, label, split))  # type: ignore[arg-type]
    return Dataset("pets", Path("/data"), tuple(items), **fields)


def noise(items: list[Item], seed: int = 0, **columns: Any) -> list[ImageProperties]:
    """Return properties that have nothing to do with the label, but for those of `columns`."""
    rng = np.random.default_rng(seed)
    known = []
    for item in items:
        fields = {
            "width": int(rng.choice([500, 400, 333])),
            "height": int(rng.integers(200, 500)),
            "n_bytes": int(rng.integers(10_000, 90_000)),
            "quality": int(rng.choice([75, 92, 96])),
            "brightness": float(rng.normal(120, 30)),
            "sharpness": float(rng.lognormal()),
        }
        fields |= {name: of_item(item, rng) for name, of_item in columns.items()}
        known.append(ImageProperties("JPEG", **fields))
    return known


SITES = {"cat": "Bonn", "dog": "Köln"}


def with_column(name: str, cell: Callable[[int, Item], str]) -> Dataset:
    """Return a data set whose table has a further column."""
    data = dataset()
    rows = [(item.path, [cell(i, item)]) for i, item in enumerate(data.items)]
    column = FurtherColumns(Path("/data/table.csv"), {name: 0}, rows)
    return dataclasses.replace(data, columns=(column,))


def digests(data: Dataset) -> dict[Path, str]:
    return {item.path: f"{i:064x}" for i, item in enumerate(data.items)}


def found_in(data: Dataset, seed: int = 0, **columns: Any) -> list[Shortcut]:
    items = drawn_for_shortcuts(data, digests(data))
    return find_shortcuts(data, items, noise(items, seed, **columns), seed=seed)


def names_found(data: Dataset, seed: int = 0, **columns: Any) -> list[str]:
    return [each.property for each in found_in(data, seed, **columns) if each.found]


def test_a_property_of_one_class_is_found() -> None:
    """With its accuracy, chance, and what is typical of each class."""
    first, *_ = found_in(dataset(), quality=lambda item, _: 60 if item.label == "cat" else 90)
    assert (first.property, first.origin, first.found) == ("JPEG quality", "file", True)
    assert (first.accuracy, first.chance) == (1, 0.5)
    assert first.typical == {"cat": "60", "dog": "90"}
    assert first.p_adjusted < 0.05


def test_where_nothing_is_nothing_is_found() -> None:
    """In at least 19 of 20 data sets."""
    assert sum(bool(names_found(dataset(), seed)) for seed in range(20)) <= 1


def test_a_small_difference_is_no_shortcut() -> None:
    """Though it is more than chance: such a property explains no high accuracy."""
    data = dataset(2600)
    slightly = found_in(
        data, brightness=lambda item, rng: rng.normal(120 + 9 * (item.label == "cat"), 30)
    )
    (brightness,) = (each for each in slightly if each.property == "brightness")
    assert brightness.p_adjusted < 0.05
    assert not brightness.found


def test_a_property_of_the_picture_must_predict_more_than_one_of_the_file() -> None:
    """Different things differ a little in brightness; there is no such reason for the quality."""
    data = dataset(2600)

    def shifted(item: Item, rng: np.random.Generator) -> float:
        return float(rng.normal(120 + 17 * (item.label == "cat"), 30))

    assert names_found(data, brightness=shifted) == []
    assert "file size" in names_found(data, n_bytes=shifted)


def test_width_and_height_are_tested_together() -> None:
    """Each class has both widths and both heights, but not the same pairs."""

    def height(item: Item, rng: np.random.Generator) -> int:
        return int(rng.choice([300, 400]))

    data = dataset()
    items = drawn_for_shortcuts(data, digests(data))
    known = [
        dataclasses.replace(
            each, width=each.height if item.label == "cat" else 700 - (each.height or 0)
        )
        for item, each in zip(items, noise(items, height=height), strict=True)
    ]
    found = {each.property: each for each in find_shortcuts(data, items, known)}
    assert found["width and height"].found
    assert found["width and height"].typical.keys() == set(CLASSES)
    assert not found["width"].found
    assert not found["height"].found


@pytest.mark.parametrize(("n_classes", "n_each"), [(2, 40), (3, 40), (3, 80)])
@pytest.mark.parametrize("seed", range(3))
def test_sizes_that_are_all_different_predict_nothing(
    n_classes: int, n_each: int, seed: int
) -> None:
    """Also if the images are sorted by label, and not every size has a bin of its own."""
    items = tuple(
        Item(Path(f"/data/{label}/{i}.jpg"), label, "train")
        for label in "abc"[:n_classes]
        for i in range(n_each)
    )
    rng = np.random.default_rng(seed)
    known = [
        ImageProperties("PNG", width=int(w), height=int(h))
        for w, h in rng.integers(200, 1000, (len(items), 2))
    ]
    found = find_shortcuts(Dataset("noise", Path("/data"), items), items, known)
    assert [shortcut.property for shortcut in found if shortcut.found] == []


def test_the_bins_of_words_do_not_depend_on_the_order_of_the_values() -> None:
    words = [f"{i // 2}" for i in range(300)] + [f"only {i}" for i in range(100)]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(words))
    first = in_bins(words, 12)
    second = in_bins([words[i] for i in order], 12)
    assert first.names == second.names
    np.testing.assert_array_equal(first.codes[order], second.codes)


def test_several_weak_properties_are_found_together() -> None:
    """None of them matters alone."""
    weak = {
        name: lambda item, rng: float(rng.normal(0.5 * (item.label == "cat")))
        for name in ("brightness", "contrast", "sharpness", "red", "blue", "saturation", "border")
    }
    found = names_found(dataset(1000), **weak)
    assert ALL in found


def test_test_images_are_not_looked_at() -> None:
    """What is true of them alone is not found."""
    data = dataset()
    drawn = drawn_for_shortcuts(data, digests(data))
    assert {item.split for item in drawn} == {"train"}
    assert len(drawn) == 300


def test_at_most_so_many_images_are_drawn_as_many_of_each_class() -> None:
    """Those with the lowest SHA-256, so that more images change few of them."""
    data = dataset()
    drawn = drawn_for_shortcuts(data, digests(data), 100)
    assert [item.label for item in drawn] == ["cat"] * 50 + ["dog"] * 50
    assert set(drawn) <= set(data.items[:250])


def test_copies_and_groups_count_once() -> None:
    """Images that are not independent are no evidence."""
    data = dataset()
    twice = {path: digest[:-1] + "0" for path, digest in digests(data).items()}
    n_each = len(set(twice.values()))
    assert len(drawn_for_shortcuts(data, twice)) <= 2 * n_each
    items = tuple(dataclasses.replace(item, group=str(i // 8)) for i, item in enumerate(data.items))
    grouped = dataclasses.replace(data, items=items)
    assert len(drawn_for_shortcuts(grouped, digests(grouped))) == 2 * N / 8


def test_a_few_images_of_a_class_are_left_out() -> None:
    """Nothing can be said of them, and with one class left nothing at all."""
    data = dataset(40)
    assert len(drawn_for_shortcuts(data, digests(data))) == 0 + 20
    assert found_in(data) == []


@pytest.mark.parametrize(
    "names",
    [
        "{split}/{label}/{i}.jpg",
        "{split}/{label}s/{label}.{i}.jpg",
        "{label}_{i}.jpg",
        "{label}/{split}_{label}-{i}.jpg",
        "{part}-{label}/{i}.jpg",
    ],
)
def test_what_names_the_label_is_no_shortcut(names: str) -> None:
    """Neither a folder nor the start of a name, in singular or plural."""
    data = dataset(names=names)
    assert names_found(data) == []


def test_a_folder_that_does_not_name_the_label_may_be_one() -> None:
    """All cats, and a third of the dogs, come from one camera's folder."""
    data = dataset(names="{label}/camera/{i}.jpg")
    items = tuple(
        dataclasses.replace(item, path=Path(str(item.path).replace("camera", "phone")))
        if item.label == "dog" and i % 3
        else item
        for i, item in enumerate(data.items)
    )
    data = dataclasses.replace(data, items=items)
    (folder, *_) = (each for each in found_in(data) if each.found)
    assert (folder.property, folder.origin) == ("folder", "path")
    assert folder.typical == {"cat": "camera", "dog": "phone"}


def test_a_column_of_the_table_may_be_one() -> None:
    """A missing cell is a value of its own."""
    data = with_column("site", lambda i, item: SITES[item.label] if i % 5 else "")
    first, *_ = (shortcut for shortcut in found_in(data) if shortcut.property != ALL)
    assert (first.property, first.origin, first.found) == ("site", "column", True)
    assert first.accuracy > 0.85


def test_the_number_or_name_of_every_image_is_no_property() -> None:
    """Though a table that is sorted by the label gives the label away."""
    for cell in ("{:03}", "case {}"):
        data = with_column("case", lambda i, _, cell=cell: cell.format(i + 500 * (i % 2)))
        assert "case" not in {each.property for each in found_in(data)}


def test_numbers_are_divided_at_their_quantiles() -> None:
    """So that bins have about as many images; few different numbers are bins themselves."""
    bins = in_bins(list(np.random.default_rng(0).lognormal(size=1000)), 4)
    assert np.bincount(bins.codes).tolist() == [250, 250, 250, 250]
    ends = [name.startswith(("up to", "above")) for name in bins.names]
    assert ends == [True, False, False, True]
    few = in_bins([60, 90, 90, None, 60], 4)
    assert few.codes.tolist() == [0, 1, 1, 2, 0]
    assert few.names == ["up to 60", "above 60", "missing"]


@pytest.mark.parametrize("others", [[333], range(300, 313), range(600, 613)])
def test_a_frequent_number_is_a_bin_of_its_own(others: Sequence[int]) -> None:
    """Also where nearly all numbers are this one; no bin is empty."""
    values = [500] * 300 + [others[i % len(others)] for i in range(13)]
    bins = in_bins(values, 12)
    counts = np.bincount(bins.codes)
    assert counts.min() > 0
    assert counts.max() == 300
    assert len(counts) == len(bins.names)


def test_large_numbers_are_written_in_full() -> None:
    """As the sizes of files."""
    assert in_bins([20_000, 90_000], 4).names == ["up to 20,000", "above 20,000"]


def test_words_that_are_rare_are_taken_together() -> None:
    """The most frequent ones are bins."""
    values = as_values(["a"] * 5 + [f"word {i}" for i in range(60)])
    bins = in_bins(values, 4)
    assert bins.names[0] == "a"
    assert bins.names[-1] == "other values"
    assert np.bincount(bins.codes)[-1] == 60


def test_a_property_that_is_the_same_everywhere_is_not_tested() -> None:
    """As the format of photographs."""
    data = dataset()
    items = drawn_for_shortcuts(data, digests(data))
    names = {each.name for each in properties_of(data, items, noise(items))}
    assert "format" not in names
    assert "camera" not in names
    assert {"width", "aspect", "file size"} <= names
