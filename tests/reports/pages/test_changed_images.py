"""Which images two runs predict differently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.pages.changed_images import SHOWN, changed_predictions
from reports.pages.page import render_comparison
from tests.reports.samples import draw, sample

RUN, PREDICTIONS = sample(["cats", "dogs"], n_per_class=80, classifiers=("svm", "dense"))


def flipped(rows: list, n: int, classifier: str) -> list:
    """Return the predictions with the first `n` of one classifier changed to the other class."""
    left, found = n, []
    for row in rows:
        if row.classifier == classifier and left:
            left -= 1
            row = replace(row, predicted="dogs" if row.predicted == "cats" else "cats")
        found.append(row)
    return found


def compared(*predictions: list, root: str = "photographs", groups: tuple = ()) -> list:
    run = replace(RUN, data=replace(RUN.data, root=root))
    return changed_predictions(
        [(Path(f"runs/{i}"), run) for i in range(len(predictions))], predictions, groups
    )


def test_changed_predictions_are_found():
    """With the wrong class, in both directions."""
    svm = [row for row in PREDICTIONS if row.classifier == "svm"]
    right = [row.true == row.predicted for row in svm[:30]]
    svm_change, dense_change = compared(PREDICTIONS, flipped(PREDICTIONS, 30, "svm"))
    assert (svm_change.n_lost, svm_change.n_gained) == (sum(right), 30 - sum(right))
    assert {image.path for image in svm_change.lost} == {
        row.path for row, was_right in zip(svm, right, strict=False) if was_right
    }
    assert all(image.wrong == "dogs" and image.true == "cats" for image in svm_change.lost)
    assert (
        svm_change.n_correct[0] - svm_change.n_correct[1] == svm_change.n_lost - svm_change.n_gained
    )
    assert (dense_change.n_lost, dense_change.n_gained) == (0, 0)


@pytest.mark.parametrize(
    ("n", "words"), [(0, "the same predictions"), (2, "; not significant"), (30, "; significant")]
)
def test_it_says_whether_the_change_is_significant(n: int, words: str):
    """By McNemar's test on the images of both runs."""
    perfect = [replace(row, predicted=row.true) for row in PREDICTIONS]
    assert words in compared(perfect, flipped(perfect, n, "svm"))[0].sentence


def test_an_adjusted_p_value_is_called_that():
    """Whoever tests one classifier alone finds the other."""
    perfect = [replace(row, predicted=row.true) for row in PREDICTIONS]
    change = compared(perfect, flipped(perfect, 3, "svm"))[0]
    assert "with the same label in both runs: 0 gained, 3 lost" in change.sentence
    alone = replace(change, p_value=0.25, p_adjusted=0.25)
    assert alone.sentence.endswith("not significant (p = 0.25)")
    assert replace(alone, p_adjusted=0.75).sentence.endswith("not significant (p = 0.75, adjusted)")


def test_images_of_one_group_count_once():
    """Thirty lost images of two groups are not significant, whichever run knows the groups."""
    perfect = [replace(row, predicted=row.true) for row in PREDICTIONS]
    worse = flipped(perfect, 30, "svm")
    lost = [row.path for row in perfect if row.classifier == "svm"][:30]
    groups = {path: "ab"[i % 2] for i, path in enumerate(lost)}
    for known in (({}, groups), (groups, {}), (groups, groups)):
        svm, dense = compared(perfect, worse, groups=known)
        assert svm.by_groups
        assert "not significant" in svm.sentence
        assert svm.p_value == pytest.approx(2 / 2**2)
        assert dense.p_value == 1.0
    alone = {path: path for path in lost}
    by_image = compared(perfect, worse, groups=(alone, alone))[0]
    assert by_image.p_value == pytest.approx(compared(perfect, worse)[0].p_value)


def test_only_images_of_both_runs_count():
    """An image of one run alone, or with another label, is ignored."""
    fewer = [row for row in PREDICTIONS if row.path < "dogs/0120"]
    assert compared(PREDICTIONS, fewer)[0].n_images == 120
    other = [replace(row, true="mice") for row in PREDICTIONS]
    assert compared(PREDICTIONS, other) == []
    assert compared(PREDICTIONS, []) == []


def test_a_later_run_is_compared_with_the_first_that_has_the_classifier():
    """Even if that is not the first run."""
    only_dense = [row for row in PREDICTIONS if row.classifier == "dense"]
    found = compared(only_dense, PREDICTIONS, PREDICTIONS)
    assert [(s.first, s.second) for s in found if s.title.startswith("SVM")] == [("1", "2")]
    assert [(s.first, s.second) for s in found if not s.title.startswith("SVM")] == [
        ("0", "1"),
        ("0", "2"),
    ]


def test_the_page_shows_their_thumbnails_and_how_many_there_are(tmp_path):
    """A limited number of each kind."""
    draw(PREDICTIONS, tmp_path)
    perfect = [replace(row, predicted=row.true) for row in PREDICTIONS]
    changes = compared(perfect, flipped(perfect, SHOWN + 5, "svm"), root=str(tmp_path))
    html = render_comparison([(Path("runs/0"), RUN), (Path("runs/1"), RUN)], changes)
    assert html.count("data:image/jpeg;base64,") == SHOWN
    assert f"Wrong now, correct in 0: {SHOWN + 5}, {SHOWN} shown" in html
    assert "Correct now" not in html


def test_hostile_names_stay_text():
    """Of images, classes and folders."""
    hostile = "</h3><script>alert(1)</script>\udcff"
    rows = [replace(row, path=hostile + row.path, true=hostile) for row in PREDICTIONS]
    html = render_comparison(
        [(Path("a"), RUN), (Path("b"), RUN)],
        compared([replace(row, predicted=hostile) for row in rows], rows),
    )
    assert "<script>alert" not in html
    html.encode("utf-8")
