"""Grids of parameters, and what a search found."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from classify.errors import ClassifierError
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.search import C_GRID, positive_grid
from classify.estimators.streamed import StreamedSVM
from classify.estimators.svm import SVM


def test_the_grid_has_thirteen_values_of_half_a_decade():
    """The default grid is logarithmic, from 0.001 to 1000."""
    assert len(C_GRID) == 13
    np.testing.assert_allclose(np.diff(np.log10(C_GRID)), 0.5)
    assert positive_grid("C", None, C_GRID) == list(C_GRID)


@pytest.mark.parametrize("C", [0, -1.0, float("nan"), float("inf"), [], [1, 0]])
def test_a_value_that_is_not_positive_and_finite_is_an_error(C):
    """The message names the parameter."""
    with pytest.raises(ClassifierError, match="C must be a positive number"):
        positive_grid("C", C, C_GRID)


def blobs():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return (rng.normal(size=(60, 20)) + y[:, None]).astype(np.float32), y


@pytest.mark.parametrize(
    ("estimator", "name", "method"),
    [
        (SVM(C=[0.1, 1.0]), "C", "cross-validation"),
        (LogReg(C=[0.1, 1.0]), "C", "cross-validation"),
        (Nearest(), "k", "leave-one-out"),
        (StreamedSVM(), "C", "cross-validation"),
    ],
)
def test_the_results_of_a_search_have_the_keys_of_grid_search(estimator, name, method):
    """One entry per point under every key; the best by log loss is what was chosen."""
    X, y = blobs()
    estimator.fit(X, y)
    theirs = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}).fit(X, y).cv_results_
    ours = estimator.cv_results_
    common = {"params", "mean_test_score", "std_test_score", "rank_test_score"}
    assert common <= set(ours) & set(theirs)
    assert f"param_{name}" in ours
    assert {len(values) for values in ours.values()} == {len(estimator.search_.points)}
    best = ours["rank_test_neg_log_loss"] == 1
    assert estimator.best_params_ in [
        p for p, is_best in zip(ours["params"], best, strict=True) if is_best
    ]
    assert estimator.search_.method == method


def test_without_a_search_there_are_no_results():
    """As for every attribute of an estimator that is not trained."""
    assert not hasattr(SVM(), "cv_results_")
    assert not hasattr(SVM(), "best_params_")
