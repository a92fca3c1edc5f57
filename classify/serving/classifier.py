"""A trained classifier of a run without its frozen base: embeddings in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify import persistence
from classify.errors import ModelError
from classify.evaluation.calibration import answered
from classify.serving.familiar import find_familiarity
from classify.serving.prediction import (
    Prediction,
    decision_rule,
    find_result,
    is_refused,
    is_undecided,
    most_probable,
    predict_proba,
)
from reports.reading import read_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from classify.serving.blocks import Block

NOT_SAVED = "its model was not saved"
"""In the note of a run on a classifier that cannot be used afterwards."""


class SavedClassifier:
    """A trained classifier of a run, without the frozen base that it was trained on.

    Parameters
    ----------
    folder : Path
        Of the run.
    name : str, default=None
        Of one of the run's classifiers; None is the best one in validation.

    Attributes
    ----------
    run, result, rule, estimator
        As of `classify.serving.model.Model`.

    Raises
    ------
    ModelError
        If the run has no such classifier, it cannot predict images, or its file is missing, damaged
        or not the one that the run has written.
    RecordError
        If the run cannot be read.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self.folder = folder
        self.run = read_record(folder)
        self.result = find_result(self.run, folder, name)
        self.rule = decision_rule(self.run, self.result)
        if self.run.recipe_of(self.result).get("weights") is None:
            raise ModelError(
                f"{folder} is a run on embeddings without a frozen base, so its classifiers "
                "cannot predict images; compare classifiers on images instead"
            )
        if self.result.model is None:
            others = [result.classifier for result in self.run.results if result.model]
            advice = f"choose one of: {', '.join(others)}" if others else "train another one"
            reasons = [note.partition(NOT_SAVED)[2] for note in self.result.notes]
            why = next(filter(None, reasons), ", as the notes of the run say")
            raise ModelError(
                f"the model of {self.result.classifier!r} was not saved in {folder}{why}; {advice}",
                setting="clf",
            )
        # Only the name counts: a record cannot have a file outside of its folder read.
        file = folder / Path(str(self.result.model)).name
        self.estimator = persistence.load(file, self.result.model_sha256)

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, in the order of the columns of the probabilities."""
        classes: NDArray[np.str_] = self.estimator.classes_
        return classes

    def find_familiarity(self, reject: float | None = None) -> Familiarity | None:
        """Return what images are compared with; see `classify.serving.familiar`."""
        return find_familiarity(self.run, self.result, self.folder, reject)

    def probabilities(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return calibrated probabilities.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
            Embeddings or images, whichever `estimator` takes.
        """
        return predict_proba(self.estimator, self.result, self.rule, X)

    def labels(
        self, probabilities: NDArray[np.float64], undecided: str | None = None
    ) -> NDArray[np.str_]:
        """Return the class of each sample.

        Parameters
        ----------
        probabilities : ndarray of float64, shape (n_samples, n_classes)
        undecided : str, default=None
            What to return instead where the probability is below the threshold of the run.
        """
        answers, sure = answered(probabilities, self.rule.answers(probabilities))
        labels: NDArray[np.str_] = self.classes_[answers]
        if undecided is None:
            return labels
        below = [is_undecided(self.result, float(probability)) for probability in sure]
        return np.where(below, undecided, labels)

    def predictions(
        self, block: Block, familiarity: Familiarity | None, reject: float | None, top: int
    ) -> list[Prediction]:
        """Return what is predicted for the files of a block, in their order.

        Parameters
        ----------
        block : Block
        familiarity : Familiarity or None
            What they are compared with.
        reject, top
            As in `classify.serving.model.Model.predict_files`.
        """
        predictions = {
            file: Prediction(file, None, None, reason) for file, reason in block.unusable.items()
        }
        if block.samples is not None:
            probabilities = self.probabilities(block.samples.X)
            answers = self.rule.answers(probabilities)
            familiar: list[float | None] = [None] * len(block.usable)
            if familiarity is not None and block.samples.pooled is not None:
                familiar = familiarity.familiarity(block.samples.pooled).tolist()
            for file, row, answer, value in zip(
                block.usable, probabilities, answers, familiar, strict=True
            ):
                probability = float(row[answer])
                predictions[file] = Prediction(
                    file,
                    str(self.classes_[answer]),
                    probability,
                    undecided=is_undecided(self.result, probability),
                    familiarity=value,
                    refused=is_refused(value, reject),
                    top=most_probable(self.classes_, row, top),
                )
        return [predictions[file] for file in block.files]
