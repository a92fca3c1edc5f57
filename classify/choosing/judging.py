"""A frozen base, judged by cross-validation on a sample, and how fast it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.groups import encode_groups
from classify.estimators.logreg import LogReg
from classify.evaluation.held_out import hold_out
from classify.evaluation.metrics import sample_losses
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from extract.embedding import embed_dataset
from extract.engines.speeds import ENOUGH, recall_speeds, speed_of
from reports import records
from toolkit.phases import timed
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset
    from extract.frozen import FrozenBase
    from extract.options import Options
    from toolkit.progress import Progress


@dataclass(frozen=True)
class Judgement:
    """What `judge` has found.

    Attributes
    ----------
    base : reports.records.JudgedBackbone
    correct : dict of Path to bool
        Whether each image was classified correctly while it was held out.
    """

    base: records.JudgedBackbone
    correct: Mapping[Path, bool]


def judge(
    base: FrozenBase,
    options: Options,
    dataset: Dataset,
    sample: Dataset,
    digests: Mapping[Path, str],
    progress: Progress,
) -> Judgement:
    """Embed a sample of training images, and classify it in cross-validation.

    Parameters
    ----------
    base : FrozenBase
    options : Options
        From which it was made.
    dataset, sample : Dataset
        All images, with their split, and the sample.
    digests : mapping of Path to str
        SHA-256 of all images.
    progress : Progress

    Raises
    ------
    ToolkitError
        If the weights or the cache cannot be used, or the embeddings cannot be trained on.
    """
    if base.needs_calibration:
        training = {path: digests[path] for path in dataset.train.paths}
        base = base.calibrated(
            training, name=dataset.name, reading=options.reading, progress=progress
        )
    with timed() as clock:
        base, extraction, _ = embed_dataset(base, sample, options, progress)
        n_computed = extraction.computed
        missing = base.store.missing(base.recipe.fingerprint, list(dict.fromkeys(digests.values())))
        if not n_computed and missing:
            n_computed = _embed_some(base, dataset, digests, missing, options, progress)
            missing = missing[n_computed:]
    phases = clock.spent()
    items = [item for item in sample.items if item.path in extraction.digests]
    X = base.embeddings([extraction.digests[item.path] for item in items])
    labels = np.array([item.label for item in items])
    groups = encode_groups([item.group for item in items], len(items))
    model = LogReg().fit(X, labels, groups=groups, progress=progress)
    held_out = hold_out(model, X, labels, groups=groups)
    assert held_out is not None  # the model has searched for C by cross-validation
    correct = held_out.probabilities.argmax(axis=1) == held_out.codes
    return Judgement(
        records.JudgedBackbone(
            backbone=base.recipe.backbone,
            accuracy=float(correct.mean()),
            interval=list(_interval(correct, held_out.codes, groups)),
            log_loss=float(sample_losses(held_out.probabilities, held_out.codes).mean()),
            embedding_bytes=X[0].nbytes,
            missing=len(missing),
            images_per_second=speed_of(n_computed, phases) or _earlier_speed(base),
        ),
        dict(zip((item.path for item in items), correct.tolist(), strict=True)),
    )


def _earlier_speed(base: FrozenBase) -> float | None:
    """Return how fast this machine was with this base before, if that is known."""
    recipe = base.recipe
    kind = recipe.backbone, recipe.size, recipe.precision
    speeds = [speed for *of, speed in recall_speeds(base.store.folder) if tuple(of) == kind]
    return speeds[0] if speeds else None


def _embed_some(
    base: FrozenBase,
    dataset: Dataset,
    digests: Mapping[Path, str],
    missing: Sequence[str],
    options: Options,
    progress: Progress,
) -> int:
    """Embed a few training images that the cache lacks, to see how fast; return how many."""
    lacking = set(missing)
    items = [
        item for item in dataset.items if item.split == "train" and digests[item.path] in lacking
    ][:ENOUGH]
    some = dataclasses.replace(dataset, items=tuple(items))
    return embed_dataset(base, some, options, progress)[1].computed if items else 0


def _interval(
    correct: NDArray[np.bool_], codes: NDArray[np.int64], groups: NDArray[np.int64] | None
) -> tuple[float, float]:
    if groups is None:
        return wilson(int(correct.sum()), len(correct))
    return GroupIntervals(groups, codes).share(correct)
