"""How far a classifier's probabilities can be trusted: reliability, calibration and threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classify.evaluation.calibration import Reliability, calibrate, fit_temperature, reliability
from classify.evaluation.intervals import mean_loss_interval
from classify.evaluation.metrics import sample_losses
from classify.evaluation.threshold import ThresholdResult, apply_threshold, choose_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Confidence:
    """What `assess_confidence` returns.

    Attributes
    ----------
    probabilities : ndarray of shape (n_test, n_classes)
        Of the test samples: calibrated, if that was asked for.
    reliability : Reliability
        Of these probabilities.
    uncalibrated : Reliability or None
        Before the calibration; None without calibration.
    gain : list of float or None
        By how much calibration lowers the log loss on the test samples: the mean, and the limits of
        its 95% interval. None without calibration.
    temperature : float or None
        See `classify.evaluation.calibration.fit_temperature`; None without calibration.
    threshold : ThresholdResult or None
        None if no target precision was asked for, or no threshold reaches it.
    """

    probabilities: NDArray[Any]
    reliability: Reliability
    uncalibrated: Reliability | None = None
    gain: list[float] | None = None
    temperature: float | None = None
    threshold: ThresholdResult | None = None

    def calibrated(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """Calibrate other probabilities as those of the test samples were, if they were."""
        if self.temperature is None:
            return probabilities
        return calibrate(probabilities, self.temperature)


def assess_confidence(
    probabilities: NDArray[Any],
    codes: NDArray[np.intp],
    held_out: tuple[NDArray[Any], NDArray[np.intp]] | None = None,
    *,
    calibration: bool = False,
    target_precision: float | None = None,
) -> Confidence:
    """Measure the reliability of predictions, after calibration and with a threshold if asked for.

    Calibration and threshold are fitted on training samples, and measured on test samples.

    Parameters
    ----------
    probabilities : ndarray of shape (n_test, n_classes)
        Of the test samples.
    codes : ndarray of int, shape (n_test,)
        Their true classes, as columns of `probabilities`.
    held_out : tuple of ndarray, optional
        The same two arrays for training samples, each predicted by a model that was not trained on
        it; see `classify.evaluation.held_out.hold_out`. Required for what follows.
    calibration : bool, default=False
        Whether to calibrate the probabilities.
    target_precision : float, optional
        The precision to choose a threshold for, above 0 and below 1.

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
    >>> test = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])
    >>> train = np.array([[0.8, 0.2], [0.4, 0.6]]).repeat(40, axis=0), np.arange(80) // 60
    >>> round(assess_confidence(*test, train, target_precision=0.9).threshold.threshold, 3)
    0.622
    """
    before = reliability(probabilities, codes)
    if not calibration and target_precision is None:
        return Confidence(probabilities, before)
    if held_out is None:
        raise ValueError("calibration and thresholds need probabilities of held-out samples")
    train, train_codes = held_out
    temperature: float | None = None
    gain: list[float] | None = None
    if calibration:
        temperature = fit_temperature(train, train_codes)
        gains = sample_losses(probabilities, codes)
        train, probabilities = calibrate(train, temperature), calibrate(probabilities, temperature)
        gains = gains - sample_losses(probabilities, codes)
        gain = [float(gains.mean()), *mean_loss_interval(gains)]
    threshold: ThresholdResult | None = None
    if target_precision is not None:
        least = choose_threshold(train, train_codes, target_precision)
        if least is not None:
            threshold = apply_threshold(probabilities, codes, least, target_precision)
    return Confidence(
        probabilities,
        reliability=reliability(probabilities, codes) if calibration else before,
        uncalibrated=before if calibration else None,
        gain=gain,
        temperature=temperature,
        threshold=threshold,
    )
