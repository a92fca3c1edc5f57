"""Whether the embeddings that must be in memory at once fit there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify import registry
from classify.environment import memory_limit
from classify.errors import ClassifierError
from extract.errors import DataError
from reports.wording.text import join_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.experiment.candidates import Candidate
    from classify.experiment.features import ImageFeatures
    from classify.experiment.settings import RunSettings
    from extract.datasets.dataset import Dataset
    from extract.options import Options

_ITEM_BYTES = np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class Sizes:
    """How many embeddings there are, and how much memory they may take.

    Parameters
    ----------
    n_train, n_test : int
        Number of images in each split.
    n_features : int
        Numbers in an embedding.
    limit : float
        Bytes that the embeddings of a split may take.
    pooled : bool
        Whether they are pooled over height and width.
    """

    n_train: int
    n_test: int
    n_features: int
    limit: float
    pooled: bool

    def nbytes(self, n_images: int) -> int:
        """Return the bytes that the embeddings of some images take."""
        return n_images * self.n_features * _ITEM_BYTES


def limit_of(settings: RunSettings) -> float:
    """Return the bytes that the embeddings of a split may take."""
    return memory_limit() if settings.memory_limit is None else settings.memory_limit


def computed_sizes(features: ImageFeatures) -> Sizes:
    """Return the sizes of embeddings that are in the cache."""
    n_train, n_features = features.on_disk("train").shape
    return Sizes(
        n_train,
        sum(features.counts("test")),
        n_features,
        features.memory_limit,
        pooled=features.prepared.base.recipe.pooling != "none",
    )


def expected_sizes(dataset: Dataset, options: Options, limit: float) -> Sizes | None:
    """Return the sizes that embeddings will have, without computing one.

    Files that turn out to be unusable are counted, too.

    Parameters
    ----------
    dataset : Dataset
        With or without a split.
    options : Options
        Of one base.
    limit : float
        Bytes that the embeddings of a split may take.

    Returns
    -------
    Sizes or None
        None if all embeddings are within the limit, or it cannot be known before they are computed
        how large they are: they are those of a layer inside the base, or images without a group
        decide where groups are.
    """
    n_features = options.base.n_features
    if n_features is None or len(dataset.items) * n_features * _ITEM_BYTES <= limit:
        return None
    if not dataset.has_split:
        # How many images of a class are for the test does not depend on their bytes.
        names = [str(item.path) for item in dataset.items]
        digests = [hashlib.sha256(name.encode("utf-8", "surrogateescape")) for name in names]
        try:
            dataset = dataset.with_hashed_split(
                [digest.hexdigest() for digest in digests], options.test_size, options.seed
            )
        except DataError:
            return None
    return Sizes(
        len(dataset.train),
        len(dataset.test),
        n_features,
        limit,
        pooled=options.base.chosen_pooling != "none",
    )


def require_memory(sizes: Sizes, candidates: Sequence[Candidate], *, audit: bool) -> None:
    """Check that whatever needs all embeddings in memory at once may have them there.

    Parameters
    ----------
    sizes : Sizes
        Of the embeddings of one base.
    candidates : sequence of Candidate
        The classifiers of the run.
    audit : bool
        Whether the run looks for wrong data, for which it needs the embeddings of both splits.

    Raises
    ------
    ClassifierError
        If they exceed the limit; the message says what can be done.
    """
    train = sizes.nbytes(sizes.n_train)
    in_memory = [
        candidate.described
        for candidate in candidates
        if candidate.consumes == "embeddings" and candidate.streamed is None
    ]
    if in_memory and train > sizes.limit:
        verb = "needs" if len(in_memory) == 1 else "need"
        streamed = ["svm (linear)" if name == "svm" else name for name in registry.STREAMED]
        raise ClassifierError(
            f"the embeddings of the {sizes.n_train:,} training images do not fit "
            f"in memory: {excess(train, sizes.limit)}, and {join_names(in_memory)} {verb} all of "
            f"them at once; choose from {', '.join(streamed)}, which read them from disk, "
            f"or {_advice(sizes)}",
            setting="memory_limit",
        )
    both = sizes.nbytes(sizes.n_train + sizes.n_test)
    if audit and both > sizes.limit:
        raise ClassifierError(
            f"the embeddings of all images do not fit in memory: {excess(both, sizes.limit)}, "
            "and the audit needs all of them at once; leave the audit out, or choose "
            f"{_advice(sizes)}",
            setting="memory_limit",
        )


def check_products(
    dataset: Dataset, options: Options, candidates: Sequence[Candidate], limit: float
) -> None:
    """Check that the products of features fit in memory, before an embedding is computed.

    Parameters
    ----------
    dataset, options, limit
        See `expected_sizes`.
    candidates : sequence of Candidate
        Those that need no products are skipped.

    Raises
    ------
    ClassifierError
        If they are larger than the memory of this machine.
    """
    n_features = options.base.n_features
    if n_features is None:
        return
    n_items = len(dataset.items)
    n_train = len(dataset.train) if dataset.has_split else round(n_items * (1 - options.test_size))
    from_disk = n_train * n_features * _ITEM_BYTES > limit
    for candidate in candidates:
        check = getattr(candidate.estimator, "check_memory", None)
        if check is not None:
            n_dimensions = n_features if from_disk else min(n_train, n_features)
            check(n_train, n_dimensions, len(dataset.classes))


def excess(n_bytes: int, limit: float) -> str:
    """Say how much memory embeddings take, and how much they may take."""
    return f"{_size(n_bytes)} are more than the memory limit of {_size(limit)}"


def _advice(sizes: Sizes) -> str:
    return f"{'' if sizes.pooled else 'average pooling or '}a higher memory limit"


def _size(n_bytes: float) -> str:
    """Write a size in bytes for a reader.

    >>> _size(33 * 2**30), _size(10e6), _size(50_000)
    ('33.0 GiB', '9.5 MiB', '48.8 KiB')
    """
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes / 2**10:,.1f} KiB"
