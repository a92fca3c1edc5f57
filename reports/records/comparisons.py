"""What the record of a run holds besides each classifier by itself.

How classifiers differ, and what one would do with other images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same test images, and whether they differ significantly."""

    first: str
    second: str
    only_first: int
    """Number of images that only the first one predicts correctly."""
    only_second: int
    p_value: float
    """Of McNemar's exact test, or of the permutation test of groups (see `Data.by_groups`)."""
    p_adjusted: float
    """The p-value adjusted for the number of pairs in the run (Holm)."""


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy on the test images for several numbers of training images."""

    classifier: str
    sizes: list[int]
    accuracies: list[list[float]]
    """For every size, the accuracy of each draw of training images."""
    gain: float | None = None
    """Expected gain in accuracy from twice as many images; None if it cannot be said."""
    gain_range: list[float] | None = None
    """5th and 95th percentile of the gain."""
    per_class: bool = True
    """Whether `sizes` count images per class, as many of every class, as they do in records of
    earlier versions, whose gain is about twice the true one; else they are images of all classes,
    and the last one is all that there are.
    """


@dataclass(frozen=True)
class Ungrouped:
    """The accuracy of a classifier on another test split of the same size, which ignores groups."""

    classifier: str
    """The best one on embeddings, by the held-out training images."""
    accuracy: float
    n_test: int
