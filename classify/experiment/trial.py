"""One classifier of a run: trained on the training split, judged on the test split."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, Any

import numpy as np

from classify import registry
from classify.errors import ModelError
from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.experiment import recording
from classify.parallel import each, in_this_process
from extract.datasets.dataset import counts
from reports import record
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.estimators.base import Classifier
    from classify.evaluation.confidence import Confidence
    from classify.experiment.features import Features
    from classify.experiment.run_folder import RunFolder
    from classify.experiment.settings import TrainingSettings
    from extract.datasets.dataset import Split
    from toolkit.progress import Progress

_SPLITS: tuple[Split, ...] = ("train", "test")
UNBALANCED = 1.5
"""From so many times as many images of a class as of another, it is said how they count."""


@dataclass(frozen=True)
class TrialResult:
    """One classifier on one base: its figures, and its predictions of the test images."""

    result: record.Result
    predictions: list[record.PredictionRow]


class Trial:
    """A classifier, what it is fed, and what is wished of it.

    Parameters
    ----------
    name : str
        The classifier's, see `classify.registry`.
    features : Features
    settings : TrainingSettings
    several : bool
        Whether the same classifier is tried on several frozen bases: names then say which one.
    progress : Progress
        Told of every stage.
    """

    def __init__(
        self,
        name: str,
        features: Features,
        settings: TrainingSettings,
        *,
        several: bool,
        progress: Progress,
    ) -> None:
        self._kind, self._features, self._settings = name, features, settings
        self._several, self._progress = several, progress
        self._prepared, self._seed = features.prepared, features.options.seed
        self._backbone = features.prepared.base.recipe.backbone
        self._in_one_pass = name in registry.IN_ONE_PASS and features.exceeds("train")
        self.name = f"{name}@{self._backbone}" if several else name

    def judge(self, folder: RunFolder) -> TrialResult:
        """Train, save the model into the folder of the run, and judge it on the test split."""
        from classify.evaluation.metrics import class_codes, evaluate

        estimator = self._make(self._seed)
        X, labels = self._X(estimator, "train"), self._prepared.labels("train")
        unseen, truth = self._X(estimator, "test"), self._prepared.labels("test")
        clock = time.monotonic()
        estimator.fit(X, labels, progress=self._progress)
        fitted = time.monotonic()
        probabilities = probabilities_of(estimator, unseen)
        predicted = time.monotonic()
        repeats = self._repeated(estimator.classes_[probabilities.argmax(axis=1)])
        notes = self._notes(estimator)
        codes = class_codes(truth, estimator.classes_)
        confidence = self._confidence(estimator, probabilities, codes, notes)
        probabilities = confidence.probabilities
        evaluation = evaluate(truth, probabilities, estimator.classes_)
        file: str | None = None
        sha256: str | None = None
        try:
            file, sha256 = folder.save_model(estimator, self.name.replace(":", "-"))
        except ModelError as error:
            notes.append(f"its model was not saved, because nothing would load it: {error}")
        title = f"{estimator.title} ({self._backbone})" if self._several else estimator.title
        result = recording.result(
            self.name,
            estimator,
            evaluation,
            confidence,
            title=title,
            fit_seconds=fitted - clock,
            predict_seconds=predicted - fitted,
            backbone=self._base_of(estimator),
            model=file,
            model_sha256=sha256,
            repeats=repeats,
            notes=notes,
        )
        return TrialResult(result, self._predictions(estimator, probabilities))

    def learning_curve(self) -> record.LearningCurve | None:
        """Return the curve, if it was wished for and can be had in a short time."""
        estimator = self._make(0)
        if not self._settings.learning_curve or estimator.consumes != "embeddings":
            return None
        from classify.evaluation.learning_curve import learning_curve

        train, test = (self._X(estimator, split) for split in _SPLITS)
        if isinstance(train, RowsOnDisk) or isinstance(test, RowsOnDisk):
            return None
        labels = (np.array(self._prepared.labels(split)) for split in _SPLITS)
        curve = learning_curve(
            self._make,
            (train, next(labels)),
            (test, next(labels)),
            seed=self._seed,
            progress=self._progress,
            stage=f"{self.name}: learning curve",
        )
        return recording.learning_curve(self.name, curve)

    def _base_of(self, estimator: Classifier) -> str | None:
        """Return the name of the base in the record, if it has to be named."""
        if estimator.consumes == "activations":
            return f"{self._backbone} up to {estimator.cut.layer}"
        return self._backbone if self._several else None

    def _make(self, seed: int) -> Classifier:
        if ":" in self._kind:
            return registry.make(self._kind, seed=seed)
        known = registry.parameters(self._kind, in_one_pass=self._in_one_pass)
        settings = {name: getattr(self._settings, name) for name in ("kernel", "class_weight")}
        if self._settings.learning_rate is not None:
            settings["learning_rate"] = list(self._settings.learning_rate)
        recipe, options = self._prepared.base.recipe, self._features.options
        settings |= {
            "unfreeze": self._settings.unfreeze,
            "mirror": self._settings.mirror,
            "backbone": recipe.backbone,
            "size": recipe.size,
            "weights": options.base.weights,
            "cache": options.base.cache,
        }
        return registry.make(
            self._kind,
            seed=seed,
            in_one_pass=self._in_one_pass,
            **{name: value for name, value in settings.items() if name in known},
        )

    def _X(self, estimator: Classifier, split: Split) -> Any:  # noqa: N802 - scikit-learn's
        """Return an array, or `RowsOnDisk`: for training only to what is trained in one pass."""
        return self._features(estimator, split)

    def _on_disk(self, estimator: Classifier) -> bool:
        """Tell whether any of what a classifier is fed stays on disk."""
        return any(isinstance(self._X(estimator, split), RowsOnDisk) for split in _SPLITS)

    def _repeated(self, first: np.ndarray) -> list[float]:
        """Return the accuracies with one seed after the other, of which the first has answered."""
        truth = np.array(self._prepared.labels("test"))
        accuracies = [float((first == truth).mean())]
        told = self._progress if in_this_process() else silent
        labels = self._prepared.labels("train")
        X, unseen = (self._X(self._make(self._seed), split) for split in _SPLITS)
        # One after the other, so that a model that has been judged is not kept.
        tasks = (
            (self._make(self._seed + more), X, labels, unseen, truth, told)
            for more in range(1, self._settings.repeats)
        )
        # Rows on this disk are not sent to other machines.
        here = isinstance(X, RowsOnDisk) or isinstance(unseen, RowsOnDisk)
        for accuracy in starmap(_accuracy, tasks) if here else each(_accuracy, tasks):
            accuracies.append(accuracy)
            self._progress(f"{self.name}: repeats", len(accuracies), self._settings.repeats)
        return accuracies if len(accuracies) > 1 else []

    def _confidence(
        self,
        estimator: Classifier,
        probabilities: np.ndarray,
        codes: np.ndarray,
        notes: list[str],
    ) -> Confidence:
        """Calibrate and choose a threshold if asked for; add to `notes` what fails."""
        from classify.evaluation.confidence import assess_confidence
        from classify.evaluation.held_out import held_out_proba
        from classify.evaluation.metrics import class_codes

        calibrate, target = self._settings.calibrate, self._settings.target_precision
        if not calibrate and target is None:
            return assess_confidence(probabilities, codes)
        if estimator.consumes != "embeddings":
            notes.append(
                "neither calibrated nor given a threshold: its cross-validation would take as long "
                "as five runs"
            )
            return assess_confidence(probabilities, codes)
        labels = self._prepared.labels("train")
        train = class_codes(labels, estimator.classes_)
        held_out = held_out_proba(
            estimator, self._X(estimator, "train"), labels, progress=self._progress
        )
        confidence = assess_confidence(
            probabilities,
            codes,
            (held_out, train[getattr(estimator, "held_out_", slice(None))]),
            calibration=calibrate,
            target_precision=target,
        )
        if target is not None and confidence.threshold is None:
            notes.append(
                f"no threshold makes {target:.1%} of the predictions on the training images "
                "correct: not even the most probable ones are"
            )
        return confidence

    def _predictions(
        self, estimator: Classifier, probabilities: np.ndarray
    ) -> list[record.PredictionRow]:
        prepared, best = self._prepared, probabilities.argmax(axis=1)
        return [
            record.PredictionRow(
                self.name,
                prepared.dataset.relative(path),
                label,
                str(estimator.classes_[code]),
                float(probabilities[i, code]),
            )
            for i, (path, label, code) in enumerate(
                zip(prepared.paths("test"), prepared.labels("test"), best, strict=True)
            )
        ]

    def _notes(self, estimator: Classifier) -> list[str]:
        return [*self._notes_on_memory(estimator), *self._notes_on_weights(estimator)]

    def _notes_on_memory(self, estimator: Classifier) -> list[str]:
        """Say what was done otherwise, or not at all, because the embeddings stayed on disk."""
        notes = []
        if self._in_one_pass:
            excess = self._features.excess(self._features.on_disk("train").nbytes)
            notes.append(f"trained in one pass over embeddings on disk: {excess}")
            if self._settings.calibrate or self._settings.target_precision is not None:
                notes.append(
                    f"probabilities were judged on the {len(estimator.held_out_):,} training "
                    "images that were left out of the training for it"
                )
        if self._settings.learning_curve and self._on_disk(estimator):
            notes.append("no learning curve: each of its draws needs the embeddings in memory")
        return notes

    def _notes_on_weights(self, estimator: Classifier) -> list[str]:
        """Say that the classes were weighted, where that makes a difference."""
        classes = self._prepared.dataset.classes
        found = counts(self._prepared.dataset.items, classes, "train")
        if estimator.get_params().get("class_weight") != "balanced":
            return []
        if max(found) < UNBALANCED * min(found):
            return []
        most, least = (classes[found.index(extreme(found))] for extreme in (max, min))
        return [
            f"the classes count the same in training, although {most} has {max(found):,} images "
            f"and {least} {min(found):,} (--class-weight none counts images instead)"
        ]


def _accuracy(
    estimator: Classifier,
    X: Any,
    labels: Sequence[str],
    unseen: np.ndarray | RowsOnDisk,
    truth: np.ndarray,
    progress: Progress,
) -> float:
    estimator.fit(X, labels, progress=progress)
    predicted = estimator.classes_[probabilities_of(estimator, unseen).argmax(axis=1)]
    return float((predicted == truth).mean())
