"""What the record of a run says of single pictures, besides the classifiers' answers.

Paths are relative to `reports.record.Data.root`, or absolute.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PictureRecord:
    """A picture of a run, by whose bytes its embedding is found: a row of `pictures.csv`."""

    path: str
    label: str
    split: str
    sha256: str


@dataclass(frozen=True)
class Leak:
    """A test image that is, byte for byte or nearly, in training too."""

    test: str
    train: str
    cosine: float
    """Between the two embeddings, whitened; 1 if they are the same file."""
    exact: bool


@dataclass(frozen=True)
class Copy:
    """An image that is, byte for byte, one before it in the data set."""

    path: str
    split: str
    label: str
    of: str
    of_label: str


@dataclass(frozen=True)
class Suspect:
    """An image whose label a classifier that has not seen it would not give."""

    path: str
    split: str
    label: str
    likely: str
    probability: float
    """Of the label that it has."""


@dataclass(frozen=True)
class Outlier:
    """An image that is unlike all others, nearly uniform, or tiny."""

    path: str
    split: str
    label: str
    reason: str


@dataclass(frozen=True)
class Audit:
    """What looking for wrong data has found."""

    leaks: list[Leak]
    suspects: list[Suspect]
    """The most suspect first."""
    outliers: list[Outlier]
    accuracies_without_leaks: dict[str, float]
    """Of every classifier on the other test images; none if there are no leaks."""
    seconds: float
    copies: list[Copy] = field(default_factory=list)
    """Those under two labels first: no classifier can be right about both."""


@dataclass(frozen=True)
class MapPoint:
    """Where a picture lies on the map."""

    path: str
    split: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class EmbeddingMap:
    """Pictures in two dimensions, those that the frozen base finds alike near each other."""

    method: str
    points: list[MapPoint]
    """Within the unit square, both axes on one scale."""
    n_pictures: int
    """Pictures of the data set, of which some may have been drawn."""
