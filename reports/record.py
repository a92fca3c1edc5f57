"""The record of one run: what `classify` fills in and `run.json` stores.

Nothing is computed here. A record holds only what JSON can hold, so that a run can be rendered
again years later from `run.json` and `predictions.csv` alone.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reports.picture_records import (  # noqa: TC001 - reading needs the types
    Audit,
    EmbeddingMap,
    FamiliarityFile,
    Rejection,
)
from reports.property_records import Shortcut  # noqa: TC001 - reading needs the types

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = 2
"""Of the records that are written; `reports.reading` also reads earlier ones."""
RECORD_NAME = "run.json"
NETWORKS_NAME = "networks"
"""Folder, beside the record, of the quantised networks that a run's classifiers need."""
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
class LearningCurve:
    """Accuracy on the test images for several numbers of training images."""

    classifier: str
    sizes: list[int]
    accuracies: list[list[float]]
    """For every size, the accuracy of each draw of training images."""
    gain: float | None = None
    """Expected gain in accuracy from twice as many images; None if it cannot be said."""
    gain_range: list[float] | None = None
    """5th and 95th percentile of the gain."""
    per_class: bool = True
    """Whether `sizes` count images per class, as many of every class, as they do in records of
    earlier versions, whose gain is about twice the true one; else they are images of all classes,
    and the last one is all that there are.
    """


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
class Comparison:
    """Two classifiers on the same test images, and whether they differ significantly."""

    first: str
    second: str
    only_first: int
    """Number of images that only the first one predicts correctly."""
    only_second: int
    p_value: float
    """Of McNemar's exact test, or of the permutation test of groups (see `Data.by_groups`)."""
    p_adjusted: float
    """The p-value adjusted for the number of pairs in the run (Holm)."""


@dataclass(frozen=True)
class Ungrouped:
    """The accuracy of a classifier on another test split of the same size, which ignores groups."""

    classifier: str
    """The best one on embeddings, by the held-out training images."""
    accuracy: float
    n_test: int


@dataclass(frozen=True)
class Data:
    """The images of a run: their classes, their number in each split, and their folder."""

    name: str
    root: str
    classes: list[str]
    train_counts: list[int]
    test_counts: list[int]
    split: str
    """How the test split was made, in words."""
    fingerprint: str
    """Of the images' contents, labels, splits and groups."""
    layout: str = "given"
    """How the files were understood, in a word."""
    layout_description: str = ""
    """The same for people."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """Reason -> number of files or folders that were not used for it."""
    remarks: list[str] = field(default_factory=list)
    """What was guessed about the data or looks odd."""
    image_fingerprint: str | None = None
    """Of the images' contents alone; None without images, and in records of earlier versions."""
    label_fingerprint: str | None = None
    """Of their contents and labels."""
    group_origin: str | None = None
    """Where the groups come from, in words; None without groups, and in earlier records."""
    groups: int | None = None
    """Number of groups; an image without one is its own. None without groups."""
    train_groups: int | None = None
    test_groups: int | None = None
    cut_groups: int = 0
    """Number of groups that are on both sides of the split, which only a given one can do."""
    cut_test_images: int = 0
    """Number of test images in these groups."""
    by_groups: bool = False
    """Whether intervals and comparisons are by the `test_groups`; not in earlier records."""


@dataclass(frozen=True)
class ExtractionSummary:
    """How many embeddings were computed or read from the cache, and how long it took."""

    images: int
    cached: int
    computed: int
    quarantined: int
    seconds: float


@dataclass(frozen=True)
class Base:
    """A frozen base whose embeddings a run uses."""

    backbone: str
    recipe: dict[str, Any]
    """The recipe's fields, with `fingerprint` and `weights_source` (a word or a file).

    With int8, ``calibration`` says on which images the network was calibrated: their number
    (``images``), the data set they are from (``source``), how many are in the run's training split
    (``in_training_split``), and the SHA-256 over their sorted digests, a line each (``sha256``).
    Runs of earlier versions do not have it.
    """
    extraction: ExtractionSummary
    familiarity: FamiliarityFile | None = None
    """None if it was not fitted, and in records of earlier versions."""


@dataclass(frozen=True)
class Quarantined:
    """A file that was not used, and why."""

    path: str
    reason: str


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


@dataclass(frozen=True)
class Run:
    """A whole run of `python -m classify`."""

    created: str
    """UTC, ISO 8601, to the second."""
    command: list[str]
    seed: int
    data: Data
    bases: list[Base]
    """Every frozen base, at least one."""
    results: list[Result]
    versions: dict[str, str]
    machine: dict[str, Any]
    seconds: float
    quarantine: list[Quarantined] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    """Of every pair of classifiers."""
    learning_curves: list[LearningCurve] = field(default_factory=list)
    ungrouped: Ungrouped | None = None
    """What a split that ignores groups would have claimed; None without groups, where the split
    divides them, and in records of earlier versions."""
    audit: Audit | None = None
    shortcuts: list[Shortcut] = field(default_factory=list)
    """Properties that predict the label, of those that are known without decoding an image; empty
    with an audit, which tests more, and in records of earlier versions."""
    embedding_map: EmbeddingMap | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """Everything that was set and can change a figure; empty in records of earlier versions."""
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The classifiers that the run was given, with their parameters before the training; empty in
    records of earlier versions."""
    priors: dict[str, float] = field(default_factory=dict)
    """Share of every class among new images; empty for those of the training split."""
    decision: str = "least-errors"
    """Which class is answered; see `classify.evaluation.decision.DecisionRule`."""
    not_done: list[str] = field(default_factory=list)
    """Classifiers and other parts that were asked for, but not reached before the run was stopped;
    `classify` goes on with them."""
    schema: int = SCHEMA

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe of the first base."""
        return self.bases[0].recipe

    @property
    def extraction(self) -> ExtractionSummary:
        """What the extraction by the first base did."""
        return self.bases[0].extraction

    def recipe_of(self, result: Result) -> dict[str, Any]:
        """Return the recipe of the embeddings that a classifier was trained on."""
        return self.base_of(result).recipe

    def base_of(self, result: Result) -> Base:
        """Return the base of the embeddings that a classifier was trained on."""
        bases = {base.backbone: base for base in self.bases}
        return bases.get(result.backbone or "", self.bases[0])

    def to_json(self) -> str:
        """Return the record as indented JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=True) + "\n"
