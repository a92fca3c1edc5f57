"""In words: what was found out about a classifier besides its accuracy."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from reports.wording.text import count, duration, figure, percent

if TYPE_CHECKING:
    from reports.picture_records import Audit
    from reports.record import LearningCurve, Reliability, Result, Run, Threshold

NOTEWORTHY = 0.001
"""Accuracy that more images would have to bring to be worth a mention."""


def findings(run: Run) -> list[tuple[str, str]]:
    """Return what there is to say, each with the name of the classifier that it is about."""
    found: list[tuple[str, str]] = []
    for result in run.results:
        found += [(result.classifier, text) for text in (repeated(result),) if text]
        if result.sweep:
            found.append((result.classifier, swept(result)))
        if result.reliability is not None and result.uncalibrated is not None:
            found.append((result.classifier, calibration(result.uncalibrated, result.reliability)))
        if result.threshold is not None:
            found.append((result.classifier, thresholded(result.threshold, result.n_test)))
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
    >>> from reports.picture_records import Audit
    >>> print(audited(Audit([], [], [], {}, 8.0)))  # doctest: +NORMALIZE_WHITESPACE
    audit (8.00 s): no test image is in training too; no copy of another image; no suspect label;
    no outlier
    """
    exact = sum(leak.exact for leak in audit.leaks)
    leaks = (
        f"{count(len(audit.leaks))} test image{' is' if len(audit.leaks) == 1 else 's are'} in "
        f"training too ({count(exact)} byte for byte)"
        if audit.leaks
        else "no test image is in training too"
    )
    labelled = sum(copy.label != copy.of_label for copy in audit.copies)
    kinds = [
        (len(audit.copies), "copy of another image", "copies of other images"),
        (len(audit.suspects), "suspect label", "suspect labels"),
        (len(audit.outliers), "outlier", "outliers"),
    ]
    copies, suspects, odd = (
        f"{count(number)} {one if number == 1 else several}" if number else f"no {one}"
        for number, one, several in kinds
    )
    if labelled:
        copies += f" ({count(labelled)} under another label)"
    return f"audit ({duration(audit.seconds)}): {leaks}; {copies}; {suspects}; {odd}"


def repeated(result: Result) -> str | None:
    """Say how much the accuracy depends on the seed.

    Returns None if it was not tried.
    """
    if len(result.repeats) < 2:
        return None
    seeds = count(len(result.repeats))
    if len(set(result.repeats)) == 1:
        return (
            f"accuracy {figure(result.repeats[0])} with each of {seeds} seeds: on the same split, "
            "its training leaves little to chance"
        )
    return (
        f"accuracy {figure(fmean(result.repeats))} over {seeds} seeds on the same split, "
        f"standard deviation {figure(stdev(result.repeats), 4)}, from "
        f"{figure(min(result.repeats))} to {figure(max(result.repeats))}"
    )


def swept(result: Result) -> str:
    """Say which learning rate was chosen, and whether a better one may lie beyond those tried.

    Only of a result that has a sweep.
    """
    tried = sorted(sweep.learning_rate for sweep in result.sweep)
    chosen = result.search.chosen["learning_rate"] if result.search else tried[0]
    number = count(len(tried))
    text = f"learning rate {chosen:g}, the best of {number} on a part of the training images"
    if chosen == tried[-1]:
        return f"{text}; it is the largest of them, and a larger one may be better still"
    if chosen == tried[0]:
        return f"{text}; it is the smallest of them, and a smaller one may be better still"
    return text


def calibration(before: Reliability, after: Reliability) -> str:
    """Say what the calibration has brought.

    Examples
    --------
    >>> from reports.record import Reliability
    >>> print(calibration(Reliability([], [], [], 0.021), Reliability([], [], [], 0.008)))
    expected calibration error 0.008 on the test images, 0.021 before the calibration
    """
    text = (
        f"expected calibration error {figure(after.error)} on the test images, "
        f"{figure(before.error)} before the calibration"
    )
    return text if after.error <= before.error else f"{text}: on these it did not help"


def thresholded(threshold: Threshold, n_test: int) -> str:
    """Say what comes of answering only where the classifier is sure enough.

    So many answers as `3 / (1 - target)`, all of them right, are needed to show a precision
    (the rule of three: Hanley and Lippman-Hand, 1983).

    Examples
    --------
    >>> from reports.record import Threshold
    >>> found = Threshold(0.99, 0.8312, 0.9912, 0.955, 0.037)
    >>> print(thresholded(found, 1000))  # doctest: +NORMALIZE_WHITESPACE
    answers only from a probability of 0.831 on, which 99.0% right answers took on the training
    images: of 1,000 test images it answers 963, 99.1% of them right, and leaves 3.7% undecided
    """
    answers = round((1 - threshold.undecided) * n_test)
    text = (
        f"answers only from a probability of {figure(threshold.threshold)} on, which "
        f"{percent(threshold.target)} right answers took on the training images: of "
        f"{count(n_test)} test images it answers {count(answers)}, {percent(threshold.precision)} "
        f"of them right, and leaves {percent(threshold.undecided)} undecided"
    )
    if threshold.precision is not None and threshold.precision < threshold.target:
        text += "; that is fewer right answers than were wished for"
    needed = math.ceil(3 / (1 - threshold.target)) if threshold.target < 1 else math.inf
    if answers < needed:
        text += f"; so few answers cannot show {percent(threshold.target)}"
    return text


def prognosis(curve: LearningCurve) -> str:
    """Say whether more training images would help.

    Examples
    --------
    >>> from reports.record import LearningCurve
    >>> curve = LearningCurve("svm", [500, 1000], [[0.96], [0.97]], 0.0075, [0.004, 0.012])
    >>> print(prognosis(curve))  # doctest: +NORMALIZE_WHITESPACE
    96.0% with 500 images per class, 97.0% with 1,000; twice as many would bring about 0.8 points
    more, if it goes on like this (0.4 to 1.2 points from draw to draw)
    """
    means = [fmean(accuracies) for accuracies in curve.accuracies]
    ends = list(zip(curve.sizes, means, strict=True))[-2:]
    text = ", ".join(
        f"{percent(mean)} with {count(size)}{' images per class' if i == 0 else ''}"
        for i, (size, mean) in enumerate(ends)
    )
    if curve.gain is None:
        return f"{text}; too few images to say what more would bring"
    low, high = curve.gain_range or [curve.gain, curve.gain]
    draws = ""
    if curve.gain_range:
        draws = f" ({figure(100 * low, 1)} to {figure(100 * high, 1)} points from draw to draw)"
    if high < NOTEWORTHY:
        return f"{text}; more images like these would hardly help"
    if low < NOTEWORTHY:
        return f"{text}; whether twice as many would help, they do not tell{draws}"
    return (
        f"{text}; twice as many would bring about {figure(100 * curve.gain, 1)} points more, if it "
        f"goes on like this{draws}"
    )
