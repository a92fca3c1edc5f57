"""The training images by which frozen bases are judged."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from extract.datasets.drawing import draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from extract.datasets.dataset import Dataset, Item

LEAST = 10
"""Images of every class in the sample, if there are so many: two for each fold."""


def draw_sample(dataset: Dataset, digests: Mapping[Path, str], n_images: int, seed: int) -> Dataset:
    """Return a stratified sample of the training images.

    Parameters
    ----------
    dataset : Dataset
        With a split.
    digests : mapping of Path to str
        SHA-256 of the images. Of several copies, one is drawn.
    n_images : int
        How many to draw, or more if there are many classes: at least `LEAST` of each.
    seed : int

    Returns
    -------
    Dataset
        The images with the highest draws, see `extract.datasets.drawing`.
    """
    of_class: dict[str, dict[str, Item]] = {}
    for item in dataset.items:
        if item.split == "train":
            of_class.setdefault(item.label, {}).setdefault(digests[item.path], item)
    n_training = sum(map(len, of_class.values()))
    chosen: set[Path] = set()
    for by_digest in of_class.values():
        n_of_class = max(LEAST, round(n_images * len(by_digest) / n_training))
        ordered = sorted(by_digest, key=lambda digest: draw(digest, seed), reverse=True)
        chosen |= {by_digest[digest].path for digest in ordered[:n_of_class]}
    items = tuple(item for item in dataset.items if item.path in chosen)
    return dataclasses.replace(dataset, items=items)
