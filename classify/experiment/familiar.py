"""How familiar the test images of a run are, and what a run saves to compare new images with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.evaluation.unfamiliar.familiarity import Familiarity
from classify.evaluation.unfamiliar.rejection import fewest_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.experiment.features import Features

MAX_IMAGES = 3_000
"""Training images to fit on; of more, this many are drawn."""
MIN_GROUPS = 10
"""With fewer images, or groups of them, not even a tenth of familiar images could be refused."""
BLOCK = 2_048
"""Test images that are compared at a time."""
NOT_OF_A_LOWER_LAYER = (
    "no image is refused: how familiar an image is, is measured on the whole base, of which this "
    "classifier trains a part"
)


def fit_familiarity(features: Features, seed: int) -> Familiarity | None:
    """Compare training images with each other; None if they are too few.

    Parameters
    ----------
    features : Features
        Of one frozen base. The embeddings are averaged over height and width, and read a part at a
        time, so that they may be larger than the memory.
    seed : int
        Draws the training images if there are more than `MAX_IMAGES`.
    """
    rows = np.arange(len(features.labels("train")))
    if len(rows) > MAX_IMAGES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_IMAGES, replace=False))
    groups = features.groups("train")
    groups = rows if groups is None else groups[rows]
    if len(np.unique(groups)) < MIN_GROUPS:
        return None
    return Familiarity().fit(
        features.pooled("train", rows), np.unique(groups, return_inverse=True)[1]
    )


def familiarity_of_test(features: Features, familiarity: Familiarity) -> NDArray[np.float64]:
    """Return how familiar each test image is.

    Parameters
    ----------
    features : Features
    familiarity : Familiarity
        Fitted on the training images.

    Returns
    -------
    ndarray of float64, shape (n_test,)
    """
    n_test = len(features.labels("test"))
    blocks = [
        familiarity.familiarity(
            features.pooled("test", np.arange(start, min(start + BLOCK, n_test)))
        )
        for start in range(0, n_test, BLOCK)
    ]
    return np.concatenate(blocks)


def too_few_groups_sentence() -> str:
    """Say why no image can be refused where training images come in too few groups."""
    return (
        "no image is refused: to know how familiar new images are takes training images of at "
        f"least {MIN_GROUPS} groups"
    )


def can_refuse(n_train: int, share: float) -> bool:
    """Return whether so many training images are enough to refuse a share of familiar ones."""
    return min(n_train, MAX_IMAGES) >= fewest_samples(share)


def too_few_sentence(n_train: int, share: float) -> str:
    """Say why no image can be refused."""
    limit = f", of which {MAX_IMAGES:,} are compared" if n_train > MAX_IMAGES else ""
    return (
        f"no image is refused: to refuse at most {share:.2%} of new images of the same kind takes "
        f"at least {fewest_samples(share):,} training images, found {n_train:,}{limit}"
    )
