"""What the properties of images say about a run: shortcuts in the data, and where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.image_properties import properties_of
from classify.auditing.shortcuts import drawn_for_shortcuts, find_shortcuts
from classify.auditing.weak_spots import clusters_of, find_weak_spots, slices_of
from extract.images.collecting import collect_header_properties, collect_properties
from extract.images.loading import ReadSettings
from extract.pooled import read_pooled
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.datasets.dataset import Item
    from extract.prepare import Prepared
    from reports.property_records import Shortcut, WeakSpot
    from toolkit.progress import Progress

MOST_TEST_IMAGES = 5000
"""Test images whose properties are measured."""


def examine_properties(
    prepared: Prepared,
    correct: NDArray[np.bool_],
    *,
    seed: int = 0,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> tuple[list[Shortcut], list[WeakSpot]]:
    """Measure images, and look for shortcuts in training and for weak spots in the test.

    Parameters
    ----------
    prepared : Prepared
        The images with their embeddings. What is measured is kept in its cache.
    correct : ndarray of bool, shape (n_test,)
        Which test images a classifier predicts correctly.
    seed : int, default=0
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress, optional
        Called with the stage "measuring images".
    """
    dataset, digests = prepared.dataset, prepared.extraction.digests
    train = drawn_for_shortcuts(dataset, digests)
    tests = [item for item in dataset.items if item.split == "test"]
    judged = np.argsort([digests[item.path] for item in tests])[:MOST_TEST_IMAGES]
    judged.sort()
    tests = [tests[i] for i in judged]
    measured = collect_properties(
        {item.path: digests[item.path] for item in (*train, *tests)},
        prepared.base.store,
        reading=reading,
        progress=progress,
    )
    known = [measured.get(digests[item.path]) for item in train]
    shortcuts = find_shortcuts(dataset, train, known, seed=seed)
    of_tests = properties_of(dataset, tests, [measured.get(digests[item.path]) for item in tests])
    slices = slices_of(of_tests) + clusters_of(
        _pooled(prepared, [item for item in dataset.items if item.split == "train"]),
        _pooled(prepared, tests),
        seed=seed,
    )
    paths = [dataset.relative(item.path) for item in tests]
    return shortcuts, find_weak_spots(slices, correct[judged], paths)


def shortcuts_in_headers(
    prepared: Prepared, *, seed: int = 0, reading: ReadSettings = ReadSettings()
) -> list[Shortcut]:
    """Look for shortcuts in what is known without decoding: paths, columns and headers of files.

    Parameters
    ----------
    prepared, seed, reading
        As for `examine_properties`.

    Returns
    -------
    list of Shortcut
        Those that are found.
    """
    dataset, digests = prepared.dataset, prepared.extraction.digests
    train = drawn_for_shortcuts(dataset, digests)
    headers = collect_header_properties(
        {item.path: digests[item.path] for item in train}, prepared.base.store, reading=reading
    )
    known = [headers.get(digests[item.path]) for item in train]
    return [each for each in find_shortcuts(dataset, train, known, seed=seed) if each.found]


def _pooled(prepared: Prepared, items: Sequence[Item]) -> NDArray[np.float32]:
    return read_pooled(prepared.base, [prepared.extraction.digests[item.path] for item in items])
