"""How the frozen base of a run was chosen, if it was."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class JudgedBackbone:
    """One candidate, judged by cross-validation on a sample of the training images."""

    backbone: str
    accuracy: float
    interval: list[float]
    """95% interval of the accuracy."""
    log_loss: float
    embedding_bytes: int
    """Of one image."""
    missing: int
    """Images of the data set whose embeddings were not in the cache after the sample was judged."""
    images_per_second: float | None
    """Of reading, decoding, computing and committing; None if there was nothing to measure."""
    as_good: bool = False
    """Whether the sample cannot tell it from the chosen one (adjusted p-value at least 0.05)."""

    @property
    def seconds(self) -> float | None:
        """Estimated time for the missing images; None if it is unknown."""
        if not self.missing:
            return 0.0
        return self.missing / self.images_per_second if self.images_per_second else None


@dataclass(frozen=True)
class BackboneChoice:
    """Which candidate was chosen, from what."""

    chosen: str
    images: int
    """Training images in the sample."""
    judged: list[JudgedBackbone]
    budget: float | None = None
    """Most seconds that computing the missing embeddings may take; None for no limit."""
    most_frequent: float | None = None
    """Share of the most frequent class in the sample."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Candidates that could not be judged, each with the reason."""

    def __getitem__(self, backbone: str) -> JudgedBackbone:
        """Return what is known of a candidate."""
        return next(judged for judged in self.judged if judged.backbone == backbone)
