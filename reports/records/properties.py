"""What the record of a run holds about properties of its images other than what they show."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shortcut:
    """A property of the images, and how well it alone predicts the label."""

    property: str
    origin: str
    """What it is of: "file", "picture", "path", "column", or "all" of them together."""
    accuracy: float
    """Balanced accuracy on held-out images of the training split."""
    accuracy_low: float
    accuracy_high: float
    chance: float
    """Balanced accuracy of guessing."""
    p_value: float
    p_adjusted: float
    """The p-value adjusted for the number of properties (Holm)."""
    found: bool
    """Whether the property predicts the label by more than chance, and by enough to matter."""
    n_images: int
    typical: dict[str, str] = field(default_factory=dict)
    """The most frequent value, or the median, of each of the first classes."""


@dataclass(frozen=True)
class WeakSpot:
    """Test images with something in common, and how many of them are classified correctly."""

    kind: str
    """What they have in common: a "column", a "property", or a "cluster" of the embeddings."""
    name: str
    value: str
    n_test: int
    n_correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    elsewhere: float
    """Accuracy on all other test images."""
    p_value: float
    """Of Fisher's exact test, one-sided, against all other test images."""
    p_adjusted: float
    """The p-value adjusted for the number of groups of images (Holm)."""
    found: bool
    """Whether fewer are correct than elsewhere by more than chance, and by enough to matter."""
    paths: list[str] = field(default_factory=list)
    """Some of its images, misclassified ones first."""
