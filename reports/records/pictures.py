"""What the record of a run holds about single images, besides their predictions.

Paths are relative to `reports.records.Data.root`, or absolute.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.records.properties import Shortcut, WeakSpot  # noqa: TC001 - reading needs the types

SAME_FILE = "the same file"
"""The relation of two images with the same bytes."""


@dataclass(frozen=True)
class PictureRecord:
    """An image of a run and the digest of its bytes: a row of `pictures.csv`."""

    path: str
    label: str
    split: str
    sha256: str
    group: str | None = None
    """The images that it belongs together with; None for a group of its own."""


@dataclass(frozen=True)
class Drawing:
    """What two images have in common, to draw it on both.

    Positions are x and y as shares of width and height, 0 at the left and at the top.
    """

    aspects: list[float]
    """Width divided by height: of the copy, of the other image."""
    outlines: list[list[float]]
    """What both show, in the copy and in the other image: a polygon's x, y, x, y, ..."""
    lines: list[list[float]]
    """Points that match: x and y in the copy, x and y in the other image."""


@dataclass(frozen=True)
class Leak:
    """A test image that is also in the training split, as the same file or edited."""

    test: str
    train: str
    cosine: float
    """Cosine similarity of the two whitened embeddings; 1 for the same file."""
    exact: bool
    relation: str = ""
    """How the test image was made of the training image; "" in runs of earlier versions."""
    inliers: int = 0
    """Number of local features that are in the same places; 0 for the same file."""
    drawing: Drawing | None = None


@dataclass(frozen=True)
class Copy:
    """An image that is a copy of an earlier one in the data set."""

    path: str
    split: str
    label: str
    of: str
    of_label: str
    relation: str = SAME_FILE
    """How it was made of the other image; in earlier versions all copies are the same file."""
    inliers: int = 0
    """Number of local features that are in the same places; 0 for the same file."""
    drawing: Drawing | None = None
    of_split: str = ""
    """The split of the other image; "" in runs of earlier versions."""


@dataclass(frozen=True)
class Suspect:
    """An image whose label is doubtful to a model that has not seen it."""

    path: str
    split: str
    label: str
    likely: str
    probability: float
    """That its label is right. In earlier versions a classifier's probability of its label."""
    wrong: bool = False
    """Whether its label is among the most suspect ones, as many as are wrong by the estimate."""
    label_by_image: float | None = None
    """Probability of its label by the image alone; None in runs of earlier versions."""
    likely_by_image: float | None = None
    """The same of the likely class, which is larger if the label is doubtful."""


@dataclass(frozen=True)
class Outlier:
    """An image that is unlike all others, almost uniform, or tiny."""

    path: str
    split: str
    label: str
    reason: str


@dataclass(frozen=True)
class Audit:
    """The findings of an audit of the data."""

    leaks: list[Leak]
    suspects: list[Suspect]
    """The least probable label first: `wrong_labels` of them, then others that are doubtful."""
    outliers: list[Outlier]
    accuracies_without_leaks: dict[str, float]
    """Accuracy of each classifier on the other test images; empty if there are no leaks."""
    seconds: float
    copies: list[Copy] = field(default_factory=list)
    """Copies with different labels first: no classifier can predict both correctly."""
    wrong_labels: int | None = None
    """Estimated number of wrong labels; None in runs of earlier versions."""
    judged_labels: int = 0
    """Number of labels that were judged."""
    shortcuts: list[Shortcut] = field(default_factory=list)
    """Every property that was tested, those first that predict the label; empty in earlier runs."""
    weak_spots: list[WeakSpot] = field(default_factory=list)
    """Every group of test images that was judged, the weak ones first; empty in earlier runs."""
    known_groups: dict[str, str] = field(default_factory=dict)
    """Path -> group, of the images that the data say belong together, or that seem to."""
    groups_are_guessed: bool = False
    groups_origin: str = ""
    """Where the groups are from, in words."""


@dataclass(frozen=True)
class MapPoint:
    """The position of an image on the map."""

    path: str
    split: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class EmbeddingMap:
    """Images in two dimensions; those with similar embeddings are near each other."""

    method: str
    points: list[MapPoint]
    """Within the unit square, with the same scale on both axes."""
    n_pictures: int
    """Number of images of the data set; the map may show a sample of them."""


@dataclass(frozen=True)
class FamiliarityFile:
    """A file, beside the record, by which a new image is compared with the training images."""

    file: str
    sha256: str
    n_images: int
    """Number of training images that it was fitted on."""


@dataclass(frozen=True)
class Rejection:
    """The effect of refusing test images that are unlike the training images."""

    share: float
    """Of new images like the training images that may be refused, as asked for."""
    n_test: int
    n_refused: int
    refused_low: float
    refused_high: float
    """95% interval of the share of test images that are refused."""
    accuracy: float | None
    """Share of correct predictions among the other test images; None if there are none."""
    accuracy_low: float | None
    accuracy_high: float | None
    """95% interval of that share."""
