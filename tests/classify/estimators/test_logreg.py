import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression

from classify.errors import ClassifierError
from classify.estimators import logreg
from classify.estimators.logreg import LogReg
from classify.estimators.search import C_GRID


def blobs(n_classes, n_samples=80, n_features=120, seed=0):
    """Return overlapping classes of positive features."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    centres = rng.random((n_classes, n_features))
    X = 20 * np.maximum(centres[y] + 2.5 * rng.normal(size=(n_samples, n_features)), 0)
    return X.astype(np.float32), np.array(["ant", "bee", "cow", "dog"])[y]


def on_the_features(X, y, C, class_weight="balanced"):
    """Return scikit-learn's model; lbfgs would not converge on unscaled features."""
    theirs = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-9, class_weight=class_weight)
    return theirs.fit(X.astype(np.float64), y)


def test_folds_that_are_trained_one_after_the_other_give_the_same_search(monkeypatch):
    """With many classes, their probabilities are too many to be in memory together."""
    X, y = blobs(4)
    together = LogReg().fit(X, y)
    monkeypatch.setattr(logreg, "AT_ONCE", 1)
    apart = LogReg().fit(X, y)
    assert apart.C_ == together.C_
    np.testing.assert_allclose(apart.held_out_proba_, together.held_out_proba_, atol=0.02)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("n_features", [120, 40], ids=["more features", "more samples"])
@pytest.mark.parametrize("C", [0.03, 1.0, 100.0])
def test_it_is_logistic_regression_on_the_features(n_classes, n_features, C):
    """Coefficients and predictions are scikit-learn's, with C for unscaled features."""
    X, y = blobs(n_classes, n_features=n_features)
    ours = LogReg(C=C, folds=2).fit(X, y)
    theirs = on_the_features(X, y, C * ours.scale_**2)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-3 * np.abs(theirs.coef_).max())
    unseen, _ = blobs(n_classes, n_features=n_features, seed=1)
    np.testing.assert_allclose(ours.predict_proba(unseen), theirs.predict_proba(unseen), atol=2e-3)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_unbalanced_classes_are_weighted_as_scikit_learn_weights_them(n_classes, class_weight):
    """With few images of one class and many of the others, with and without weights."""
    X, y = blobs(n_classes, n_samples=160)
    kept = (y != "bee") | (np.arange(160) % 16 == 1)
    ours = LogReg(C=1.0, folds=2, class_weight=class_weight).fit(X[kept], y[kept])
    theirs = on_the_features(X[kept], y[kept], ours.scale_**2, class_weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-3 * np.abs(theirs.coef_).max())
    unseen, _ = blobs(n_classes, seed=1)
    np.testing.assert_allclose(ours.predict_proba(unseen), theirs.predict_proba(unseen), atol=2e-3)


def test_the_search_tries_the_grid_and_chooses_the_lowest_log_loss():
    """Every C of the grid is in the result of the search."""
    X, y = blobs(2)
    model = LogReg().fit(X, y)
    assert [point.params["C"] for point in model.search_.points] == list(C_GRID)
    best = min(point.log_loss for point in model.search_.points)
    chosen = next(p for p in model.search_.points if p.params["C"] == model.C_)
    assert chosen.log_loss == pytest.approx(best, abs=1e-5)


def test_the_path_converges():
    """No fit of the default search ends before the optimum."""
    X, y = blobs(4)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", ConvergenceWarning)
        LogReg().fit(X, y)
    assert [str(warning.message) for warning in raised] == []


def test_duplicate_images_do_not_change_the_solution():
    """They make the Gram matrix singular."""
    X, y = blobs(2, n_samples=40)
    X, y = np.concatenate([X, X]), np.concatenate([y, y])
    ours = LogReg(C=1.0).fit(X, y)
    theirs = on_the_features(X, y, ours.scale_**2)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-3 * np.abs(theirs.coef_).max())


def test_identical_images_are_an_error():
    """The message says what to check."""
    with pytest.raises(ClassifierError, match="all training images have the same features"):
        LogReg(folds=2).fit(np.full((8, 20), 0.3, dtype=np.float32), [0, 1] * 4)


def test_the_same_seed_gives_the_same_coefficients():
    """The result does not depend on the order in which parallel folds finish."""
    X, y = blobs(3)
    first, second = LogReg(random_state=1).fit(X, y), LogReg(random_state=1).fit(X, y)
    assert first.search_ == second.search_
    np.testing.assert_array_equal(first.coef_, second.coef_)


def test_a_clone_has_the_parameters_and_is_untrained():
    """As scikit-learn's `clone` requires."""
    X, y = blobs(2, n_samples=20)
    copy = clone(LogReg(C=2.0).fit(X, y))
    assert copy.get_params() == {
        "C": 2.0, "folds": 5, "class_weight": None, "random_state": 0,
    }  # fmt: skip
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_a_class_with_one_image_is_an_error():
    """Cross-validation needs two images of every class."""
    with pytest.raises(ClassifierError, match="too few training images in: b"):
        LogReg().fit(np.eye(4, dtype=np.float32), ["a", "a", "a", "b"])
