import logging

import numpy as np
import pytest

from cache.console import silent
from classify.errors import ClassifierError
from classify.search import C_GRID, c_grid, class_scores, cross_validate

CODES = np.array([0, 1] * 10)


def search(points, score_fold, codes=CODES, folds=5, progress=silent):
    return cross_validate(
        points, score_fold, codes, folds=folds, seed=0, progress=progress, stage="choosing C"
    )


def votes(codes):
    """Return class scores that vote for `codes`."""
    return class_scores(np.asarray(codes) - 0.5)


def test_the_grid_has_thirteen_values_of_half_a_decade():
    """The default grid is logarithmic, from 0.001 to 1000."""
    assert len(C_GRID) == 13
    np.testing.assert_allclose(np.diff(np.log10(C_GRID)), 0.5)
    assert c_grid(None) == list(C_GRID)


@pytest.mark.parametrize("C", [0, -1.0, float("nan"), float("inf"), [], [1, 0]])
def test_a_senseless_C_is_refused(C):  # noqa: N802 - C is the parameter's name
    """C is positive and finite, or the message says so."""
    with pytest.raises(ClassifierError, match="C must be a positive number"):
        c_grid(C)


def test_the_point_of_least_log_loss_is_chosen():
    """Of two that are always right, the surer one wins; accuracy alone could not tell."""
    truth = votes(CODES)

    def score_fold(_, held_out):
        return np.stack([-truth[held_out], truth[held_out], 2 * truth[held_out]])

    outcome = search([{"C": 1.0}, {"C": 2.0}, {"C": 3.0}], score_fold)
    assert outcome.chosen == outcome.record.chosen == {"C": 3.0}
    assert outcome.record.chosen_by == "log loss"
    assert [point.mean for point in outcome.record.points] == [0.0, 1.0, 1.0]
    losses = [point.log_loss for point in outcome.record.points]
    np.testing.assert_allclose(losses, np.log1p(np.exp([0.5, -0.5, -1.0])), rtol=1e-6)


def test_of_equally_good_points_the_smallest_C_then_the_first_is_chosen():  # noqa: N802 - as above
    """Ties go to the strongest regularisation, and then to the order of the points."""
    points = [
        {"kernel": "linear", "C": 10.0},
        {"kernel": "linear", "C": 1.0},
        {"kernel": "rbf", "C": 1.0},
    ]
    outcome = search(points, lambda _, held_out: np.stack([votes(CODES[held_out])] * 3))
    assert outcome.chosen == {"kernel": "linear", "C": 1.0}


def test_every_sample_is_scored_once_by_a_model_that_has_not_seen_it():
    """The scores of the chosen point are out of fold, and in the order of the samples."""

    def score_fold(train, held_out):
        assert not set(train) & set(held_out)
        return votes(held_out)[None]

    outcome = search([{"C": 1.0}], score_fold)
    np.testing.assert_array_equal(outcome.scores, votes(np.arange(20)))


def test_small_classes_get_fewer_folds_and_a_note(caplog):
    """Three images of a class make three folds, and the user is told."""
    codes = np.array([0] * 9 + [1] * 3)
    with caplog.at_level(logging.INFO, logger="classify"):
        outcome = search([{"C": 1.0}], lambda _, held_out: votes(codes[held_out])[None], codes)
    assert outcome.record.folds == 3
    assert "3 folds instead of 5" in caplog.text


def test_one_fold_is_refused():
    """Fewer than two folds leave nothing to train on."""
    with pytest.raises(ClassifierError, match="at least 2 folds, found 1"):
        search([{"C": 1.0}], lambda _, held_out: votes(held_out)[None], folds=1)


def test_progress_counts_the_folds():
    """The callback hears of the start and of every finished fold."""
    heard = []
    search(
        [{"C": 1.0}],
        lambda _, held_out: votes(held_out)[None],
        progress=lambda *report: heard.append(report),
    )
    assert heard == [("choosing C", done, 5) for done in range(6)]
