"""The tables of a run as pandas data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from reports.record import PredictionRow, Result, Run

PREDICTION_COLUMNS = ["classifier", "path", "true", "predicted", "probability"]
COMPARISON_COLUMNS = ["first", "second", "only_first", "only_second", "p_value", "p_adjusted"]
CURVE_COLUMNS = ["classifier", "images", "draw", "accuracy"]
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
