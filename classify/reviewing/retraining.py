"""Train a run's classifier again with corrected labels, in memory, and compare it with the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from cache.errors import CacheError
from classify.environment import memory_limit
from classify.errors import ReviewError
from classify.evaluation.comparison import compare_predictions
from classify.evaluation.relabelled import relabelled_apart
from classify.experiment.candidates import Candidate
from classify.experiment.features import ArrayFeatures
from classify.experiment.inputs import check_dataset
from classify.experiment.settings import RunSettings
from classify.experiment.trial import Trial
from extract.datasets.dataset import Dataset, Item
from toolkit.addresses import as_path
from toolkit.phases import timed
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from classify.evaluation.comparison import Comparison
    from classify.evaluation.relabelled import RelabelledResult
    from classify.serving.classifier import SavedClassifier
    from extract.frozen import FrozenBase
    from reports.records import PictureRecord, PredictionRow, Run

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Flip:
    """A test image that is predicted otherwise than before.

    Parameters
    ----------
    path : str
    label : str
        The corrected one.
    before, after : str
        Predicted classes.
    is_relabelled : bool
        Whether its label was corrected.
    """

    path: str
    label: str
    before: str
    after: str
    is_relabelled: bool


@dataclass(frozen=True)
class Retrained:
    """What corrected labels change.

    Parameters
    ----------
    n_relabelled, n_left_out : int
        Training images whose label was corrected, and that were left out.
    before, after : RelabelledResult
        The predictions of the run, and those of the classifier that was trained again, on the test
        images that are not left out; both against the corrected labels.
    comparison : Comparison or None
        Of both on the test images whose label was not corrected; None if there are none.
    flips : list of Flip
    """

    n_relabelled: int
    n_left_out: int
    before: RelabelledResult
    after: RelabelledResult
    comparison: Comparison | None
    flips: list[Flip]


def retrain(
    saved: SavedClassifier,
    base: FrozenBase,
    pictures: Sequence[PictureRecord],
    predictions: Sequence[PredictionRow],
    changes: Mapping[str, str],
    progress: Progress = silent,
) -> Retrained:
    """Train a classifier again with corrected labels, on the split of the run.

    Parameters
    ----------
    saved : SavedClassifier
        Trained by the run; a copy with its parameters is trained.
    base : FrozenBase
        Its cache has the embeddings.
    pictures : sequence of PictureRecord
        The images of the run.
    predictions : sequence of PredictionRow
        Of this classifier in the run.
    changes : mapping of str to str
        The label of each image whose label is not that of the run, by its path; "" leaves it out.
    progress : Progress, optional
        Called while the classifier is trained.

    Returns
    -------
    Retrained
        Nothing is saved.

    Raises
    ------
    ToolkitError
        If the classifier is not trained on embeddings, embeddings are not in the cache or do not
        fit in memory, or a class has too few images.
    """
    _check(saved)
    dataset = _dataset(saved.run, pictures, changes)
    check_dataset(dataset)
    kept = [picture for picture in pictures if changes.get(picture.path) != ""]
    X = _embeddings(base, [picture.sha256 for picture in kept])
    features = ArrayFeatures(dataset, X)
    trial = Trial(
        Candidate(saved.result.classifier, clone(saved.estimator)),
        features,
        _settings(saved),
        several=False,
        progress=progress,
    )
    with timed():
        confidence = trial.assess()
    answers = np.array(features.classes)[confidence.answers]
    predicted = {row.path: row.predicted for row in predictions}
    changed = {*changes, *saved.run.data.relabelled}  # in this review, or an earlier one
    n_left_out = sum(changes.get(picture.path) == "" for picture in _of_train(pictures))
    n_relabelled = sum(picture.path in changes for picture in _of_train(pictures)) - n_left_out
    return _compared(features, predicted, answers, changed, (n_relabelled, n_left_out))


def _of_train(pictures: Sequence[PictureRecord]) -> list[PictureRecord]:
    return [picture for picture in pictures if picture.split == "train"]


def _check(saved: SavedClassifier) -> None:
    """Refuse a classifier that cannot be trained again here."""
    if saved.estimator.consumes != "embeddings":
        raise ReviewError(
            f"{saved.result.title} is trained on {saved.estimator.consumes}, which takes longer "
            "than a page should wait; train it with the command below"
        )
    if type(saved.estimator).__name__.startswith("Streamed"):
        raise ReviewError(
            f"{saved.result.title} was trained on embeddings on disk; train it with the command "
            "below"
        )


def _dataset(run: Run, pictures: Sequence[PictureRecord], changes: Mapping[str, str]) -> Dataset:
    """Return the images of the run with corrected labels, without those that are left out."""
    items, relabelled = [], set()
    for picture in pictures:
        label = changes.get(picture.path, picture.label)
        path = as_path(run.data.root, picture.path)
        if not label:
            continue
        if label != picture.label:
            relabelled.add(path)
        items.append(Item(path, label, picture.split, picture.group))  # type: ignore[arg-type]  # a split
    return Dataset(
        run.data.name, as_path(run.data.root), tuple(items), relabelled=frozenset(relabelled)
    )


def _embeddings(base: FrozenBase, digests: Sequence[str]) -> np.ndarray:
    missing = base.store.missing(base.recipe.fingerprint, digests)
    if missing:
        raise ReviewError(
            f"{len(missing):,} of {len(digests):,} images have no embedding in the cache; the "
            "command below computes them, or another cache has them"
        )
    first = base.store.read(base.recipe.fingerprint, digests[:1])
    needed, limit = first.nbytes * len(digests), memory_limit()
    if needed > limit:
        raise ReviewError(
            f"the embeddings take {needed / 2**30:.1f} GiB, more than the {limit / 2**30:.1f} GiB "
            "that are for them; train with the command below"
        )
    try:
        return base.embeddings(digests)
    except CacheError as error:
        raise ReviewError(str(error)) from error


def _settings(saved: SavedClassifier) -> RunSettings:
    """Return the settings of the run that decide what is predicted.

    The seed is in the parameters of the saved classifier already.
    """
    run: Any = saved.run
    return RunSettings(
        calibrate=saved.result.temperature is not None,
        priors=run.priors or None,
        decision=run.decision,
    )


def _compared(
    features: ArrayFeatures,
    predicted: Mapping[str, str],
    answers: np.ndarray,
    relabelled: Collection[str],
    n_trained: tuple[int, int],
) -> Retrained:
    """Compare the predictions of the run with new ones, in the order of the test images."""
    names, labels = features.sample_names("test"), np.array(features.labels("test"))
    before = np.array([predicted.get(name, "") for name in names])
    changed = np.array([name in relabelled for name in names])
    strata, groups = np.searchsorted(features.classes, labels), features.groups("test")
    results = {BEFORE: before, AFTER: answers}
    comparison = None
    if not changed.all():
        others = {name: values[~changed] for name, values in results.items()}
        of_others = None if groups is None else groups[~changed]
        [comparison] = compare_predictions(labels[~changed], others, of_others)
    apart = {
        name: relabelled_apart(values == labels, changed, strata, groups)
        for name, values in results.items()
    }
    return Retrained(
        *n_trained,
        before=apart[BEFORE],
        after=apart[AFTER],
        comparison=comparison,
        flips=[
            Flip(names[i], str(labels[i]), str(before[i]), str(answers[i]), bool(changed[i]))
            for i in np.flatnonzero(before != answers)
        ],
    )
