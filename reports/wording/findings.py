"""What a run shows about its classifiers besides their accuracy, in words."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from reports.copy_groups import groups_to_keep_together
from reports.wording.text import count, duration, figure, percent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import (
        Audit,
        LearningCurve,
        Rejection,
        Relabelled,
        Reliability,
        Result,
        Run,
        Threshold,
    )

NOTEWORTHY = 0.001
"""A smaller gain in accuracy from more images is not worth collecting them."""
FILES_NAMED = 3
"""How many of the files that could not be used are named."""


def findings(run: Run) -> list[tuple[str, str]]:
    """Return all findings, each as the name of its classifier and a sentence."""
    found: list[tuple[str, str]] = []
    for result in run.results:
        name = result.classifier
        if len(result.repeats) > 1:
            found.append((name, repeats_sentence(result)))
        if result.sweep:
            found.append((name, sweep_sentence(result)))
        if result.reliability is not None and result.uncalibrated is not None:
            said = calibration_sentence(
                result.uncalibrated,
                result.reliability,
                result.calibration_gain,
                result.calibration_changed,
            )
            found.append((name, said))
        if result.threshold is not None:
            found.append((name, threshold_sentence(result.threshold, result.n_test)))
        if result.rejection is not None:
            found.append((name, rejection_sentence(result.rejection)))
        if result.relabelled is not None:
            found.append((name, relabelled_sentence(result.relabelled)))
    found += [(curve.classifier, learning_curve_sentence(curve)) for curve in run.learning_curves]
    if run.audit is not None:
        found += [
            (
                name,
                f"accuracy {percent(accuracy)} without test images that look like training images",
            )
            for name, accuracy in run.audit.accuracies_without_leaks.items()
        ]
    return found


def stopped_sentence(run: Run) -> str:
    """Say what a run that was stopped has not done; empty for one that is complete."""
    if not run.not_done:
        return ""
    return f"This run was stopped before it was complete. Not done: {', '.join(run.not_done)}."


def unused_files_sentence(run: Run) -> str:
    """Name the first files that could not be used, with the reasons; "" if there are none."""
    if not run.quarantine:
        return ""
    named = [f"{item.path} ({item.reason})" for item in run.quarantine[:FILES_NAMED]]
    more = len(run.quarantine) - len(named)
    return (
        f"{plural(len(run.quarantine), 'file')} could not be used as images: {', '.join(named)}"
        f"{f' and {count(more)} more' if more else ''}; quarantine.csv lists them"
    )


def audit_sentence(audit: Audit) -> str:
    """Say how many problems an audit found.

    Examples
    --------
    >>> from reports.records import Audit
    >>> print(audit_sentence(Audit([], [], [], {}, 8.0)))  # doctest: +NORMALIZE_WHITESPACE
    audit (8.00 s): no test image looks like a training image; no copies of other images; no suspect
    labels; no outliers
    """
    exact = sum(leak.exact for leak in audit.leaks)
    leaks = "no test image looks like a training image"
    if audit.leaks:
        look = "looks like a training image"
        if len(audit.leaks) > 1:
            look = "look like training images"
        leaks = f"{plural(len(audit.leaks), 'test image')} {look} ({count(exact)} byte for byte)"
    copies = _number_of(len(audit.copies), "copy of another image", "copies of other images")
    relabelled = sum(copy.label != copy.of_label for copy in audit.copies)
    if relabelled:
        copies += f" ({count(relabelled)} with another label)"
    suspects = suspects_sentence(audit)
    outliers = _number_of(len(audit.outliers), "outlier", "outliers")
    return f"audit ({duration(audit.seconds)}): {leaks}; {copies}; {suspects}; {outliers}"


def groups_sentences(audit: Audit) -> list[str]:
    """Say that there is a table of groups if there are copies, or signs of groups.

    Examples
    --------
    >>> from reports.records import Audit, Copy
    >>> copies = [Copy("b.jpg", "train", "cat", "a.jpg", "cat")]
    >>> print(groups_sentences(Audit([], [], [], {}, 8.0, copies=copies))[0])
    groups.csv lists 1 group (2 images): copies; --groups keeps each on one side of a drawn split
    """
    groups = groups_to_keep_together(audit)
    if not groups:
        return []
    seem = "what seem to be groups: " if audit.groups_are_guessed else ""
    origins = [f"{seem}{audit.groups_origin}"] if audit.known_groups else []
    origins += ["copies"] if audit.copies else []
    number = plural(len(set(groups.values())), "group")
    lines = [
        f"groups.csv lists {number} ({plural(len(groups), 'image')}): {' and '.join(origins)}; "
        "--groups keeps each on one side of a drawn split"
    ]
    if audit.leaks:
        lines.append("--labels with leaks.csv leaves out the test images that are in training")
    return lines


def suspects_sentence(audit: Audit) -> str:
    """Say how many labels are probably wrong, and how many others are doubtful.

    Examples
    --------
    >>> from reports.records import Audit, Suspect
    >>> suspects = [Suspect("1.jpg", "train", "cat", "dog", 0.1 * i, wrong=i < 2) for i in range(5)]
    >>> audit = Audit([], suspects, [], {}, 8.0, wrong_labels=2, judged_labels=1000)
    >>> print(suspects_sentence(audit))
    about 2 of 1,000 labels are probably wrong; 3 more images look like another class
    """
    if audit.wrong_labels is None:
        return _number_of(len(audit.suspects), "suspect label", "suspect labels")
    judged = plural(audit.judged_labels, "label")
    are = "is" if audit.wrong_labels == 1 else "are"
    text = f"about {count(audit.wrong_labels)} of {judged} {are} probably wrong"
    if not audit.wrong_labels:
        text = f"probably none of {judged} is wrong"
    others = len(audit.suspects) - audit.wrong_labels
    if not others:
        return text
    more = "more " if audit.wrong_labels else ""
    look = "image looks" if others == 1 else "images look"
    return f"{text}; {count(others)} {more}{look} like another class"


def _number_of(number: int, noun: str, nouns: str) -> str:
    return plural(number, noun, nouns) if number else f"no {nouns}"


def repeats_sentence(result: Result) -> str:
    """Say how much the accuracy of a repeated training depends on the seed."""
    seeds = count(len(result.repeats))
    if len(set(result.repeats)) == 1:
        return (
            f"accuracy {figure(result.repeats[0])} with each of {seeds} seeds on the same split: "
            "its training hardly depends on the seed"
        )
    return (
        f"accuracy {figure(fmean(result.repeats))} over {seeds} seeds on the same split, "
        f"standard deviation {figure(stdev(result.repeats), 4)}, from "
        f"{figure(min(result.repeats))} to {figure(max(result.repeats))}"
    )


def sweep_sentence(result: Result) -> str:
    """Say which of several learning rates was chosen, and whether to try others.

    The result must have a sweep.
    """
    rates = sorted(sweep.learning_rate for sweep in result.sweep)
    chosen = result.search.chosen["learning_rate"] if result.search else rates[0]
    text = f"learning rate {chosen:g}, the best of {count(len(rates))} on a validation split"
    if chosen == rates[-1]:
        return f"{text}; it is the largest of them, and a larger one may be better still"
    if chosen == rates[0]:
        return f"{text}; it is the smallest of them, and a smaller one may be better still"
    return text


def calibration_sentence(
    before: Reliability,
    after: Reliability,
    gain: Sequence[float] | None = None,
    changed: int | None = None,
) -> str:
    """Say how calibration changed the probabilities, and whether that is more than chance.

    Parameters
    ----------
    before, after : Reliability
    gain : sequence of float, default=None
        By how much it lowers the log loss, with the limits of the 95% interval; None in runs of
        earlier versions.
    changed : int, default=None
        How many answers it changes, likewise.

    Examples
    --------
    >>> from reports.records import Reliability
    >>> before, after = (Reliability([], [], [], error, 0.012) for error in (0.021, 0.008))
    >>> print(calibration_sentence(before, after, [0.01, 0.004, 0.016], 3))
    ... # doctest: +NORMALIZE_WHITESPACE
    expected calibration error 0.008 on the test images (perfect calibration would show about
    0.012), 0.021 before calibration, which changes 3 answers; log loss 0.010 lower (95% interval
    0.004 to 0.016): the probabilities are better
    """
    chance = ""
    if after.chance is not None:
        chance = f" (perfect calibration would show about {figure(after.chance)})"
    text = (
        f"expected calibration error {figure(after.error)} on the test images{chance}, "
        f"{figure(before.error)} before calibration"
    )
    if changed is not None:
        text += f", which changes {plural(changed, 'answer')}" if changed else ", the same answers"
    if gain is None:
        return text
    mean, low, high = gain
    span = f"95% interval {figure(low)} to {figure(high)}"
    if low > 0:
        return f"{text}; log loss {figure(mean)} lower ({span}): the probabilities are better"
    if high < 0:
        return (
            f"{text}; log loss {figure(-mean)} higher (95% interval {figure(-high)} to "
            f"{figure(-low)}): the probabilities are worse on the test images"
        )
    if mean < 0:
        change, span = "rises", f"95% interval {figure(-high)} to {figure(-low)}"
    else:
        change = "falls"
    return f"{text}; the log loss {change} by {figure(abs(mean))} ({span}), which may be chance"


def threshold_sentence(threshold: Threshold, n_test: int) -> str:
    """Say what predicting only above a probability threshold brings.

    Examples
    --------
    >>> from reports.records import Threshold
    >>> threshold = Threshold(0.95, 0.8312, 0.9803, 0.944, 0.037, 0.9694, 0.9874)
    >>> print(threshold_sentence(threshold, 1000))  # doctest: +NORMALIZE_WHITESPACE
    predicts only from probability 0.831 on, chosen so that at least 95.0% of the predictions are
    correct on new images, too: of 1,000 test images it predicts 963, 98.0% of them correctly (95%
    interval 96.9% to 98.7%), and leaves 3.7% undecided
    """
    n_predicted = round((1 - threshold.undecided) * n_test)
    low, high = threshold.precision_low, threshold.precision_high
    chosen = f"chosen for a precision of {percent(threshold.target)} on the training images"
    span = ""
    if low is not None:
        chosen = (
            f"chosen so that at least {percent(threshold.target)} of the predictions are correct "
            "on new images, too"
        )
        span = f" (95% interval {percent(low)} to {percent(high)})"
    when = "at any probability"
    if threshold.threshold:
        when = f"only from probability {figure(threshold.threshold)} on"
    text = f"predicts {when}, {chosen}: of {plural(n_test, 'test image')} it predicts "
    if threshold.precision is None:
        return f"{text}none"
    text += (
        f"{count(n_predicted)}, {percent(threshold.precision)} of them correctly{span}, and leaves "
        f"{percent(threshold.undecided)} undecided"
    )
    if threshold.precision < threshold.target:
        text += "; the precision is below the target"
    return text


def rejection_sentence(rejection: Rejection) -> str:
    """Say how many test images were refused, and how many of the others are correct.

    Examples
    --------
    >>> from reports.records import Rejection
    >>> rejection = Rejection(0.05, 200, 9, 0.0239, 0.0834, 0.9843, 0.9549, 0.9946)
    >>> print(rejection_sentence(rejection))  # doctest: +NORMALIZE_WHITESPACE
    refuses 9 of 200 test images (4.5%, 95% interval 2.4% to 8.3%) as unlike the training images,
    where at most 5.0% of new images of the same kind should be; of the 191 that are left, 98.4% are
    correct (95% interval 95.5% to 99.5%)
    """
    n_refused, n_test = rejection.n_refused, rejection.n_test
    text = (
        f"refuses {count(n_refused) if n_refused else 'none'} of {plural(n_test, 'test image')} "
        f"({percent(n_refused / n_test)}, 95% interval {percent(rejection.refused_low)} to "
        f"{percent(rejection.refused_high)}) as unlike the training images, where at most "
        f"{percent(rejection.share)} of new images of the same kind should be"
    )
    if rejection.accuracy is None:
        return text
    n_left = n_test - n_refused
    share = f"{percent(rejection.accuracy)} are correct"
    left = f"of the {count(n_left)} that are left, {share}" if n_refused else f"of all, {share}"
    if n_left == 1:
        left = f"the one that is left is {'correct' if rejection.accuracy else 'wrong'}"
    interval = f"{percent(rejection.accuracy_low)} to {percent(rejection.accuracy_high)}"
    return f"{text}; {left} (95% interval {interval})"


def relabelled_sentence(found: Relabelled) -> str:
    """Say how a classifier does on the test images whose label was corrected, and on the others.

    Examples
    --------
    >>> from reports.records import Relabelled
    >>> print(relabelled_sentence(Relabelled(4, 3, 196, 191, 0.9415, 0.9891)))
    ... # doctest: +NORMALIZE_WHITESPACE
    accuracy 97.4% on the 196 test images whose label was not changed (95% interval 94.2% to 98.9%);
    of the 4 whose label was, 3 are correct
    """
    n_changed, n_correct = found.n_relabelled, found.n_relabelled_correct
    if not found.n_others or found.others_low is None:
        return f"the labels of all {plural(n_changed, 'test image')} were changed"
    images = f"the {plural(found.n_others, 'test image')}"
    apart = f"of the {count(n_changed)} whose label was, {count(n_correct)} are correct"
    if n_changed == 1:
        apart = f"the one whose label was is {'correct' if n_correct else 'wrong'}"
    return (
        f"accuracy {percent(found.n_others_correct / found.n_others)} on {images} whose label was "
        f"not changed (95% interval {percent(found.others_low)} to {percent(found.others_high)}); "
        f"{apart}"
    )


def learning_curve_sentence(curve: LearningCurve) -> str:
    """Say whether more training images would help.

    Examples
    --------
    >>> from reports.records import LearningCurve
    >>> sizes, accuracies = [500, 1000], [[0.96], [0.97]]
    >>> curve = LearningCurve("svm", sizes, accuracies, 0.0075, [0.004, 0.012], per_class=False)
    >>> print(learning_curve_sentence(curve))  # doctest: +NORMALIZE_WHITESPACE
    96.0% with 500 training images, 97.0% with all 1,000; twice as many would add about 0.8 points
    (90% range 0.4 to 1.2)
    """
    ends = zip(curve.sizes[-2:], curve.accuracies[-2:], strict=True)
    text = ", ".join(
        f"{percent(fmean(accuracies))} with {training_images(curve, size)}"
        for size, accuracies in ends
    )
    if curve.per_class:
        return f"{text}; what more would add was overestimated by the version that wrote this run"
    if curve.gain is None:
        return f"{text}; too few images to say what more would add"
    possible = 1 - fmean(curve.accuracies[-1])  # runs of earlier versions may promise more
    gain = min(curve.gain, possible)
    low, high = (min(end, possible) for end in curve.gain_range or [gain, gain])
    span = ""
    if curve.gain_range:
        span = f"90% range {figure(100 * low, 1)} to {figure(100 * high, 1)}"
    if high < NOTEWORTHY:
        return f"{text}; more images like these would hardly help"
    if low < NOTEWORTHY:
        return f"{text}; it is unclear whether twice as many would help ({span} points)"
    added = f"twice as many would add about {figure(100 * gain, 1)} points"
    return f"{text}; {added} ({span})" if span else f"{text}; {added}"


def training_images(curve: LearningCurve, size: int) -> str:
    """Say how many training images one of the sizes of a learning curve is.

    Examples
    --------
    >>> from reports.records import LearningCurve
    >>> curve = LearningCurve("svm", [500, 1000], [[0.96], [0.97]], per_class=False)
    >>> training_images(curve, 500), training_images(curve, 1000)
    ('500 training images', 'all 1,000')
    """
    if curve.per_class:
        return f"{plural(size, 'training image')} per class"
    return f"all {count(size)}" if size == curve.sizes[-1] else plural(size, "training image")
