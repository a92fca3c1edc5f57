"""Which classifiers differ significantly, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import join_names
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.records import Comparison, Result, Run

SIGNIFICANT = 0.05


def comparison_sentence(
    pair: Comparison, n_test: int, titles: Mapping[str, str] | None = None
) -> str:
    """Say what the comparison of two classifiers shows.

    Parameters
    ----------
    pair : Comparison
    n_test : int
        Number of images that both were tested on.
    titles : mapping of str to str, default=None
        Titles to call the classifiers by. ``None`` uses their names.

    Examples
    --------
    >>> from reports.records import Comparison
    >>> print(comparison_sentence(Comparison("svm", "logreg", 4, 6, 0.754, 1.0), 1000))
    svm and logreg: no significant difference on 1,000 images (p = 1.0)
    >>> print(comparison_sentence(Comparison("cnn", "svm", 2, 30, 2e-7, 6e-7), 1000))
    svm is better than cnn: 30 images that only svm gets right, 2 that only cnn does (p < 0.001)
    """
    first, second = ((titles or {}).get(name, name) for name in (pair.first, pair.second))
    p_value = format_p_value(pair.p_adjusted)
    if not pair.p_adjusted < SIGNIFICANT:
        images = plural(n_test, "image")
        return f"{first} and {second}: no significant difference on {images} ({p_value})"
    counts = [(pair.only_first, first), (pair.only_second, second)]
    (fewer, worse), (more, better) = sorted(counts)
    return (
        f"{better} is better than {worse}: {plural(more, 'image')} that only {better} gets right, "
        f"{fewer:,} that only {worse} does ({p_value})"
    )


def comparison_sentences(run: Run) -> list[str]:
    """Say what every comparison of a run shows, by the titles of the classifiers."""
    titles = {result.classifier: result.title for result in run.results}
    n_test = sum(run.data.test_counts)
    return [comparison_sentence(pair, n_test, titles) for pair in run.comparisons]


def format_p_value(p_value: float) -> str:
    """Return a p-value as it is written in a text.

    >>> format_p_value(0.0312), format_p_value(1.0), format_p_value(1e-9)
    ('p = 0.031', 'p = 1.0', 'p < 0.001')
    """
    if p_value < 0.001:
        return "p < 0.001"
    return "p = 1.0" if p_value >= 1 else f"p = {p_value:.2g}"


def comparisons_with(run: Run, result: Result) -> list[Comparison]:
    """Return the comparisons of one classifier with the others."""
    return [pair for pair in run.comparisons if result.classifier in (pair.first, pair.second)]


def ties_sentence(run: Run, best: Result, results: Sequence[Result]) -> str | None:
    """Say how the chosen classifier compares with the others; None if they were not all compared.

    Parameters
    ----------
    run : Run
    best : Result
        The chosen one.
    results : sequence of Result
        All of the run, `best` among them.
    """
    pairs = comparisons_with(run, best)
    if len(pairs) < len(results) - 1 or not pairs:
        return None
    titles = {result.classifier: result.title for result in results}
    tied, better = [], []
    for pair in pairs:
        is_first = pair.first == best.classifier
        other = titles[pair.second if is_first else pair.first]
        if pair.p_adjusted >= SIGNIFICANT:
            tied.append(other)
        elif (pair.only_first < pair.only_second) is is_first:
            better.append(other)
    sentences = []
    if better:
        verb = "is" if len(better) == 1 else "are"
        sentences.append(f"{join_names(better)} {verb} significantly better on the test images.")
    if tied:
        sentences.append(
            f"{join_names(tied)} may be as good: {plural(best.n_test, 'test image')} cannot show a "
            "difference."
        )
    if not sentences:
        return "It is significantly better than every other classifier of this run."
    return " ".join(sentences)
