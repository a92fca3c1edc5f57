"""Print for every figure of a report what it was, what it is now, and in how many draws.

`docs/statistics.md` says what each figure means.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import clusters as grouped
from benchmarks.figures import headline, losses, statements
from benchmarks.figures.clusters import Clusters
from benchmarks.figures.curves import prognoses
from benchmarks.figures.intervals import coverages
from benchmarks.figures.probabilities import losses_of_svms, of_a_rare_class
from benchmarks.figures.statements import Statement
from benchmarks.figures.suspects import comparisons
from benchmarks.figures.thresholds import share_of_draws_that_reach
from classify.estimators.logreg import LogReg

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTED = (100, 200, 1000)
CORRELATIONS = (0.3, 0.8)
SAMPLES = (200, 1000, 5000)
TARGETS = (0.9, 0.95, 0.99)
NUMBERS_OF_CLASSES = {3: 20, 6: 20, 20: 10, 100: 3}
"""With the largest number of draws."""
BEFORE_OF_SVMS = {20: "0.583 of votes, where margins give 0.381"}
CHOICES = {
    "one of ten equal classifiers": headline.of_classifiers,
    "one of ten, `--repeats 5`": headline.of_repeats,
    "one of five learning rates (before: the best on the test split)": headline.of_learning_rates,
    "one of ten in each of three runs": headline.of_runs,
}
SHARES = ([0.5, 0.5], [0.9, 0.1], [0.2] * 5)
N_CLASSES = (2, 6)
PER_CLASS = (60, 200, 500, 1000)
ACCURACIES = (0.7, 0.9, 0.97)
GROUPS_OF_IMAGES = (10, 30, 100)
WITHIN = (0.1, 0.3, 0.6)
"""Correlations of the images of a group."""
DRAWS_OF_CURVES = 0.1
"""Of those of the other statements: each takes more than thirty trainings."""


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="of each statement")
    parser.add_argument(
        "--publish", action="store_true", help=f"rewrite the tables in {statements.PAGE.name}"
    )
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; all by default")
    args = parser.parse_args()
    if unknown := set(args.groups) - set(GROUPS):
        parser.error(f"expected groups of {', '.join(GROUPS)}, found {', '.join(unknown)}")
    print("| what | before | now | draws |\n|---|---|---|---|")
    for name in args.groups or GROUPS:
        found = []
        for one in GROUPS[name](args.draws):
            print(f"| {one.what} | {one.before} | {one.now} | {one.n_draws:,} |", flush=True)
            found.append(one)
        if args.publish:
            statements.publish(name, found)
    if args.publish:
        statements.rewrite(list(GROUPS))


def headlines(n_draws: int) -> Iterator[Statement]:
    """Say how often the interval of the headline covers the truth."""
    for choice, choose in CHOICES.items():
        for n_test in TESTED:
            for correlation in CORRELATIONS:
                found = choose(n_test, correlation, n_draws)
                where = f"mistakes correlated by {correlation}, {n_test:,} test images"
                yield Statement(
                    f"95% interval of the headline covers the truth: {choice}, {where}",
                    f"{found.before.covered:.1%}",
                    f"{found.now.covered:.1%}",
                    n_draws,
                )
                if choose is headline.of_repeats:
                    yield Statement(
                        f"mean accuracy of five seeds where 90% are true: {choice}, {where}",
                        f"{found.before.quoted:.2%}",
                        f"{found.now.quoted:.2%}",
                        n_draws,
                    )


def probabilities(n_draws: int) -> Iterator[Statement]:
    """Say whether a rare class is as probable as it is frequent."""
    n_draws = max(1, n_draws // 10)
    found = of_a_rare_class(n_draws)
    classes = "classes of 9 to 1, 1,000 training images, LogReg"
    shares = (
        (
            "probability of its answers 'rare', and their precision",
            "75%, 44%",
            f"{found.confidence:.1%}, {found.precision:.1%}",
        ),
        ("mean probability of the class that one image in ten is of", "24.2%", f"{found.mean:.1%}"),
        ("accuracy", "87.9%", f"{found.accuracy:.1%}"),
    )
    for what, before, now in shares:
        yield Statement(f"{what}: {classes}", before, now, n_draws)


def svms(n_draws: int) -> Iterator[Statement]:
    """Say how the log loss of an SVM compares with that of scikit-learn's calibrated SVC."""
    for n_classes, n_drawn in NUMBERS_OF_CLASSES.items():
        number = max(1, min(n_drawn, n_draws // 20))
        found = losses_of_svms(n_classes, number)
        ours, coupled, sigmoid = map(np.mean, (found.ours, found.coupled, found.sigmoid))
        ratio = np.divide(found.ours, np.minimum(found.coupled, found.sigmoid))
        what = (
            f"log loss of the SVM / the lower one of SVC(probability=True) and "
            f"CalibratedClassifierCV(SVC): {n_classes} classes"
        )
        now = (
            f"{ratio.mean():.3f} ({ratio.min():.3f} to {ratio.max():.3f}); "
            f"{ours:.3f} / {coupled:.3f} and {sigmoid:.3f}"
        )
        yield Statement(what, BEFORE_OF_SVMS.get(n_classes, "not measured"), now, number)


def log_losses(n_draws: int) -> Iterator[Statement]:
    """Say how the log loss of each classifier compares with that of the earlier version."""
    for one in losses.comparisons(max(1, n_draws // 100)):
        best = np.minimum(one.plain, one.calibrated)
        more = best - one.before
        yield Statement(
            f"log loss of `{one.classifier}`, {one.data}: the lower one without and with "
            f"`--calibrate` (before: commit {losses.COMMIT})",
            f"{one.before.mean():.4f}",
            f"{best.mean():.4f}: {more.mean():+.4f} ({more.min():+.4f} to {more.max():+.4f}); "
            f"{one.plain.mean():.4f} without `--calibrate`",
            len(more),
        )


def intervals(n_draws: int) -> Iterator[Statement]:
    """Say how often the intervals of the other measures cover the truth."""
    for n_samples in TESTED[:2]:
        for shares in SHARES:
            classes = " : ".join(f"{share:.0%}" for share in shares)
            found = coverages(shares, n_samples, n_draws)
            yield Statement(
                f"95% intervals cover the truth: {n_samples} test images, classes {classes}",
                "only of accuracy",
                ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in found.items()),
                n_draws,
            )


def clusters(n_draws: int) -> Iterator[Statement]:
    """Say how often intervals and tests hold where images come in groups."""
    for n_groups, within, accuracy in product(GROUPS_OF_IMAGES, WITHIN, ACCURACIES):
        found = grouped.coverage(Clusters(n_groups, within), accuracy, n_draws)
        yield Statement(
            f"95% interval of an accuracy of {accuracy:.0%} covers it: {n_groups} groups, "
            f"correlation {within}",
            f"{found.wilson:.1%} (tried: percentile {found.percentile:.1%}, BCa {found.bca:.1%}, "
            f"studentised {found.studentised:.1%})",
            f"{found.now:.1%} ({100 * found.width:.0f} points wide)",
            n_draws,
        )
    for kind, n_groups in product(("pure", "mixed"), GROUPS_OF_IMAGES):
        for measure, found in grouped.coverages(Clusters(n_groups, 0.3, kind), n_draws).items():
            what = f"95% interval of {measure.replace('_', ' ')} covers the truth"
            where = f"{n_groups} {kind} groups, correlation 0.3"
            yield Statement(f"{what}: {where}", f"{found[0]:.1%}", f"{found[1]:.1%}", n_draws)
    for n_groups, within in product(GROUPS_OF_IMAGES, WITHIN):
        alarms = grouped.false_alarms(Clusters(n_groups, within), 0.9, n_draws)
        what = (
            f"two equal classifiers differ with p < 0.05: {n_groups} groups, correlation {within}"
        )
        yield Statement(what, f"{alarms.mcnemar:.1%}", f"{alarms.permutation:.1%}", n_draws)


def thresholds(n_draws: int) -> Iterator[Statement]:
    """Say how often a threshold reaches its target on unseen images."""
    for n_samples in SAMPLES:
        for target in TARGETS:
            found = share_of_draws_that_reach(n_samples, target, n_draws)
            what = f"no threshold for {target:.0%}, chosen on {n_samples:,} images, misses it"
            now = f"{found.reached:.1%} (chosen in {found.chosen:.1%})"
            yield Statement(what, f"{found.before:.1%}", now, n_draws)


def suspects(n_draws: int) -> Iterator[Statement]:
    """Say how many wrong labels are found, in a hundredth of the draws."""
    if find_spec("cleanlab") is None:
        print("cleanlab is not installed: measuring without it", file=sys.stderr)
    n_draws = max(1, n_draws // 100)
    for one in comparisons(n_draws):
        what = f"wrong labels found, {one.n_wrong:,} planted: {one.what}"
        yield Statement(what, "; ".join(map(str, one.others)), str(one.now), n_draws)


def curves(n_draws: int) -> Iterator[Statement]:
    """Say how well learning curves tell what twice as many training images would bring."""
    n_draws = max(round(DRAWS_OF_CURVES * n_draws), 1)
    for n_classes in N_CLASSES:
        for n_per_class in PER_CLASS:
            found = prognoses(lambda _: LogReg(C=1.0), n_classes, n_per_class, n_draws)
            where = f"{n_classes} classes of {n_per_class:,} training images"
            width = f"{100 * found.width:.2f} points wide"
            yield Statement(
                f"90% range of the gain from twice as many covers the truth: {where}",
                f"{found.covered_before:.1%}",
                f"{found.covered:.1%} (given in {found.said:.1%}, {width})",
                n_draws,
            )
            yield Statement(
                f"mean expected gain where {100 * found.true:.2f} points are true: {where}",
                f"{100 * found.expected_before:.2f} points",
                f"{100 * found.expected:.2f} points",
                n_draws,
            )


GROUPS = {
    "headlines": headlines,
    "probabilities": probabilities,
    "svms": svms,
    "log losses": log_losses,
    "intervals": intervals,
    "clusters": clusters,
    "thresholds": thresholds,
    "suspects": suspects,
    "curves": curves,
}


if __name__ == "__main__":
    main()
