"""Cross-validation over regularisation paths."""

import functools
import logging

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.estimators import cross_validation
from classify.estimators.cross_validation import PathStep, RegularisationPath, cross_validate
from classify.estimators.solvers.probabilities import class_scores, log_loss
from toolkit.progress import silent

CODES = np.array([0, 1] * 10)
EQUAL = functools.partial(log_loss, class_weights=np.ones(2))


def search(points, scores, codes=CODES, folds=5, progress=silent):
    """Search one path, whose points have these class scores of every sample."""

    def score(*_):
        yield from map(PathStep, scores)

    return cross_validate(
        [RegularisationPath(points, score, None)],
        codes,
        folds=folds,
        seed=0,
        progress=progress,
        stage="choosing C",
        loss=EQUAL,
    )


def votes(codes):
    """Return class scores that vote for `codes`."""
    return class_scores(np.asarray(codes) - 0.5)


def test_the_point_with_the_lowest_log_loss_is_chosen():
    """Of two with equal accuracy, the one with more probable predictions wins."""
    truth = votes(CODES)
    outcome = search([{"C": 1.0}, {"C": 2.0}, {"C": 3.0}], [-truth, truth, 2 * truth])
    assert outcome.chosen == outcome.result.chosen == {"C": 3.0}
    assert outcome.result.chosen_by == "log loss"
    assert [point.mean for point in outcome.result.points] == [0.0, 1.0, 1.0]
    losses = [point.log_loss for point in outcome.result.points]
    np.testing.assert_allclose(losses, np.log1p(np.exp([0.5, -0.5, -1.0])), rtol=1e-6)
    np.testing.assert_array_equal(outcome.scores, 2 * truth)


def test_of_equally_good_points_the_smallest_C_then_the_first_is_chosen():  # noqa: N802 - as above
    """Ties go to the strongest regularisation, and then to the order of the paths."""

    def score(*_):
        yield from [PathStep(votes(CODES))] * 2

    paths = [
        RegularisationPath([{"kernel": kernel, "C": C} for C in (least, 10.0)], score, None)
        for kernel, least in (("late", 5.0), ("linear", 1.0), ("rbf", 1.0))
    ]
    outcome = cross_validate(paths, CODES, folds=5, seed=0, progress=silent, stage="", loss=EQUAL)
    assert outcome.chosen == {"kernel": "linear", "C": 1.0}


def test_the_deviation_is_that_of_the_folds_accuracies():
    """Mean and standard deviation are over the accuracies of the folds on held-out samples."""
    calls = []

    def score(_, splits):
        calls.extend(splits)
        scores = votes(CODES)
        scores[splits[0][1]] *= -1
        yield PathStep(scores)

    outcome = cross_validate(
        [RegularisationPath([{"C": 1.0}], score, None)],
        CODES,
        folds=5,
        seed=0,
        progress=silent,
        stage="",
        loss=EQUAL,
    )
    (point,) = outcome.result.points
    assert point.mean == pytest.approx(0.8)
    assert point.std == pytest.approx(0.4)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([held_out for _, held_out in calls])), np.arange(20)
    )
    assert all(not set(train) & set(held_out) for train, held_out in calls)


def test_a_small_class_does_not_take_folds_from_the_others():
    """Three images of a class are held out in three of the five folds."""
    codes = np.array([0] * 9 + [1] * 3)
    outcome = search([{"C": 1.0}], [votes(codes)], codes)
    assert outcome.result.folds == 5


@pytest.mark.parametrize("counts", [[9, 3], [4] * 30, [2, 2], [100, 2, 7]])
def test_every_sample_is_held_out_once_and_never_a_whole_class(counts):
    """However small the classes are; the folds have about the same size."""
    codes = np.repeat(np.arange(len(counts)), counts)
    splits = cross_validation.stratified_folds(codes, 5, 0)
    held_out = [part for _, part in splits]
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(len(codes)))
    assert max(map(len, held_out)) - min(map(len, held_out)) <= 1
    for train, part in splits:
        assert not set(train) & set(part)
        assert len(np.unique(codes[train])) == len(counts)


def test_many_samples_get_fewer_folds_and_a_note(caplog, monkeypatch):
    """Few folds measure the accuracy of many samples well enough; a note says so."""
    monkeypatch.setattr(cross_validation, "MANY", 19)
    with caplog.at_level(logging.INFO, logger="classify"):
        outcome = search([{"C": 1.0}], [votes(CODES)])
    assert outcome.result.folds == cross_validation.FEW_FOLDS
    assert f"20 training images: {cross_validation.FEW_FOLDS} folds instead of 5" in caplog.text


def test_with_many_samples_a_path_ends_past_its_best(caplog, monkeypatch):
    """Larger values of C are skipped after several in a row that were worse; a note says so."""
    monkeypatch.setattr(cross_validation, "MANY", 19)
    points = [{"C": float(C)} for C in range(1, 9)]
    trained = []

    def score(*_):
        for factor in (0.1, 0.3, 0.2, 1.0, 0.9, 0.9, 0.9, 2.0):
            trained.append(factor)
            yield PathStep(factor * votes(CODES))

    with caplog.at_level(logging.INFO, logger="classify"):
        outcome = cross_validate(
            [RegularisationPath(points, score, None)] * 2,
            CODES,
            folds=5,
            seed=0,
            progress=silent,
            stage="choosing C",
            loss=EQUAL,
        )
    n_trained = 4 + cross_validation.PATIENCE
    assert len(trained) == len(outcome.result.points) == 2 * n_trained
    assert outcome.chosen == {"C": 4.0}
    assert f"choosing C: ended at C = {n_trained}, past the best" in caplog.text


def test_with_few_samples_every_point_is_tried():
    """Up to ten thousand images, the whole grid is tried."""
    points = [{"C": float(C)} for C in range(1, 9)]
    assert len(search(points, [votes(CODES)] * 8).result.points) == 8


def test_one_fold_is_an_error():
    """With fewer than two folds there is nothing to train on."""
    with pytest.raises(ClassifierError, match="at least 2 folds, found 1"):
        search([{"C": 1.0}], [votes(CODES)], folds=1)


def test_progress_counts_the_points():
    """The callback is called at the start and after every point."""
    calls = []
    search(
        [{"C": 1.0}, {"C": 2.0}],
        [votes(CODES)] * 2,
        progress=lambda *report: calls.append(report),
    )
    assert calls == [("choosing C", done, 2) for done in range(3)]
