"""What the properties of images say about a run: shortcuts in the data, and where it fails."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.image_properties import properties_of
from classify.auditing.shortcuts import drawn_for_shortcuts, find_shortcuts
from classify.auditing.weak_spots import clusters_of, find_weak_spots, slices_of
from extract.images.collecting import collect_header_properties
from extract.images.loading import ReadSettings
from extract.stored import read_pooled
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.images.properties.record import ImageProperties
    from extract.prepare import Prepared
    from reports.records import Shortcut, WeakSpot

MOST_HEADERS = 1000
"""Images whose headers every run reads, which takes a second."""
MOST_TEST_IMAGES = 5000
"""Test images that weak spots are looked for in, drawn by their SHA-256."""


def examine_properties(
    prepared: Prepared,
    measured: Mapping[str, ImageProperties],
    correct: NDArray[np.bool_],
    *,
    seed: int = 0,
) -> tuple[list[Shortcut], list[WeakSpot]]:
    """Look for shortcuts in the training images, and for weak spots among the test images.

    Parameters
    ----------
    prepared : Prepared
        The images with their embeddings.
    measured : mapping of str to ImageProperties
        What is known of the images, by their SHA-256.
    correct : ndarray of bool, shape (n_test,)
        Which test images a classifier predicts correctly.
    seed : int, default=0
    """
    return examine(
        prepared.dataset,
        prepared.extraction.digests,
        functools.partial(_pooled, prepared),
        measured,
        correct,
        seed=seed,
    )


def examine(
    dataset: Dataset,
    digests: Mapping[Path, str],
    pooled: Callable[[Sequence[Item]], NDArray[np.float32]],
    measured: Mapping[str, ImageProperties],
    correct: NDArray[np.bool_],
    *,
    seed: int = 0,
) -> tuple[list[Shortcut], list[WeakSpot]]:
    """Do what `examine_properties` does, wherever the embeddings are.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping of Path to str
        SHA-256 of every image or embedding.
    pooled : callable
        Returns the embeddings of some images, averaged over height and width.
    measured, correct, seed
        As for `examine_properties`.
    """
    train = drawn_for_shortcuts(dataset, digests)
    tests = [item for item in dataset.items if item.split == "test"]
    judged = np.sort(np.argsort([digests[item.path] for item in tests])[:MOST_TEST_IMAGES])
    tests = [tests[i] for i in judged]
    known = [measured.get(digests[item.path]) for item in train]
    shortcuts = find_shortcuts(dataset, train, known, seed=seed)
    of_tests = properties_of(dataset, tests, [measured.get(digests[item.path]) for item in tests])
    slices = slices_of(of_tests) + clusters_of(
        pooled([item for item in dataset.items if item.split == "train"]),
        pooled(tests),
        seed=seed,
    )
    paths = [dataset.relative(item.path) for item in tests]
    return shortcuts, find_weak_spots(slices, correct[judged], paths, _groups(tests))


@phase("looking for shortcuts")
def shortcuts_in_headers(
    prepared: Prepared, *, seed: int = 0, reading: ReadSettings = ReadSettings()
) -> list[Shortcut]:
    """Look for shortcuts in what is known without decoding: paths, columns and headers of files.

    Parameters
    ----------
    prepared, seed
        As for `examine_properties`.
    reading : ReadSettings, optional
        How image files are read.

    Returns
    -------
    list of Shortcut
        Those that are found.
    """
    dataset, digests = prepared.dataset, prepared.extraction.digests
    train = drawn_for_shortcuts(dataset, digests, MOST_HEADERS)
    headers = collect_header_properties(
        {item.path: digests[item.path] for item in train}, prepared.base.store, reading=reading
    )
    known = [headers.get(digests[item.path]) for item in train]
    return [each for each in find_shortcuts(dataset, train, known, seed=seed) if each.found]


def _groups(items: Sequence[Item]) -> NDArray[np.intp] | None:
    """Return the groups of images as numbers from 0 on; None if no image has one."""
    if all(item.group is None for item in items):
        return None
    names = [str(item.path) if item.group is None else f"group {item.group}" for item in items]
    return np.unique(names, return_inverse=True)[1]


def _pooled(prepared: Prepared, items: Sequence[Item]) -> NDArray[np.float32]:
    return read_pooled(prepared.base, [prepared.extraction.digests[item.path] for item in items])
