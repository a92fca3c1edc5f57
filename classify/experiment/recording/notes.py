"""Notes on a result: what a reader should know about how a classifier was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify.estimators.base import encode_labels
from classify.estimators.groups import encode_groups, separable_groups
from classify.estimators.rows import RowsOnDisk
from classify.estimators.streamed import StreamedSVM
from classify.estimators.wrapped import WrappedClassifier, validates_without_groups
from classify.evaluation.held_out import FOLDS
from classify.evaluation.threshold import fewest_samples
from classify.experiment.memory import excess
from classify.networks.network import VALIDATION_FOLDS, Network
from reports.wording.text import join_names
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.estimators.base import Classifier
    from classify.evaluation.held_out import HeldOutProbabilities
    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features
    from classify.experiment.settings import RunSettings

MOST_NAMES = 5


def training_notes(
    estimator: Classifier, features: Features, settings: RunSettings, *, streamed: bool
) -> list[str]:
    """Return the notes on one trained classifier.

    Parameters
    ----------
    estimator : Classifier
        Trained.
    features : Features
        What it was trained on.
    settings : RunSettings
    streamed : bool
        Whether it replaces a classifier that needs all embeddings in memory.
    """
    return [
        *_epoch_notes(estimator),
        *_memory_notes(estimator, features, settings, streamed=streamed),
        *_weight_notes(estimator),
    ]


def group_notes(
    estimator: Classifier, features: Features, held_out: HeldOutProbabilities | None
) -> list[str]:
    """Say where the groups of the training images did not allow what is usual.

    Parameters
    ----------
    estimator : Classifier
        Trained.
    features : Features
        What it was trained on.
    held_out : HeldOutProbabilities or None
        Its predictions of training images, if there are any.
    """
    groups = encode_groups(features.groups("train"), sum(features.counts("train")))
    if groups is None or held_out is None:
        return []
    notes = []
    _, codes = encode_labels(features.labels("train"))
    n_groups = int(separable_groups(codes, groups).max()) + 1
    folds = estimator.get_params().get("folds", FOLDS)
    if n_groups < folds and not hasattr(estimator, "held_out_"):
        notes.append(
            f"cross-validated in {n_groups} folds instead of {folds}, because the training images "
            f"come in {n_groups} groups"
        )
    names = [str(label) for label in held_out.divided_classes]
    if names:
        more = [f"{len(names) - MOST_NAMES:,} more classes"] if len(names) > MOST_NAMES else []
        notes.append(
            f"its held-out predictions are optimistic for {join_names(names[:MOST_NAMES] + more)}: "
            "the training images are of too few groups to hold out a whole one; add images of "
            "other groups"
        )
    if isinstance(estimator, WrappedClassifier) and validates_without_groups(estimator.estimator):
        notes.append(
            "it chooses parameters by a validation of its own, which does not know the groups; "
            "what it chooses may suit these groups better than new ones"
        )
    return notes


def warnings_before_training(
    candidates: Sequence[Candidate],
    n_train: int,
    settings: RunSettings,
    n_groups: int | None = None,
) -> list[str]:
    """Return what the settings ask for, but the training images are too few for.

    Parameters
    ----------
    candidates : sequence of Candidate
    n_train : int
        Number of training images. A network only predicts a part of them without training on it.
    settings : RunSettings
    n_groups : int, default=None
        Number of groups that they come in, which count instead: all images of a group may be wrong
        together. None if each is a group of its own.
    """
    target = settings.target_precision
    if target is None:
        return []
    needed = fewest_samples(target)
    units = "training images" if n_groups is None else "groups of training images"
    found = []
    for candidate in candidates:
        is_network = isinstance(candidate.estimator, Network)
        n_units = n_train if n_groups is None else n_groups
        n_held_out = n_units // VALIDATION_FOLDS if is_network else n_units
        if n_held_out < needed:
            found.append(
                f"{candidate.name} will have no threshold: to show that {target:.1%} of the "
                f"predictions are correct on new images takes at least {needed:,} held-out "
                f"{units}, and it has {n_held_out:,}"
            )
    return found


def _epoch_notes(estimator: Classifier) -> list[str]:
    """Say how long a network was trained, and on what that was chosen."""
    if not hasattr(estimator, "epochs_"):
        return []
    n_epochs, most = plural(estimator.epochs_, "epoch"), estimator.get_params()["epochs"]
    n_held_out = plural(len(estimator.held_out_), "held-out training image")
    return [f"trained on all images for {n_epochs} of at most {most}, chosen on {n_held_out}"]


def _memory_notes(
    estimator: Classifier, features: Features, settings: RunSettings, *, streamed: bool
) -> list[str]:
    """Say what was done differently, or not at all, because the embeddings stayed on disk."""
    notes = []
    if streamed:
        too_large = excess(features.nbytes("train"), features.memory_limit)
        passes = plural(estimator.n_passes_, "pass", "passes")
        linear = ", with a linear kernel" if isinstance(estimator, StreamedSVM) else ""
        notes.append(f"trained in {passes} over embeddings on disk{linear}: {too_large}")
        n_train = sum(features.counts("train"))
        n_held_out = len(getattr(estimator, "held_out_", range(n_train)))
        if n_held_out < n_train and (settings.calibrate or settings.target_precision is not None):
            notes.append(
                f"calibration and threshold come from the held-out predictions for {n_held_out:,} "
                f"of {n_train:,} training images"
            )
    on_disk = any(isinstance(features(estimator, one), RowsOnDisk) for one in ("train", "test"))
    if settings.learning_curve and on_disk:
        notes.append("no learning curve: each of its draws needs the embeddings in memory")
    exceeds = features.exceeds("train") or features.exceeds("test")
    if estimator.consumes == "embeddings" and exceeds and features.keeps_groups:
        notes.append(
            "not compared with a split that ignores groups, which needs the embeddings in memory"
        )
    return notes


def _weight_notes(estimator: Classifier) -> list[str]:
    """Say that the classes were weighted, so that the probabilities are not as the others'."""
    weight = estimator.get_params().get("class_weight")
    if weight is None:
        return []
    return [
        f"its probabilities are those of weighted classes (class_weight={weight!r}); "
        'decision="equal-classes" finds rare classes without changing the probabilities'
    ]
