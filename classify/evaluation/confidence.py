"""How far a classifier's probabilities can be trusted: reliability, calibration and threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from classify.evaluation.calibration import Reliability, fit_calibration, reliability
from classify.evaluation.metrics import sample_losses
from classify.evaluation.threshold import ThresholdResult, apply_threshold, choose_threshold
from classify.evaluation.uncertainty.group_intervals import GroupIntervals
from classify.evaluation.uncertainty.intervals import mean_loss_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classify.evaluation.calibration import Calibration
    from classify.evaluation.decision import DecisionRule
    from classify.evaluation.uncertainty.intervals import Interval


@dataclass(frozen=True)
class Confidence:
    """What `assess_confidence` returns.

    Attributes
    ----------
    rule : DecisionRule
        Makes probabilities and answers; with the calibration, if that was asked for.
    probabilities : ndarray of shape (n_test, n_classes)
        Of the test samples.
    answers : ndarray of intp, shape (n_test,)
        Their predicted classes.
    reliability : Reliability
        Of these answers.
    uncalibrated : Reliability or None
        Before the calibration; None without calibration.
    gain : list of float or None
        By how much calibration lowers the log loss on the test samples: the mean, and the limits of
        its 95% interval. None without calibration.
    changed : int or None
        Number of answers that calibration changes; None without calibration.
    threshold : ThresholdResult or None
        None if no target precision was asked for, or no threshold reaches it.
    """

    rule: DecisionRule
    probabilities: NDArray[Any]
    answers: NDArray[np.intp]
    reliability: Reliability
    uncalibrated: Reliability | None = None
    gain: list[float] | None = None
    changed: int | None = None
    threshold: ThresholdResult | None = None


def assess_confidence(
    raw: NDArray[Any],
    codes: NDArray[np.intp],
    rule: DecisionRule,
    held_out: tuple[NDArray[Any], NDArray[np.intp]] | None = None,
    *,
    calibration: bool = False,
    target_precision: float | None = None,
    groups: NDArray[Any] | None = None,
    held_out_groups: NDArray[Any] | None = None,
) -> Confidence:
    """Measure the reliability of predictions, after calibration and with a threshold if asked for.

    Calibration and threshold are fitted on training samples, and measured on test samples.

    Parameters
    ----------
    raw : ndarray of shape (n_test, n_classes)
        Probabilities of the test samples, as the classifier predicts them.
    codes : ndarray of int, shape (n_test,)
        Their true classes, as columns of `raw`.
    rule : DecisionRule
        Without a calibration.
    held_out : tuple of ndarray, optional
        The same two arrays for training samples, each predicted by a model that was not trained on
        it; see `classify.evaluation.held_out.hold_out`. Required for what follows.
    calibration : bool, default=False
        Whether to calibrate the probabilities.
    target_precision : float, optional
        The precision to choose a threshold for, above 0 and below 1.
    groups : ndarray of int, shape (n_test,), optional
        The group of each test sample, which the intervals then know of; see
        `classify.evaluation.uncertainty.group_intervals`. None is a group of its own for each.
    held_out_groups : ndarray of int, shape (n_held_out,), optional
        Those of the training samples of `held_out`, which the choice of a threshold then knows of.

    Returns
    -------
    Confidence

    Raises
    ------
    ValueError
        If calibration or a threshold is asked for without `held_out`.
    ClassifierError
        If `target_precision` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from classify.evaluation.decision import DecisionRule
    >>> test = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])
    >>> train = np.array([[0.8, 0.2], [0.4, 0.6]]).repeat(40, axis=0), np.arange(80) // 60
    >>> rule = DecisionRule.of([60, 20])
    >>> confidence = assess_confidence(*test, rule, train, target_precision=0.9)
    >>> round(confidence.threshold.threshold, 3)
    0.622
    """
    probabilities = rule.probabilities(raw)
    answers = rule.answers(probabilities)
    plain = Confidence(rule, probabilities, answers, reliability(probabilities, codes, answers))
    if not calibration and target_precision is None:
        return plain
    if held_out is None:
        raise ValueError("calibration and thresholds need probabilities of held-out samples")
    train, train_codes = held_out
    found = plain
    if calibration:
        found = _calibrated(plain, raw, codes, fit_calibration(train, train_codes), groups)
    if target_precision is None:
        return found
    train = found.rule.probabilities(train)
    least = choose_threshold(
        train, train_codes, target_precision, found.rule.answers(train), held_out_groups
    )
    if least is None:
        return found
    threshold = apply_threshold(
        found.probabilities, codes, least, target_precision, found.answers, groups
    )
    return replace(found, threshold=threshold)


def _calibrated(
    plain: Confidence,
    raw: NDArray[Any],
    codes: NDArray[np.intp],
    calibration: Calibration,
    groups: NDArray[Any] | None,
) -> Confidence:
    """Return what becomes of `plain` by a calibration, and what that is worth."""
    rule = replace(plain.rule, calibration=calibration)
    probabilities = rule.probabilities(raw)
    answers = rule.answers(probabilities)
    gains = sample_losses(plain.probabilities, codes) - sample_losses(probabilities, codes)
    if groups is None:
        limits: Interval | None = mean_loss_interval(gains)
    else:
        limits = GroupIntervals(groups, codes).mean(gains)
    return Confidence(
        rule,
        probabilities,
        answers,
        reliability(probabilities, codes, answers),
        uncalibrated=plain.reliability,
        gain=None if limits is None else [float(gains.mean()), *limits],
        changed=int((answers != plain.answers).sum()),
    )
