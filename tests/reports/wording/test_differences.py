"""Which classifiers of a run differ significantly, in words."""

import dataclasses

from reports.pages import page
from reports.ranking import ranked
from reports.reading import parse_record
from reports.records import Comparison
from reports.tables import remarks
from reports.wording import differences
from reports.wording.findings import unused_files_sentence
from reports.wording.headline import headline
from tests.reports.samples import sample


def run_with(p_values):
    """Return a run whose best classifier was compared with the others, with these p-values."""
    run, predictions = sample(["cat", "dog"])
    best, *others = ranked(run)
    comparisons = [
        Comparison(best.classifier, other.classifier, 9, 1, p, p)
        for other, p in zip(others, p_values, strict=True)
    ]
    return dataclasses.replace(run, comparisons=comparisons), predictions


def test_classifiers_that_may_be_as_good_are_named_in_the_headline():
    """The headline names the ties, and only the ties."""
    run, _ = run_with([0.6, 0.7, 0.0001])
    results = ranked(run)
    found = headline(run, results)
    assert found.remarks[1] == (
        f"{results[1].title} and {results[2].title} may be as good: 100 test images cannot show "
        "a difference."
    )


def test_a_classifier_that_is_better_than_all_is_called_so():
    """Without a tie the headline says that the difference is significant."""
    run, _ = run_with([0.01, 0.02, 0.0001])
    found = headline(run, ranked(run))
    assert found.remarks[1].startswith("It is significantly better than every other")


def test_a_classifier_that_is_better_on_the_test_images_is_not_hidden():
    """Neither if the difference is significant, nor if it may be luck."""
    run, _ = run_with([0.01, 0.6, 0.7])
    better = dataclasses.replace(run.comparisons[0], only_first=1, only_second=9)
    best, second, *_ = ranked(run)
    winner = dataclasses.replace(second, accuracy=best.accuracy + 0.01)
    results = [winner if r is second else r for r in run.results]
    run = dataclasses.replace(run, results=results, comparisons=[better, *run.comparisons[1:]])
    remarks_ = " ".join(headline(run, ranked(run)).remarks)
    assert f"{second.title} is significantly better on the test images." in remarks_
    assert f"{second.title} ({100 * winner.accuracy:.1f}%) did better on the test" in remarks_
    assert "That may be luck" in remarks_


def test_records_without_comparisons_compare_intervals():
    """Early runs have no comparisons, but still say that the order may be chance."""
    run, _ = sample(["cat", "dog"])
    found = headline(run, ranked(run))
    assert "interval overlaps" in found.remarks[1]


def test_page_and_terminal_show_the_comparisons_of_the_best():
    """By title on the page, by name on the terminal."""
    run, predictions = run_with([0.6, 0.7, 0.0001])
    html = page.render(run, predictions, None)
    best, second, *_ = ranked(run)
    assert f"{best.title} and {second.title}: no significant difference on 100 images" in html
    assert any(
        line.startswith(f"{best.classifier} and {second.classifier}: no significant difference")
        for line in remarks(run)
    )


def test_a_note_of_several_classifiers_appears_once():
    """With the names of all these classifiers."""
    run, _ = sample(["cat", "dog"])
    results = [
        dataclasses.replace(result, notes=["classes weigh equally"]) for result in run.results
    ]
    lines = remarks(dataclasses.replace(run, results=results))
    assert lines[-2:] == [
        "dense, logreg, svm, cnn: classes weigh equally",
        unused_files_sentence(run),
    ]


def test_comparisons_are_read_back():
    """What run.json stores is read back."""
    run, _ = run_with([0.6, 0.7, 0.0001])
    assert parse_record(run.to_json()) == run


def test_p_values_that_are_not_numbers_are_accepted():
    """A record may hold anything that JSON holds."""
    odd = Comparison("a", "b", 1, 2, float("nan"), float("nan"))
    assert "nan" in differences.comparison_sentence(odd, 10)
