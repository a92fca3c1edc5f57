"""Whether the embeddings that must be in memory at once fit there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify import registry
from classify.errors import ClassifierError
from reports.wording.text import join_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features, ImageFeatures


def require_memory(
    features: ImageFeatures, candidates: Sequence[Candidate], *, audit: bool
) -> None:
    """Check that whatever needs all embeddings in memory at once may have them there.

    Parameters
    ----------
    features : ImageFeatures
        With the limit.
    candidates : sequence of Candidate
        The classifiers of the run.
    audit : bool
        Whether the run looks for wrong data, for which it needs the embeddings of both splits.

    Raises
    ------
    ClassifierError
        If they exceed the limit; the message says what can be done.
    """
    train, test = features.nbytes("train"), features.nbytes("test")
    in_memory = [
        candidate.described
        for candidate in candidates
        if candidate.consumes == "embeddings" and candidate.streamed is None
    ]
    if in_memory and features.exceeds("train"):
        verb = "needs" if len(in_memory) == 1 else "need"
        raise ClassifierError(
            f"the embeddings of the {sum(features.counts('train')):,} training images do not fit "
            f"in memory: {excess(features, train)}, and {join_names(in_memory)} {verb} all of "
            f"them at once; choose from {', '.join(registry.STREAMED)}, which read them from disk, "
            f"or {_advice(features)}",
            setting="memory_limit",
        )
    if audit and train + test > features.memory_limit:
        raise ClassifierError(
            f"the embeddings of all images do not fit in memory: {excess(features, train + test)}, "
            "and the audit needs all of them at once; leave the audit out, or choose "
            f"{_advice(features)}",
            setting="memory_limit",
        )


def excess(features: Features, n_bytes: int) -> str:
    """Say how much memory embeddings take, and how much they may take."""
    return f"{_size(n_bytes)} are more than the memory limit of {_size(features.memory_limit)}"


def _advice(features: ImageFeatures) -> str:
    pooling = "average pooling or " if features.prepared.base.recipe.pooling == "none" else ""
    return f"{pooling}a higher memory limit"


def _size(n_bytes: float) -> str:
    """Write a size in bytes for a reader.

    >>> _size(33 * 2**30), _size(10e6), _size(50_000)
    ('33.0 GiB', '9.5 MiB', '48.8 KiB')
    """
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes / 2**10:,.1f} KiB"
