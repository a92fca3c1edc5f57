"""What the record of a run holds about its frozen bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports.records.pictures import FamiliarityFile  # noqa: TC001 - reading needs the types


@dataclass(frozen=True)
class ExtractionSummary:
    """How many embeddings were computed or read from the cache, and how long it took."""

    images: int
    cached: int
    computed: int
    quarantined: int
    seconds: float


@dataclass(frozen=True)
class Base:
    """A frozen base whose embeddings a run uses."""

    backbone: str
    recipe: dict[str, Any]
    """The recipe's fields, with `fingerprint` and `weights_source` (a word or a file).

    With int8, ``calibration`` says on which images the network was calibrated: their number
    (``images``), the data set they are from (``source``), how many are in the run's training split
    (``in_training_split``), and the SHA-256 over their sorted digests, a line each (``sha256``).
    Runs of earlier versions do not have it.
    """
    extraction: ExtractionSummary
    familiarity: FamiliarityFile | None = None
    """None if it was not fitted, and in records of earlier versions."""
