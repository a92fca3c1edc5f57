"""What the record of a run holds about each classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reports.records.pictures import Rejection  # noqa: TC001 - reading needs the types

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY_CLASSES = 30
"""With more classes, a confusion matrix is stored by its cells, and pages show a part of it."""


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class on the test split, each in [0, 1].

    The 95% intervals are None in records of earlier versions.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float
    precision_low: float | None = None
    precision_high: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    f1_low: float | None = None
    f1_high: float | None = None
    confidence: float | None = None
    """Mean probability of its predictions; None without any, and in earlier records."""


@dataclass(frozen=True)
class RocCurve:
    """The ROC curve of the class `label` against the rest: false and true positive rates."""

    label: str
    fpr: list[float]
    tpr: list[float]
    auc: float


@dataclass(frozen=True)
class SearchPoint:
    """Mean and standard deviation over the folds for one point of a parameter grid."""

    params: dict[str, Any]
    mean: float
    std: float
    log_loss: float | None = None
    """Log loss of the held-out probabilities, over all folds."""


@dataclass(frozen=True)
class Search:
    """A parameter search, validated within the training split."""

    folds: int
    """Number of folds; 1 for a hold-out, the number of images judged for leave-one-out."""
    scoring: str
    """The measure that `SearchPoint.mean` and `SearchPoint.std` are of."""
    points: list[SearchPoint]
    chosen: dict[str, Any]
    """`SearchPoint.params` of the point chosen."""
    chosen_by: str = "accuracy"
    method: str = "cross-validation"
    """How the points were validated: "cross-validation", "leave-one-out" or "hold-out"."""


@dataclass(frozen=True)
class Threshold:
    """The effect of predicting only if the most probable class is probable enough."""

    target: float
    """Precision that the threshold was chosen for, on the training images."""
    threshold: float
    precision: float | None
    """Share of correct predictions on the test images; None if there are no predictions."""
    recall: float
    """Share of the test images that are predicted, and correctly."""
    undecided: float
    """Share of the test images that are not predicted."""
    precision_low: float | None = None
    precision_high: float | None = None
    """95% interval of the precision; None in records of earlier versions."""


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: confidence and accuracy over bins of the predictions."""

    probabilities: list[float]
    """Mean probability of the predicted class in each bin that is not empty."""
    accuracies: list[float]
    """Share of correct predictions in each of these bins."""
    counts: list[int]
    error: float
    """Expected calibration error: the mean difference of the two, over all predictions."""
    chance: float | None = None
    """What perfectly calibrated probabilities would show; None in records of earlier versions."""


@dataclass(frozen=True)
class Sweep:
    """A network trained with one of several learning rates, without the validation split."""

    learning_rate: float
    history: dict[str, list[float]]
    """As in `Result`, with `val_loss` and `val_accuracy` on the validation split."""


@dataclass(frozen=True)
class Validation:
    """A classifier on training images that it was not trained on; the classifiers are chosen by it.

    All classifiers of a run are compared on the same images.
    """

    n_samples: int
    accuracy: float
    log_loss: float
    """It decides."""


@dataclass(frozen=True)
class Relabelled:
    """The test images whose label was corrected before the run, apart from the others."""

    n_relabelled: int
    n_relabelled_correct: int
    n_others: int
    n_others_correct: int
    others_low: float | None
    others_high: float | None
    """95% interval of the accuracy on the others; None if there are none."""


@dataclass(frozen=True)
class Result:
    """One classifier on the test split."""

    classifier: str
    """Its name, or ``NAME@BACKBONE`` if several backbones are compared."""
    title: str
    params: dict[str, Any]
    n_parameters: int | None
    n_test: int
    n_correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    roc_auc: float | None
    log_loss: float
    fit_seconds: float
    predict_seconds: float
    classes: list[ClassScore]
    confusion: list[list[int]]
    """Rows are true classes, columns predicted ones, in the order of `Data.classes`; empty with
    more than `MANY_CLASSES` classes."""
    confusion_cells: list[list[int]] = field(default_factory=list)
    """With more than `MANY_CLASSES` classes, the cells of the confusion matrix that are not zero:
    true class and predicted class, by their positions, and number of images."""
    roc: list[RocCurve] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    """One value per epoch for `loss` and `accuracy`, for networks only."""
    search: Search | None = None
    sweep: list[Sweep] = field(default_factory=list)
    """Every learning rate that was tried, for networks only."""
    model: str | None = None
    """File of the saved model, relative to the run's folder."""
    model_sha256: str | None = None
    """SHA-256 of that file's bytes, 64 hexadecimal digits."""
    notes: list[str] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    """Accuracies with consecutive seeds, before any calibration; empty without repeats."""
    threshold: Threshold | None = None
    rejection: Rejection | None = None
    """None if no images were to be refused, and in records of earlier versions."""
    relabelled: Relabelled | None = None
    """None if no test image was relabelled, and in records of earlier versions."""
    reliability: Reliability | None = None
    uncalibrated: Reliability | None = None
    """Before calibration, if the probabilities were calibrated."""
    sigmoids: list[list[float]] = field(default_factory=list)
    """The calibration in runs of earlier versions."""
    backbone: str | None = None
    """Base of its embeddings, one of `Run.bases`; None if there is only one."""
    temperature: float | None = None
    """The calibration; see `classify.evaluation.calibration`."""
    offsets: list[float] = field(default_factory=list)
    """Of the calibration, one per class; empty without calibration, and in earlier records."""
    calibration_gain: list[float] | None = None
    """By how much it lowers the log loss on the test images, with the limits of the interval."""
    calibration_changed: int | None = None
    """How many answers for test images it changes; None without it, and in earlier records."""
    validation: Validation | None = None
    """None if it has none, and in records of earlier versions."""
    balanced_accuracy_low: float | None = None
    """95% intervals; None in records of earlier versions."""
    balanced_accuracy_high: float | None = None
    roc_auc_low: float | None = None
    roc_auc_high: float | None = None
    log_loss_low: float | None = None
    log_loss_high: float | None = None

    def cells(self) -> Iterator[tuple[int, int, int]]:
        """Yield true class, predicted class and number for every cell that is not zero."""
        for true, counts in enumerate(self.confusion):
            yield from ((true, predicted, n) for predicted, n in enumerate(counts) if n)
        yield from ((true, predicted, n) for true, predicted, n in self.confusion_cells)


@dataclass(frozen=True)
class PredictionRow:
    """The prediction of one classifier for one test image: a row of `predictions.csv`."""

    classifier: str
    path: str
    """Relative to `Data.root`, or absolute."""
    true: str
    predicted: str
    probability: float
    """Of the predicted class, in [0, 1]."""
