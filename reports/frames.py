"""The tables of a run as pandas data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from reports.records import EvidenceRow, PredictionRow, Result, Run, Shortcut, WeakSpot

PREDICTION_COLUMNS = ["classifier", "path", "true", "predicted", "probability"]
COMPARISON_COLUMNS = ["first", "second", "only_first", "only_second", "p_value", "p_adjusted"]
CURVE_COLUMNS = ["classifier", "images", "draw", "accuracy"]
SHORTCUT_COLUMNS = [
    *("property", "of", "accuracy", "accuracy_low", "accuracy_high", "chance"),
    *("p_value", "p_adjusted", "found", "images", "typical"),
]
EVIDENCE_COLUMNS = [
    *("classifier", "path", "class", "images", "score", "intercept", "exact", "start", "end"),
    "map",
]
WEAK_SPOT_COLUMNS = [
    *("kind", "name", "value", "images", "correct", "accuracy", "accuracy_low", "accuracy_high"),
    *("elsewhere", "p_value", "p_adjusted", "found"),
]
CLASS_MEASURES = ("precision", "recall", "f1")
INTERVALS = ("balanced_accuracy", "roc_auc", "log_loss")
"""Measures besides the accuracy that have a 95% interval."""
VALIDATED = ("validation_accuracy", "validation_log_loss")


def results_frame(run: Run) -> pd.DataFrame:
    """Return one row per classifier, in the order of the run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    pandas.DataFrame
        The columns of `metrics.csv`: `classifier`; `accuracy` with `accuracy_low` and
        `accuracy_high`, its 95% interval; `balanced_accuracy`; `precision[CLASS]`,
        `recall[CLASS]` and `f1[CLASS]` for each class; `roc_auc`; `log_loss`; `fit_seconds` and
        `predict_seconds`; the 95% intervals of `balanced_accuracy`, `roc_auc` and `log_loss`,
        named as that of the accuracy; and `validation_accuracy` and `validation_log_loss`, on
        training images that the classifier was not trained on. Measures are float64, NaN if
        unknown.
    """
    import pandas as pd

    columns = result_columns(run.data.classes)
    rows = [result_row(result, run.data.classes) for result in run.results]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    return frame.astype(dict.fromkeys(columns[1:], "float64")).astype({"classifier": str})


def result_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of `results_frame` for these classes."""
    return [
        *("classifier", "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy"),
        *(f"{measure}[{name}]" for name in classes for measure in CLASS_MEASURES),
        *("roc_auc", "log_loss", "fit_seconds", "predict_seconds"),
        *(f"{measure}_{end}" for measure in INTERVALS for end in ("low", "high")),
        *VALIDATED,
    ]


def result_row(result: Result, classes: Sequence[str]) -> list[Any]:
    """Return the values of `result_columns` for one classifier; None for a measure not known."""
    scores = {score.name: score for score in result.classes}
    return [
        result.classifier,
        *(result.accuracy, result.accuracy_low, result.accuracy_high, result.balanced_accuracy),
        *(getattr(scores.get(name), m, None) for name in classes for m in CLASS_MEASURES),
        *(result.roc_auc, result.log_loss, result.fit_seconds, result.predict_seconds),
        *(getattr(result, f"{m}_{end}") for m in INTERVALS for end in ("low", "high")),
        *(getattr(result.validation, name.removeprefix("validation_"), None) for name in VALIDATED),
    ]  # fmt: skip


def predictions_frame(rows: Iterable[PredictionRow]) -> pd.DataFrame:
    """Return one row per classifier and test image.

    Parameters
    ----------
    rows : iterable of PredictionRow

    Returns
    -------
    pandas.DataFrame
        The columns of `predictions.csv`: `classifier`, `path`, `true`, `predicted`, and
        `probability`, that of the predicted class (float64).
    """
    import pandas as pd

    values = [(r.classifier, r.path, r.true, r.predicted, r.probability) for r in rows]
    frame = pd.DataFrame(values, columns=PREDICTION_COLUMNS, dtype=object)
    return frame.astype({"probability": "float64"})


def comparisons_frame(run: Run) -> pd.DataFrame:
    """Return one row per pair of classifiers.

    Parameters
    ----------
    run : Run

    Returns
    -------
    pandas.DataFrame
        `first` and `second`, the two classifiers; `only_first` and `only_second`, the number of
        test images that only one of them gets right; `p_value` of McNemar's exact test,
        or of the permutation test of groups; and `p_adjusted`, adjusted for the number of pairs by
        Holm's method.
    """
    import pandas as pd

    values = [[getattr(pair, name) for name in COMPARISON_COLUMNS] for pair in run.comparisons]
    return pd.DataFrame(values, columns=COMPARISON_COLUMNS)


def learning_curves_frame(run: Run) -> pd.DataFrame:
    """Return one row per classifier, size of the training split and draw of images.

    Parameters
    ----------
    run : Run

    Returns
    -------
    pandas.DataFrame
        `classifier`; number of `images` that it was trained on; `draw`, from 0; and `accuracy` on
        the test split. Empty if the run has no learning curves.
    """
    import pandas as pd

    n_classes = len(run.data.classes)
    values = [
        (curve.classifier, size * n_classes if curve.per_class else size, draw, accuracy)
        for curve in run.learning_curves
        for size, accuracies in zip(curve.sizes, curve.accuracies, strict=True)
        for draw, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(values, columns=CURVE_COLUMNS)


def shortcuts_frame(shortcuts: Iterable[Shortcut]) -> pd.DataFrame:
    """Return one row for each property of images that was tested.

    Parameters
    ----------
    shortcuts : iterable of Shortcut

    Returns
    -------
    pandas.DataFrame
        Columns: `property`; `of` (what it is of: "file", "picture", "path", "column" or "all");
        `accuracy` with its 95% interval, `chance`, `p_value` and `p_adjusted`, float64; `found`
        (whether it predicts the label), bool; `images`, int64; and `typical` (of each class).
    """
    import pandas as pd

    rows = [shortcut_row(each) for each in shortcuts]
    frame = pd.DataFrame(rows, columns=SHORTCUT_COLUMNS, dtype=object)
    numbers = dict.fromkeys(SHORTCUT_COLUMNS[2:8], "float64")
    return frame.astype({**numbers, "found": bool, "images": "int64"})


def shortcut_row(each: Shortcut) -> list[Any]:
    """Return the values of `SHORTCUT_COLUMNS` for one property."""
    typical = ", ".join(f"{label}: {value}" for label, value in each.typical.items())
    return [
        *(each.property, each.origin, each.accuracy, each.accuracy_low, each.accuracy_high),
        *(each.chance, each.p_value, each.p_adjusted, each.found, each.n_images, typical),
    ]


def weak_spots_frame(spots: Iterable[WeakSpot]) -> pd.DataFrame:
    """Return one row for each group of test images that was judged.

    Parameters
    ----------
    spots : iterable of WeakSpot

    Returns
    -------
    pandas.DataFrame
        Columns: `kind` ("column", "property" or "cluster"); `name` and `value` (what the images
        have in common); `images` and `correct`, int64; `accuracy` with its 95% interval,
        `elsewhere` (the accuracy on all others), `p_value` and `p_adjusted`, float64; and `found`
        (whether it is a weak spot), bool.
    """
    import pandas as pd

    rows = [weak_spot_row(spot) for spot in spots]
    frame = pd.DataFrame(rows, columns=WEAK_SPOT_COLUMNS, dtype=object)
    numbers = dict.fromkeys(WEAK_SPOT_COLUMNS[5:11], "float64")
    return frame.astype({**numbers, "found": bool, "images": "int64", "correct": "int64"})


def weak_spot_row(spot: WeakSpot) -> list[Any]:
    """Return the values of `WEAK_SPOT_COLUMNS` for some test images."""
    return [
        *(spot.kind, spot.name, spot.value, spot.n_test, spot.n_correct, spot.accuracy),
        *(spot.accuracy_low, spot.accuracy_high, spot.elsewhere, spot.p_value, spot.p_adjusted),
        spot.found,
    ]


def evidence_frame(rows: Iterable[EvidenceRow]) -> pd.DataFrame:
    """Return one row for each test image and class that is explained, and each mean.

    Parameters
    ----------
    rows : iterable of EvidenceRow

    Returns
    -------
    pandas.DataFrame
        Columns: `classifier`, `path` ("" for the mean over test images of the class) and `class`;
        `images` (their number), int64; `score` and `intercept`, float64; `exact`, bool; `start` and
        `end` (where the places begin and end, as shares of the sides of what the network sees),
        float64; and `map`, float64 arrays of shape (height, width), which add up to `score` with
        `intercept`.
    """
    import numpy as np
    import pandas as pd

    values = [
        (
            *(row.classifier, row.path, row.label, row.n_images, row.score, row.intercept),
            *(row.exact, row.start, row.end, np.array(row.map)),
        )
        for row in rows
    ]
    frame = pd.DataFrame(values, columns=EVIDENCE_COLUMNS, dtype=object)
    numbers = dict.fromkeys(("score", "intercept", "start", "end"), "float64")
    return frame.astype({**numbers, "images": "int64", "exact": bool})
