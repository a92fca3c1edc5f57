"""Where in images the evidence of a classifier lies: the rows of `evidence.csv`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvidenceRow:
    """What each place of a test image adds to the score of a class, or the mean over images.

    ``sum(map) + intercept`` is `score`.
    """

    classifier: str
    path: str
    """Of the image, as in `PredictionRow`; "" for the mean over test images of the class."""
    label: str
    """The class that is explained."""
    n_images: int
    """1, or the number of images of a mean."""
    score: float
    """Decision value or log-odds of the class."""
    intercept: float
    """What no place adds."""
    exact: bool
    """Whether the classifier itself adds up places; otherwise the map is an approximation."""
    start: float
    end: float
    """Where the places begin and end, as shares of width and height of what the network sees."""
    map: list[list[float]]
    """Row by row, from the top."""
