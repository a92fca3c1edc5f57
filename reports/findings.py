"""In words: what was found out about a classifier besides its accuracy."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from reports.text import count, duration, figure, percent

if TYPE_CHECKING:
    from reports.record import Audit, LearningCurve, Reliability, Result, Run, Threshold

NOTEWORTHY = 0.001
"""Accuracy that more images would have to bring to be worth a mention."""


def findings(run: Run) -> list[tuple[str, str]]:
    """Return what there is to say, each with the name of the classifier that it is about."""
    found: list[tuple[str, str]] = []
    for result in run.results:
        found += [(result.classifier, text) for text in (repeated(result),) if text]
        if result.reliability is not None and result.uncalibrated is not None:
            found.append((result.classifier, calibration(result.uncalibrated, result.reliability)))
        if result.threshold is not None:
            found.append((result.classifier, thresholded(result.threshold)))
    found += [(curve.classifier, prognosis(curve)) for curve in run.learning_curves]
    if run.audit is not None:
        found += [
            (name, f"{percent(accuracy)} of the test images without those that are in training too")
            for name, accuracy in run.audit.accuracies_without_leaks.items()
        ]
    return found


def audited(audit: Audit) -> str:
    """Say how much looking for wrong data has found.

    Examples
    --------
    >>> from reports.record import Audit
    >>> print(audited(Audit([], [], [], {}, 8.0)))
    audit (8.00 s): no test image is in training too; no suspect label; no odd image
    """
    exact = sum(leak.exact for leak in audit.leaks)
    leaks = (
        f"{count(len(audit.leaks))} test image{' is' if len(audit.leaks) == 1 else 's are'} in "
        f"training too ({count(exact)} byte for byte)"
        if audit.leaks
        else "no test image is in training too"
    )
    suspects, odd = (
        f"{count(len(some))} {word}{'' if len(some) == 1 else 's'}" if some else f"no {word}"
        for some, word in ((audit.suspects, "suspect label"), (audit.oddities, "odd image"))
    )
    return f"audit ({duration(audit.seconds)}): {leaks}; {suspects}; {odd}"


def repeated(result: Result) -> str | None:
    """Say how much the accuracy depends on the seed.

    Returns None if it was not tried.
    """
    if len(result.repeats) < 2:
        return None
    return (
        f"accuracy {figure(fmean(result.repeats))} over {count(len(result.repeats))} seeds, "
        f"standard deviation {figure(stdev(result.repeats), 4)}, from "
        f"{figure(min(result.repeats))} to {figure(max(result.repeats))}"
    )


def calibration(before: Reliability, after: Reliability) -> str:
    """Say what the calibration has brought.

    Examples
    --------
    >>> from reports.record import Reliability
    >>> print(calibration(Reliability([], [], [], 0.021), Reliability([], [], [], 0.008)))
    expected calibration error 0.008 on the test images, 0.021 before the calibration
    """
    return (
        f"expected calibration error {figure(after.error)} on the test images, "
        f"{figure(before.error)} before the calibration"
    )


def thresholded(threshold: Threshold) -> str:
    """Say what comes of answering only where the classifier is sure enough.

    Examples
    --------
    >>> from reports.record import Threshold
    >>> found = Threshold(0.99, 0.8312, 0.9912, 0.955, 0.037)
    >>> print(thresholded(found))  # doctest: +NORMALIZE_WHITESPACE
    answering only from a probability of 0.831 on, 99.1% of the answers are right (99.0% was wished
    for, on the training images); 95.5% of all images are answered and right, 3.7% left undecided
    """
    right = percent(threshold.precision)
    return (
        f"answering only from a probability of {figure(threshold.threshold)} on, {right} of the "
        f"answers are right ({percent(threshold.target)} was wished for, on the training images); "
        f"{percent(threshold.recall)} of all images are answered and right, "
        f"{percent(threshold.undecided)} left undecided"
    )


def prognosis(curve: LearningCurve) -> str:
    """Say whether more training images would help.

    Examples
    --------
    >>> from reports.record import LearningCurve
    >>> curve = LearningCurve("svm", [500, 1000], [[0.96], [0.97]], gain=0.0075)
    >>> print(prognosis(curve))  # doctest: +NORMALIZE_WHITESPACE
    96.0% with 500 images per class, 97.0% with 1,000; twice as many would bring about 0.8 points
    more, if it goes on like this
    """
    means = [fmean(accuracies) for accuracies in curve.accuracies]
    ends = list(zip(curve.sizes, means, strict=True))[-2:]
    text = ", ".join(
        f"{percent(mean)} with {count(size)}{' images per class' if i == 0 else ''}"
        for i, (size, mean) in enumerate(ends)
    )
    if curve.gain is None:
        return f"{text}; too few images to say what more would bring"
    if curve.gain < NOTEWORTHY:
        return f"{text}; more images like these would hardly help"
    return (
        f"{text}; twice as many would bring about {figure(100 * curve.gain, 1)} points more, if it "
        "goes on like this"
    )
