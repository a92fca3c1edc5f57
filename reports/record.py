"""The plain record of one run: what `classify` fills in and `run.json` stores.

Nothing here computes. A record holds only what JSON holds, so that a run can be rendered again
years later from `run.json` and `predictions.csv` alone.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from reports.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = 1
RECORD_NAME = "run.json"
MAX_DEPTH = 32

T = TypeVar("T")


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class on the test split, each in [0, 1]."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class RocCurve:
    """One ROC curve: `label` against the rest, false positive rate (x), true positive rate (y)."""

    label: str
    fpr: list[float]
    tpr: list[float]
    auc: float


@dataclass(frozen=True)
class SearchPoint:
    """Mean and standard deviation over the folds of one point of a parameter grid."""

    params: dict[str, Any]
    mean: float
    std: float
    log_loss: float | None = None
    """Over all folds, of the probabilities that the scores become."""


@dataclass(frozen=True)
class Search:
    """A cross-validated parameter search, made inside the training split."""

    folds: int
    scoring: str
    points: list[SearchPoint]
    chosen: dict[str, Any]
    chosen_by: str = "accuracy"


@dataclass(frozen=True)
class Result:
    """One classifier on the test split."""

    classifier: str
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
    """Rows are the true classes, columns the predicted ones, in the order of `Data.classes`."""
    roc: list[RocCurve] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)
    """One value per epoch under `loss` and `accuracy`, for networks only."""
    search: Search | None = None
    model: str | None = None
    """File of the saved model, relative to the run's folder."""
    model_sha256: str | None = None
    """SHA-256 of that file's bytes, 64 hexadecimal digits."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Data:
    """The pictures of a run: which classes, how many in each split, where they lie."""

    name: str
    root: str
    classes: list[str]
    train_counts: list[int]
    test_counts: list[int]
    split: str
    """How the test split came about, in words."""
    fingerprint: str


@dataclass(frozen=True)
class Extraction:
    """What the extraction before the training did."""

    images: int
    cached: int
    computed: int
    quarantined: int
    seconds: float


@dataclass(frozen=True)
class Quarantined:
    """A file that was set aside, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Prediction:
    """What one classifier says of one picture of the test split: a row of `predictions.csv`."""

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
    recipe: dict[str, Any]
    """The recipe's fields, with `fingerprint` and `weights_source` (a word or a file)."""
    extraction: Extraction
    results: list[Result]
    versions: dict[str, str]
    machine: dict[str, Any]
    seconds: float
    quarantine: list[Quarantined] = field(default_factory=list)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the record as indented JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Run:
        """Read a record back.

        Raises
        ------
        RecordError
            If `text` is not JSON, is of a newer schema, does not have the record's fields, or its
            lists do not fit one another.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"not a run record: the text is not JSON ({error})") from error
        if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
            raise RecordError("not a run record: expected a JSON object with a schema number")
        if raw["schema"] > SCHEMA:
            raise RecordError(
                f"this run record has schema {raw['schema']}, this version reads up to {SCHEMA}; "
                "upgrade frozen-features to read it"
            )
        run = _build(cls, raw, "run")
        _check_lengths(run)
        return run


def read(folder: Path) -> Run:
    """Read the record of the run in `folder`.

    Raises
    ------
    RecordError
        If there is no record in `folder`, or it cannot be read.
    """
    path = folder / RECORD_NAME
    try:
        if path.exists() and not path.is_file():  # reading a FIFO would wait for ever
            raise OSError("not a regular file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(
            f"{folder} is not a run: cannot read {RECORD_NAME} ({error}); "
            "give a folder that python -m classify has written"
        ) from error
    try:
        return Run.from_json(text)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error


def _check_lengths(run: Run) -> None:
    """Raise unless every class has its counts, and every y of a curve its x."""
    n_classes = len(run.data.classes)
    pairs = {
        "run.data.train_counts": [len(run.data.train_counts)],
        "run.data.test_counts": [len(run.data.test_counts)],
    }
    for i, result in enumerate(run.results):
        sides = [len(result.confusion), *(len(row) for row in result.confusion)]
        pairs[f"run.results[{i}].confusion"] = sides
        for curve in result.roc:
            if len(curve.fpr) != len(curve.tpr):
                raise RecordError(
                    f"not a run record: run.results[{i}].roc has {len(curve.fpr)} false positive "
                    f"rates and {len(curve.tpr)} true positive rates; expected as many of each"
                )
    for where, lengths in pairs.items():
        if any(length != n_classes for length in lengths):
            raise RecordError(
                f"not a run record: {where} does not fit {n_classes} classes (found {lengths[0]})"
            )


def _build(cls: type[T], raw: Mapping[str, Any], where: str) -> T:
    """Build the dataclass `cls` from a JSON object, checking every field's type."""
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is always a dataclass here
        if entry.name in raw:
            values[entry.name] = _convert(
                hints[entry.name], raw[entry.name], f"{where}.{entry.name}"
            )
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise RecordError(f"not a run record: {where}.{entry.name} is missing")
    return cls(**values)


def _check_depth(value: Any, where: str, left: int = MAX_DEPTH) -> None:
    """Raise if lists and objects lie in one another deeper than anything that renders them goes."""
    if left == 0:
        raise RecordError(f"not a run record: {where} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, where, left - 1)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Check `value` against the type `hint`, building nested dataclasses on the way."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        _check_depth(value, where)
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(hint, value, where)  # type: ignore[arg-type]  # a class, not an instance
    if origin is list and isinstance(value, list):
        return [_convert(args[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _convert(args[1], item, f"{where}[{key!r}]") for key, item in value.items()}
    if type(None) in args:
        inner = next(arg for arg in args if arg is not type(None))
        return None if value is None else _convert(inner, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise RecordError(f"not a run record: {where} is too large a number") from error
    if isinstance(hint, type) and isinstance(value, hint) and not isinstance(value, bool):
        if isinstance(value, int) and value < 0:  # all are counts, but for the seed and the schema
            raise RecordError(f"not a run record: {where} is {value}, expected 0 or more")
        return value
    raise RecordError(f"not a run record: {where} is {type(value).__name__}, not {hint}")
