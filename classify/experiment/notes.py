"""Notes on a result: what a reader should know about how a classifier was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify.estimators.rows import RowsOnDisk
from classify.experiment.memory import excess
from toolkit.wording import plural

if TYPE_CHECKING:
    from classify.estimators.base import Classifier
    from classify.experiment.features import Features
    from classify.experiment.settings import RunSettings


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
        too_large = excess(features, features.nbytes("train"))
        notes.append(f"trained in one pass over embeddings on disk: {too_large}")
        if settings.calibrate or settings.target_precision is not None:
            n_held_out = len(estimator.held_out_)
            notes.append(
                f"calibration and threshold come from {n_held_out:,} training images that were "
                "held out of the training"
            )
    on_disk = any(isinstance(features(estimator, one), RowsOnDisk) for one in ("train", "test"))
    if settings.learning_curve and on_disk:
        notes.append("no learning curve: each of its draws needs the embeddings in memory")
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
