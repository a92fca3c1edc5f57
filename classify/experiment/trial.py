"""One classifier of a run: trained on the training split, evaluated on the test split."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ModelError
from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.evaluation.repeats import accuracies_of
from classify.experiment.evidence import evidence_rows
from classify.experiment.familiar import (
    NOT_OF_A_LOWER_LAYER,
    can_refuse,
    too_few_groups_sentence,
    too_few_sentence,
)
from classify.experiment.recording import conversion
from classify.experiment.recording.notes import group_notes, training_notes
from classify.experiment.recording.run import TrialResult
from toolkit.phases import phase
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.confidence import Confidence
    from classify.evaluation.decision import DecisionRule
    from classify.evaluation.held_out import HeldOutProbabilities
    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features
    from classify.experiment.recording.folder import RunFolder
    from classify.experiment.settings import RunSettings
    from classify.networks.sweep import FinishedRate
    from extract.datasets.dataset import Split
    from reports import records
    from reports.records import Rejection, Relabelled
    from toolkit.progress import Progress


@dataclass(frozen=True)
class Fitted:
    """A trained classifier, the probabilities of the test images, and the time that both took."""

    estimator: Classifier
    probabilities: np.ndarray
    fit_seconds: float
    predict_seconds: float


class Trial:
    """One classifier on the embeddings of one base.

    Parameters
    ----------
    candidate : Candidate
    features : Features
    settings : RunSettings
    several : bool
        Whether the same classifier is tried on several frozen bases; its name then says which one.
    progress : Progress
        Called at every stage.
    """

    def __init__(
        self,
        candidate: Candidate,
        features: Features,
        settings: RunSettings,
        *,
        several: bool,
        progress: Progress,
    ) -> None:
        streamed = candidate.streamed if features.exceeds("train") else None
        self._candidate, self._streamed = streamed or candidate, streamed is not None
        self._features, self._settings = features, settings
        self._several, self._progress = several, progress
        self.name = f"{candidate.name}@{features.backbone}" if several else candidate.name

    @property
    def has_learning_curve(self) -> bool:
        """Whether the settings ask for a learning curve, and it takes a short time."""
        return self._settings.learning_curve and self._candidate.consumes == "embeddings"

    def run(
        self,
        folder: RunFolder,
        rates: dict[str, list[FinishedRate]],
        familiarity: NDArray[Any] | None = None,
    ) -> TrialResult:
        """Train and evaluate the classifier, and save its model into the folder of the run.

        Parameters
        ----------
        folder : RunFolder
        rates : dict
            What the learning rates gave that were finished before the run was stopped, if any were;
            those that are finished when it is stopped now are put there.
        familiarity : ndarray of float, shape (n_test,), optional
            Of the test images; see `classify.evaluation.unfamiliar.familiarity`.
        """
        from classify.evaluation.metrics import evaluate
        from classify.evaluation.validation import HeldOut

        fitted = self._fit(rates)
        estimator, truth = fitted.estimator, self._features.labels("test")
        notes = training_notes(estimator, self._features, self._settings, streamed=self._streamed)
        held_out = self._hold_out(estimator)
        notes += group_notes(estimator, self._features, held_out)
        confidence = self._confidence(fitted, held_out, notes)
        repeats = self._repeat(confidence)
        rejection = self._rejection(confidence, familiarity, notes)
        model, sha256 = self._save(estimator, folder, notes)
        result = conversion.result(
            self.name,
            estimator,
            evaluate(
                truth,
                confidence.probabilities,
                estimator.classes_,
                confidence.answers,
                self._features.groups("test"),
            ),
            confidence,
            title=self._title(estimator),
            fit_seconds=fitted.fit_seconds,
            predict_seconds=fitted.predict_seconds,
            backbone=self._base_name(estimator),
            model=model,
            model_sha256=sha256,
            repeats=repeats,
            rejection=rejection,
            relabelled=self._relabelled(confidence),
            notes=notes,
        )
        predictions = conversion.predictions(
            self.name,
            self._features.sample_names("test"),
            truth,
            confidence,
            estimator.classes_,
        )
        validated = None
        if held_out is not None:
            rule = confidence.rule.for_training_images()
            given = rule.probabilities(held_out.probabilities)
            answers = rule.answers(given)
            validated = HeldOut.of(given, held_out.codes, held_out.rows, answers)
        with phase("finding evidence"):
            evidence = evidence_rows(
                estimator,
                self._features,
                predictions,
                seed=self._settings.seed,
                progress=self._progress,
            )
        return TrialResult(result, predictions, validated, evidence)

    def assess(self) -> Confidence:
        """Train the classifier and predict the test images; nothing is saved."""
        fitted = self._fit({})
        needs_held_out = self._settings.calibrate or self._settings.target_precision is not None
        held_out = self._hold_out(fitted.estimator) if needs_held_out else None
        return self._confidence(fitted, held_out, [])

    def learning_curve(
        self, result: records.Result, predictions: Sequence[records.PredictionRow]
    ) -> records.LearningCurve | None:
        """Return the learning curve; None if the embeddings do not fit in memory.

        It ends with `predictions`, those of the `result`; all models answer by the same rule.
        """
        estimator = self._create(0)
        from classify.evaluation.learning_curve import learning_curve

        train, test = self._X(estimator, "train"), self._X(estimator, "test")
        if isinstance(train, RowsOnDisk) or isinstance(test, RowsOnDisk):
            return None
        curve = learning_curve(
            self._create,
            (train, np.array(self._features.labels("train"))),
            (test, np.array(self._features.labels("test"))),
            np.array([row.predicted for row in predictions]),
            rule=self._rule(result),
            groups=self._features.groups("train"),
            seed=self._settings.seed,
            progress=self._progress,
            stage=f"{self.name}: learning curve",
        )
        return conversion.learning_curve(self.name, curve)

    @property
    def has_ungrouped(self) -> bool:
        """Whether it can be compared with a split that ignores groups."""
        on_disk = self._features.exceeds("train") or self._features.exceeds("test")
        return self._candidate.consumes == "embeddings" and not on_disk

    def ungrouped(self, result: records.Result) -> records.Ungrouped:
        """Return what a split that ignores groups would have claimed; see `has_ungrouped`."""
        from classify.evaluation.ungrouped import evaluate_ungrouped

        estimator = self._create(self._settings.seed)
        train, test = (
            (self._X(estimator, split), self._features.labels(split)) for split in ("train", "test")
        )
        found = evaluate_ungrouped(
            estimator,
            train,
            test,
            self._rule(result),
            seed=self._settings.seed,
            progress=self._progress,
        )
        return conversion.ungrouped(self.name, found)

    def _rule(self, result: records.Result) -> DecisionRule:
        """Return how the probabilities of a classifier became the answers of its result."""
        from classify.evaluation.calibration import Calibration

        rule = self._settings.decision_rule(self._features.classes, self._features.counts("train"))
        if result.temperature is None:
            return rule
        offsets = result.offsets or [0.0] * len(self._features.classes)
        return replace(rule, calibration=Calibration(result.temperature, offsets))

    def _create(self, seed: int) -> Classifier:
        return self._features.bind(self._candidate.create(seed))

    def _X(self, estimator: Classifier, split: Split) -> Any:  # noqa: N802 - scikit-learn's name
        """Return an array, or `RowsOnDisk`; for training the latter only if it is streamed."""
        return self._features(estimator, split)

    def _fit(self, rates: dict[str, list[FinishedRate]]) -> Fitted:
        estimator = self._create(self._settings.seed)
        if self.name in rates:
            estimator.finished_rates = rates[self.name]
        X, labels = self._X(estimator, "train"), self._features.labels("train")
        X_test = self._X(estimator, "test")
        groups = self._features.groups("train")
        start = time.monotonic()
        try:
            with phase(f"{self.name}: training"):
                estimator.fit(X, labels, progress=self._progress, groups=groups)
        except BaseException:
            if getattr(estimator, "finished_rates", None):
                rates[self.name] = estimator.finished_rates
            raise
        fitted = time.monotonic()
        probabilities = probabilities_of(estimator, X_test)
        return Fitted(estimator, probabilities, fitted - start, time.monotonic() - fitted)

    def _repeat(self, first: Confidence) -> list[float]:
        """Return the accuracy with each seed, starting with that of the answers of `first`."""
        seed, repeats = self._settings.seed, self._settings.repeats
        if repeats == 1:
            return []
        untrained = self._create(seed)
        train, test = (
            (self._X(untrained, split), self._features.labels(split)) for split in ("train", "test")
        )
        codes = np.searchsorted(self._features.classes, test[1])
        accuracies = [float((first.answers == codes).mean())]
        seeds = range(seed + 1, seed + repeats)
        groups = self._features.groups("train")
        for accuracy in accuracies_of(
            self._create, seeds, train, test, first.rule, self._progress, groups
        ):
            accuracies.append(accuracy)
            self._progress(f"{self.name}: repeats", len(accuracies), repeats)
        return accuracies

    def _hold_out(self, estimator: Classifier) -> HeldOutProbabilities | None:
        """Predict training images without having trained on them; None if there are too few."""
        from classify.evaluation.held_out import hold_out

        X, labels = self._X(estimator, "train"), self._features.labels("train")
        groups = self._features.groups("train")
        with phase(f"{self.name}: predicting held-out images"):
            return hold_out(estimator, X, labels, progress=self._progress, groups=groups)

    def _confidence(
        self, fitted: Fitted, held_out: HeldOutProbabilities | None, notes: list[str]
    ) -> Confidence:
        """Calibrate and choose a threshold if the settings ask for it; add notes on what fails."""
        from classify.evaluation.confidence import assess_confidence
        from classify.evaluation.metrics import class_codes
        from classify.evaluation.threshold import fewest_samples

        calibrate, target = self._settings.calibrate, self._settings.target_precision
        codes = class_codes(self._features.labels("test"), fitted.estimator.classes_)
        rule = self._settings.decision_rule(self._features.classes, self._features.counts("train"))
        if held_out is None:
            if calibrate or target is not None:
                notes.append(
                    "neither calibrated nor given a threshold: its cross-validation needs more "
                    "training images of every class"
                )
            return assess_confidence(fitted.probabilities, codes, rule)
        groups = self._features.groups("train")
        confidence = assess_confidence(
            fitted.probabilities,
            codes,
            rule,
            (held_out.probabilities, held_out.codes),
            calibration=calibrate,
            target_precision=target,
            groups=self._features.groups("test"),
            held_out_groups=None if groups is None else groups[held_out.rows],
        )
        if target is not None and confidence.threshold is None:
            n_samples, needed = len(held_out.codes), fewest_samples(target)
            images = plural(n_samples, "held-out training image")
            if groups is not None:
                images += f" in {plural(len(np.unique(groups[held_out.rows])), 'group')}"
            notes.append(
                f"no threshold: {images} cannot show that "
                f"{target:.1%} of the predictions are correct on new images"
                + (f", which takes at least {needed:,}" if n_samples < needed else "")
            )
        return confidence

    def _rejection(
        self, confidence: Confidence, familiarity: NDArray[Any] | None, notes: list[str]
    ) -> Rejection | None:
        """Refuse unfamiliar test images if the settings ask for it; add a note if that fails."""
        from classify.evaluation.unfamiliar.rejection import apply_rejection

        share = self._settings.reject
        if share is None:
            return None
        if self._candidate.consumes == "activations":
            notes.append(NOT_OF_A_LOWER_LAYER)
            return None
        n_train = sum(self._features.counts("train"))
        if familiarity is None or not can_refuse(n_train, share):
            of_groups = familiarity is None and self._features.groups("train") is not None
            notes.append(
                too_few_groups_sentence() if of_groups else too_few_sentence(n_train, share)
            )
            return None
        codes = np.searchsorted(self._features.classes, self._features.labels("test"))
        correct, groups = confidence.answers == codes, self._features.groups("test")
        return conversion.rejection(apply_rejection(familiarity, correct, share, codes, groups))

    def _relabelled(self, confidence: Confidence) -> Relabelled | None:
        """Look at the test images whose label was corrected apart; None if there are none."""
        from classify.evaluation.relabelled import relabelled_apart

        items = [item for item in self._features.dataset.items if item.split == "test"]
        changed = np.array([item.path in self._features.dataset.relabelled for item in items])
        if not changed.any():
            return None
        codes = np.searchsorted(self._features.classes, [item.label for item in items])
        groups = self._features.groups("test")
        apart = relabelled_apart(confidence.answers == codes, changed, codes, groups)
        return conversion.relabelled(apart)

    def _save(
        self, estimator: Classifier, folder: RunFolder, notes: list[str]
    ) -> tuple[str | None, str | None]:
        """Save the model; return its file's name and SHA-256, or note why it is not saved."""
        try:
            return folder.save_model(estimator, re.sub(r"[^\w.@=+-]", "-", self.name))
        except ModelError as error:
            notes.append(
                f"it cannot be used after this run: its model was not saved, because {error}"
            )
            return None, None

    def _title(self, estimator: Classifier) -> str:
        """Return the estimator's title, with the base if there are several."""
        return (
            f"{estimator.title} ({self._features.backbone})" if self._several else estimator.title
        )

    def _base_name(self, estimator: Any) -> str | None:
        """Return the name of the base in the record, if it has to be named."""
        if estimator.consumes == "activations":
            return f"{self._features.backbone} up to {estimator.freeze_point.layer}"
        return self._features.backbone if self._several else None
