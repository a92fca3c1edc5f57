"""Where a classifier fails: test images with something in common of which fewer are correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.image_properties import OTHERS, ImageProperty, in_bins
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from reports.records import WeakSpot
from toolkit.statistics import holm, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 4
FEWEST_IMAGES = 20
"""Fewer test images, or fewer others, are not judged."""
SIGNIFICANT = 0.05
WORTH = 0.05
"""A difference in accuracy that matters."""
MOST_PATHS = 12
DRAWS = 2000
"""Of the bootstrap over groups."""
IMAGES_PER_CLUSTER, MOST_CLUSTERS = 50, 20
MOST_TRAINING = 5000
"""Training images that clusters are found in."""
COMPONENTS = 32


@dataclass(frozen=True)
class Slice:
    """Test images with something in common.

    Parameters
    ----------
    kind : {"column", "property", "cluster"}
    name, value : str
        What they have in common.
    rows : ndarray of bool, shape (n_test,)
        Which test images they are.
    """

    kind: str
    name: str
    value: str
    rows: NDArray[np.bool_]


def slices_of(properties: Sequence[ImageProperty]) -> list[Slice]:
    """Return the test images with each value of each property, or in each quarter of its range.

    Parameters
    ----------
    properties : sequence of ImageProperty
        Of the test images.
    """
    found = []
    for each in properties:
        bins = in_bins(each.values, BINS)
        kind = "column" if each.origin == "column" else "property"
        for code, value in enumerate(bins.names):
            if len(bins.names) > 1 and value != OTHERS:
                found.append(Slice(kind, each.name, value, bins.codes == code))
    return found


def clusters_of(
    train: NDArray[np.float32], test: NDArray[np.float32], *, seed: int = 0
) -> list[Slice]:
    """Return the test images in each cluster of the training images.

    Parameters
    ----------
    train, test : ndarray of float32, shape (n_samples, n_features)
        Embeddings. The clusters are found in the training images, so that they do not depend on the
        test images.
    seed : int, default=0
        Draws the centres from which k-means starts.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    n_clusters = min(MOST_CLUSTERS, len(test) // IMAGES_PER_CLUSTER)
    if n_clusters < 2 or len(train) < n_clusters:
        return []
    if len(train) > MOST_TRAINING:
        drawn = np.random.default_rng(seed).choice(len(train), MOST_TRAINING, replace=False)
        train = train[np.sort(drawn)]
    n_components = min(COMPONENTS, *train.shape)
    reduced = PCA(n_components, random_state=seed).fit(train)
    means = KMeans(n_clusters, n_init=3, random_state=seed).fit(reduced.transform(train))
    codes = means.predict(reduced.transform(test))
    return [
        Slice("cluster", "similar images", f"cluster {code + 1}", codes == code)
        for code in range(n_clusters)
    ]


def find_weak_spots(
    slices: Sequence[Slice],
    correct: NDArray[np.bool_],
    paths: Sequence[str],
    groups: NDArray[np.intp] | None = None,
) -> list[WeakSpot]:
    """Compare the accuracy on some test images with that on all others.

    Parameters
    ----------
    slices : sequence of Slice
        Those with too few images, or too few others, are left out.
    correct : ndarray of bool, shape (n_test,)
        Which test images are classified correctly.
    paths : sequence of str, length n_test
    groups : ndarray of int, shape (n_test,), default=None
        What each test image belongs to, from 0 on: images of one group are not independent. The
        interval is then that of `GroupIntervals`, and a p-value at least that of a t test whose
        standard error sums over groups. None if each is a group of its own.

    Returns
    -------
    list of WeakSpot
        Those that are found first, then by their p-value.

    Examples
    --------
    >>> site = np.repeat([True, False], [40, 160])
    >>> correct = np.ones(200, dtype=bool)
    >>> correct[:20] = False
    >>> [spot] = find_weak_spots(
    ...     [Slice("column", "site", "Bonn", site)], correct, [f"{i}.jpg" for i in range(200)]
    ... )
    >>> spot.accuracy, spot.elsewhere, spot.found
    (0.5, 1.0, True)
    """
    large = [
        each for each in slices
        if FEWEST_IMAGES <= each.rows.sum() <= len(correct) - FEWEST_IMAGES
    ]  # fmt: skip
    n, total = len(correct), int(correct.sum())
    p_values = [_p_value(each.rows, correct, groups) for each in large]
    intervals = None if groups is None else GroupIntervals(groups, np.zeros(n), n_draws=DRAWS)
    spots = []
    for each, p_value, p_adjusted in zip(large, p_values, holm(p_values), strict=True):
        n_here, n_correct = int(each.rows.sum()), int(correct[each.rows].sum())
        low, high = wilson(n_correct, n_here)
        if intervals is not None:
            low, high = intervals.share(correct & each.rows, each.rows)
        elsewhere = (total - n_correct) / (n - n_here)
        spots.append(
            WeakSpot(
                each.kind,
                each.name,
                each.value,
                n_here,
                n_correct,
                n_correct / n_here,
                low,
                high,
                elsewhere,
                p_value,
                p_adjusted,
                found=p_adjusted < SIGNIFICANT and elsewhere - n_correct / n_here > WORTH,
                paths=_first(each.rows, correct, paths),
            )
        )
    return sorted(spots, key=lambda spot: (not spot.found, spot.p_value))


def _p_value(
    rows: NDArray[np.bool_], correct: NDArray[np.bool_], groups: NDArray[np.intp] | None
) -> float:
    """Return the p-value that fewer of some images are correct than of all others."""
    from scipy.stats import hypergeom, t

    exact = float(hypergeom.cdf(correct[rows].sum(), len(correct), correct.sum(), rows.sum()))
    if groups is None:
        return exact
    degrees = min(len(np.unique(groups[side])) for side in (rows, ~rows)) - 1
    if degrees < 1:
        return 1.0
    here, elsewhere = correct[rows].mean(), correct[~rows].mean()
    parts = np.where(
        rows, (correct - here) / rows.sum(), (elsewhere - correct) / (len(rows) - rows.sum())
    )
    sums = np.bincount(groups, parts)
    error = float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)))
    if error == 0:
        return exact
    return max(exact, float(t.cdf((here - elsewhere) / error, degrees)))


def _first(rows: NDArray[np.bool_], correct: NDArray[np.bool_], paths: Sequence[str]) -> list[str]:
    order = [*np.flatnonzero(rows & ~correct), *np.flatnonzero(rows & correct)]
    return [paths[i] for i in order[:MOST_PATHS]]
