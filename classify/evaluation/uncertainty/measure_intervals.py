"""The 95% intervals of all measures of a classifier, for single samples or for groups of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import hstack

from classify.evaluation.uncertainty.group_intervals import GroupIntervals, correlation_factor
from classify.evaluation.uncertainty.intervals import (
    f1_interval,
    f1_limits,
    mean_interval,
    mean_loss_interval,
    mean_of_shares,
    roc_auc_interval,
    share_interval,
)
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.evaluation.uncertainty.intervals import Interval


@dataclass(frozen=True)
class MeasureIntervals:
    """The interval of each measure; those of classes are lists of length n_classes.

    `roc_auc` is None if a class has no test sample, and `log_loss` if there are too few groups.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    precision: list[Interval]
    recall: list[Interval]
    f1: list[Interval]
    roc_auc: Interval | None
    log_loss: Interval | None


def of_samples(
    confusion: NDArray[Any], areas: Sequence[float] | None, losses: NDArray[np.float64]
) -> MeasureIntervals:
    """Return the intervals for samples that were drawn one by one.

    Parameters
    ----------
    confusion : ndarray of int, shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.
    areas : sequence of float or None
        Area under the ROC curve of the second of two classes, or of each of more; None if a class
        has no sample.
    losses : ndarray of shape (n_samples,)
        Of each sample.
    """
    correct, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    present, n_samples = support > 0, int(confusion.sum())
    positive = support[1:] if len(support) == 2 else support
    counts = [tuple(map(int, c)) for c in zip(correct, support, predicted, strict=True)]
    return MeasureIntervals(
        accuracy=wilson(int(correct.sum()), n_samples),
        balanced_accuracy=mean_interval(correct[present], support[present]),
        precision=[share_interval(right, among) for right, _, among in counts],
        recall=[share_interval(right, among) for right, among, _ in counts],
        f1=[f1_interval(*of_class) for of_class in counts],
        roc_auc=None if areas is None else roc_auc_interval(areas, positive.tolist(), n_samples),
        log_loss=mean_loss_interval(losses),
    )


def of_groups(
    groups: NDArray[Any],
    codes: NDArray[np.intp],
    y_pred: NDArray[np.intp],
    y_proba: NDArray[Any],
    losses: NDArray[np.float64],
) -> MeasureIntervals:
    """Return the intervals for samples that were drawn group by group.

    Parameters
    ----------
    groups : ndarray of int, shape (n_samples,)
    codes, y_pred : ndarray of intp, shape (n_samples,)
        True and predicted classes, as columns of `y_proba`.
    y_proba : ndarray of shape (n_samples, n_classes)
    losses : ndarray of shape (n_samples,)
        Of each sample.

    See Also
    --------
    classify.evaluation.uncertainty.group_intervals.GroupIntervals : How they are computed.
    """
    n_classes, right = y_proba.shape[1], y_pred == codes
    intervals = GroupIntervals(groups, codes)
    hits = intervals.table(codes, n_classes, right)
    support, predicted = (intervals.table(labels, n_classes) for labels in (codes, y_pred))
    either = support + predicted - hits
    accuracy, *of_classes = intervals.shares(
        hstack([intervals.sums(right[None]), hits, hits, hits], format="csr"),
        hstack(
            [intervals.sums(np.ones((1, len(codes)))), support, predicted, either], format="csr"
        ),
    )
    recall, precision, overlap = (
        of_classes[start : start + n_classes] for start in range(0, 3 * n_classes, n_classes)
    )
    supports = support.sum(axis=0)
    present = np.flatnonzero(supports)
    curves = [1] if n_classes == 2 else range(n_classes)
    area = None
    if supports.min() > 0 and len(present) > 1:
        limits = [intervals.area(y_proba[:, code], codes == code) for code in curves]
        low, high = np.mean(limits, axis=0)
        area = float(low), float(high)
    return MeasureIntervals(
        accuracy=accuracy,
        balanced_accuracy=mean_of_shares(
            hits.sum(axis=0)[present] / supports[present],
            [recall[code] for code in present],
            correlation_factor(hits[:, present], support[:, present]),
        ),
        precision=precision,
        recall=recall,
        f1=[f1_limits(*limits) for limits in overlap],
        roc_auc=area,
        log_loss=intervals.mean(losses),
    )
