"""Test images with something in common that are classified worse than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from classify.auditing.image_properties import ImageProperty
from classify.auditing.weak_spots import Slice, clusters_of, find_weak_spots, slices_of

if TYPE_CHECKING:
    from reports.records import WeakSpot

N = 1000
PATHS = [f"{i}.jpg" for i in range(N)]


def correct(seed: int, share: float = 0.95) -> np.ndarray:
    return np.random.default_rng(seed).random(N) < share


def sites(seed: int, n_sites: int = 5) -> ImageProperty:
    drawn = np.random.default_rng([seed, 1]).integers(0, n_sites, N)
    return ImageProperty("site", "column", [f"site {code}" for code in drawn])


def spots(flags: np.ndarray, *properties: ImageProperty) -> list[WeakSpot]:
    return find_weak_spots(slices_of(properties), flags, PATHS)


def test_a_site_with_half_of_the_accuracy_is_found() -> None:
    """And no other one; with its interval, and its misclassified images first."""
    flags, column = correct(0), sites(0)
    there = np.array([value == "site 3" for value in column.values])
    flags[np.flatnonzero(there)[::2]] = False
    first, *others = spots(flags, column)
    assert (first.kind, first.name, first.value) == ("column", "site", "site 3")
    assert first.found
    assert not any(spot.found for spot in others)
    assert first.accuracy == flags[there].mean() == first.n_correct / first.n_test
    assert first.elsewhere == flags[~there].mean()
    assert first.accuracy_low < first.accuracy < first.accuracy_high
    assert len(first.paths) == 12
    assert not any(flags[int(path.removesuffix(".jpg"))] for path in first.paths)


def test_a_column_that_says_nothing_is_not_found() -> None:
    """In at least 19 of 20 runs, whatever else is tested."""
    claimed = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 2])
        age = ImageProperty("age", "column", list(rng.normal(50, 20, N)))
        claimed += any(spot.found for spot in spots(correct(seed, 0.9), sites(seed), age))
    assert claimed <= 1


def test_the_p_value_is_that_of_fishers_test() -> None:
    """One-sided, and adjusted for the number of groups."""
    from scipy.stats import fisher_exact

    flags, column = correct(1), sites(1)
    for spot in spots(flags, column):
        n_wrong = int((~flags).sum()) - (spot.n_test - spot.n_correct)
        table = [
            [spot.n_correct, spot.n_test - spot.n_correct],
            [int(flags.sum()) - spot.n_correct, n_wrong],
        ]
        assert spot.p_value == pytest.approx(fisher_exact(table, alternative="less")[1])
        assert spot.p_adjusted >= spot.p_value


def grouped(seed: int) -> tuple[np.ndarray, np.ndarray, Slice]:
    """Return groups of 25 images, whose answers are right or wrong together, and half of them."""
    rng = np.random.default_rng([seed, 3])
    groups = np.arange(N) // 25
    right, there = rng.random(40) < 0.8, rng.random(40) < 0.5
    return groups, right[groups], Slice("column", "site", "a", there[groups])


def test_images_of_a_group_are_no_independent_evidence() -> None:
    """A site that says nothing is found by chance if they are taken for it, and rarely if not."""
    claimed = {"as if independent": 0, "by groups": 0}
    for seed in range(20):
        groups, flags, site = grouped(seed)
        for name, given in (("as if independent", None), ("by groups", groups)):
            (spot,) = find_weak_spots([site], flags, PATHS, given)
            claimed[name] += spot.found
    assert claimed["as if independent"] >= 5
    assert claimed["by groups"] <= 2


def test_a_weak_spot_is_found_among_groups_with_a_wider_interval() -> None:
    """If most of its groups are wrong; one group alone is no evidence at all."""
    groups, _, site = grouped(0)
    flags = ~site.rows | (np.arange(N) % 5 == 0)
    (alone,) = find_weak_spots([site], flags, PATHS)
    (spot,) = find_weak_spots([site], flags, PATHS, groups)
    assert spot.found
    assert spot.accuracy == alone.accuracy
    assert spot.accuracy_high > alone.accuracy_high
    (single,) = find_weak_spots(
        [Slice("column", "site", "a", groups == 3)], groups != 3, PATHS, groups
    )
    assert (single.accuracy, single.p_value) == (0, 1)


def test_groups_of_one_image_change_little() -> None:
    """The test is Fisher's or nearly so."""
    flags, column = correct(0), sites(0)
    flags[::2] &= np.array([value != "site 3" for value in column.values])[::2]
    by_groups = find_weak_spots(slices_of([column]), flags, PATHS, np.arange(N))
    assert [spot.value for spot in by_groups if spot.found] == ["site 3"]
    assert by_groups[0].accuracy_low == pytest.approx(
        spots(flags, column)[0].accuracy_low, abs=0.02
    )


def test_small_groups_are_not_judged() -> None:
    """Neither ten images, nor all but ten."""
    rows = np.arange(N) < 10
    assert find_weak_spots(
        [Slice("column", "site", "a", rows), Slice("column", "site", "b", ~rows)], correct(0), PATHS
    ) == []  # fmt: skip


def test_a_small_difference_is_no_weak_spot() -> None:
    """Though it is more than chance."""
    flags = np.ones(N, dtype=bool)
    rows = np.arange(N) < 500
    flags[:15] = False
    (spot,) = find_weak_spots([Slice("column", "site", "a", rows)], flags, PATHS)
    assert spot.p_adjusted < 0.05
    assert not spot.found


def test_missing_values_are_a_group_of_their_own() -> None:
    """Numbers are divided into quarters of their range."""
    values = [None if i % 4 == 0 else float(i) for i in range(N)]
    slices = slices_of([ImageProperty("age", "column", list(values))])
    assert [each.value for each in slices][-1] == "missing"
    assert len(slices) == 5
    assert sum(each.rows.sum() for each in slices) == N


def test_clusters_are_those_of_the_training_images() -> None:
    """Test images do not move them, and each is in one cluster."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 16)) * 20
    train = np.concatenate([rng.normal(centre, size=(30, 16)) for centre in centres])
    test = np.concatenate([rng.normal(centre, size=(50, 16)) for centre in centres])
    slices = clusters_of(train.astype(np.float32), test.astype(np.float32))
    assert len(slices) == 20
    assert sorted(each.rows.sum() for each in slices) == [50] * 20
    alone = clusters_of(train.astype(np.float32), test[:999].astype(np.float32))
    assert len(alone) == 19


def test_a_cluster_in_which_most_are_wrong_is_found() -> None:
    """Without any column of a table."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 16)) * 20
    train, test = (
        np.concatenate([rng.normal(centre, size=(100, 16)) for centre in centres]).astype(
            np.float32
        )
        for _ in range(2)
    )
    flags = correct(0)
    flags[200:280] = False
    slices = clusters_of(train, test)
    found = [spot for spot in find_weak_spots(slices, flags, PATHS) if spot.found]
    assert found
    wrong = {f"{i}.jpg" for i in range(200, 300)}
    assert all(set(spot.paths) <= wrong for spot in found)


def test_few_test_images_have_no_clusters() -> None:
    """Each would have a handful."""
    assert clusters_of(np.zeros((50, 4), np.float32), np.zeros((60, 4), np.float32)) == []
