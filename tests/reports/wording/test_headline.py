"""The answer of a run in one sentence."""

from __future__ import annotations

from dataclasses import replace

from reports.pages.page import render
from reports.ranking import ranked
from reports.records import Audit, Leak, Validation
from reports.wording.headline import headline
from tests.reports.samples import sample

RUN = sample(["cats", "dogs"], n_per_class=50)[0]


def scored(accuracy: float, low: float, high: float, title: str):
    return replace(
        RUN.results[0],
        title=title,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
    )


def test_one_test_image_is_in_the_singular():
    """In the sentence, and in the line below the title of the page."""
    run, predictions = sample(["cat", "dog"], n_per_class=1)
    one = replace(run, data=replace(run.data, test_counts=[1, 0]))
    one = replace(one, results=[replace(result, n_test=1) for result in run.results])
    found = headline(one, one.results)
    assert found is not None
    assert "of 1 test image correct" in found.sentence
    html = render(one, predictions, None)
    assert "of 1 test image correct" in html
    assert "tested on 1 other." in html


def test_the_headline_says_which_order_may_be_chance():
    """Classifiers whose intervals overlap with the best one's are named, others not."""
    results = [
        scored(0.95, 0.93, 0.97, title="A"),
        scored(0.94, 0.92, 0.96, title="B"),
        scored(0.6, 0.5, 0.7, title="C"),
    ]
    found = headline(RUN, results)
    assert found is not None
    assert found.sentence == ("A: 95.0% of 100 test images correct (95% interval 93.0% to 97.0%).")
    assert (found.title, found.share, found.low, found.high) == ("A", "95.0%", "93.0%", "97.0%")
    assert found.remarks == [
        "It is the first of 4 classifiers: none of them was validated.",
        "Its interval overlaps with that of B: the difference may be chance.",
        "Always predicting the most frequent class would reach 50.0%.",
    ]


def test_the_headline_is_the_choice_and_not_the_winner_of_the_test():
    """The one that did better on the test images is named, as luck."""
    chosen, lucky = scored(0.95, 0.93, 0.97, title="A"), scored(0.97, 0.95, 0.98, title="B")
    validated = [
        replace(result, classifier=name, validation=Validation(400, 0.9, loss))
        for result, name, loss in ((lucky, "b", 0.2), (chosen, "a", 0.1))
    ]
    run = replace(RUN, results=validated)
    found = headline(run, ranked(run))
    assert found is not None
    assert found.title == "A"
    said = " ".join(found.remarks)
    assert "chosen from 2 classifiers before the test images were looked at" in said
    assert "lowest log loss on 400 held-out training images, 0.100" in said
    assert "B (97.0%) did better on the test images. That may be luck" in said


def test_a_run_without_classifiers_has_no_headline():
    """There is nothing to say, and no division by zero."""
    assert headline(RUN, []) is None
    empty = replace(RUN, data=replace(RUN.data, test_counts=[0, 0]))
    found = headline(empty, RUN.results[:1])
    assert found is not None
    assert found.remarks == []


def test_a_split_that_cuts_through_groups_is_in_the_headline():
    """It stands beside the accuracy that it makes too high; so does what was not examined."""
    run, _ = sample(["cat", "dog"])
    data = replace(run.data, root="/d", groups=9, cut_groups=4, cut_test_images=15)
    cut = replace(run, data=data)
    said = " ".join(headline(cut, ranked(cut)).remarks)
    assert "the given split cuts through 4 groups" in said
    assert "was not examined: that takes at least 20 groups" in said
    said = " ".join(headline(run, ranked(run)).remarks)
    assert "cuts through" not in said
    assert "not examined" not in said


def test_what_an_audit_has_found_is_in_the_headline():
    """Whoever reads only that must not miss that the accuracy, or the labels, are doubtful."""
    leaks = [Leak(f"cats/{i}.jpg", f"cats/1{i}.jpg", 1.0, exact=True) for i in range(2)]
    audit = Audit(leaks, [], [], {"svm": 0.925}, 8.0, wrong_labels=14, judged_labels=230)
    for run, words in (
        (replace(RUN, audit=audit), ["2 test images look like training images", "accuracy is 92.5%",
                                     "About 14 of 230 labels are probably wrong."]),
        (replace(RUN, audit=replace(audit, leaks=leaks[:1])), ["1 test image looks like a training",
                                                               "without it,"]),
    ):  # fmt: skip
        svm = [result for result in run.results if result.classifier == "svm"]
        said = " ".join(headline(run, svm).remarks)
        assert all(each in said for each in words), said
    all_leak = replace(RUN, audit=replace(audit, accuracies_without_leaks={}))
    assert "2 test images look like training images." in headline(all_leak, RUN.results).remarks
    clean = replace(
        RUN, audit=replace(audit, leaks=[], accuracies_without_leaks={}, wrong_labels=0)
    )
    assert headline(clean, clean.results).remarks == headline(RUN, RUN.results).remarks
