"""Which classifiers differ by more than chance, and which do not, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.record import Comparison, Result, Run

SIGNIFICANT = 0.05


def sentence(pair: Comparison, n_test: int, titles: Mapping[str, str] | None = None) -> str:
    """Say what a comparison of two classifiers shows.

    Parameters
    ----------
    pair : Comparison
    n_test : int
        Images that both were judged on.
    titles : mapping, optional
        What to call the classifiers, if not by their names.

    Examples
    --------
    >>> from reports.record import Comparison
    >>> print(sentence(Comparison("svm", "logreg", 4, 6, 0.754, 1.0), 1000))
    svm and logreg: no difference that 1,000 images can show (p = 1.0)
    >>> print(sentence(Comparison("cnn", "svm", 2, 30, 2e-7, 6e-7), 1000))
    svm is better than cnn: 30 images that only svm gets right, 2 that only cnn does (p < 0.001)
    """
    first, second = ((titles or {}).get(name, name) for name in (pair.first, pair.second))
    p_value = probability(pair.p_adjusted)
    if not pair.p_adjusted < SIGNIFICANT:
        return (
            f"{first} and {second}: no difference that {count(n_test)} images can show ({p_value})"
        )
    sides = [(pair.only_first, first), (pair.only_second, second)]
    (fewer, worse), (more, better) = sorted(sides)
    return (
        f"{better} is better than {worse}: {count(more)} images that only {better} gets right, "
        f"{count(fewer)} that only {worse} does ({p_value})"
    )


def sentences(run: Run) -> list[str]:
    """Say what every comparison of a run shows, by the classifiers' titles."""
    titles = {result.classifier: result.title for result in run.results}
    n_test = sum(run.data.test_counts)
    return [sentence(pair, n_test, titles) for pair in run.comparisons]


def probability(p_value: float) -> str:
    """Return a p-value as it is written in a text.

    >>> probability(0.0312), probability(1.0), probability(1e-9)
    ('p = 0.031', 'p = 1.0', 'p < 0.001')
    """
    if p_value < 0.001:
        return "p < 0.001"
    return "p = 1.0" if p_value >= 1 else f"p = {p_value:.2g}"


def of_the_best(run: Run, best: Result) -> list[Comparison]:
    """Return the comparisons of one classifier with the others."""
    return [pair for pair in run.comparisons if best.classifier in (pair.first, pair.second)]


def equals(run: Run, best: Result, results: Sequence[Result]) -> str | None:
    """Say which other classifiers may be as good as the best; None if none was compared."""
    pairs = of_the_best(run, best)
    if len(pairs) < len(results) - 1 or not pairs:
        return None
    tied = {
        name
        for pair in pairs
        if pair.p_adjusted >= SIGNIFICANT
        for name in (pair.first, pair.second)
    }
    names = [r.title for r in results if r.classifier in tied and r is not best]
    if not names:
        return "It is better than every other classifier of this run by more than chance."
    return (
        f"{listed(names)} may be as good: {count(best.n_test)} pictures cannot show a difference."
    )
