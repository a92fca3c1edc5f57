import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from classify.estimators.solvers import logistic
from classify.estimators.solvers.logistic import LogisticProblems


def blobs(n_classes, n_samples=200, n_features=30):
    """Return overlapping classes of features far from zero, and three overlapping parts."""
    rng = np.random.default_rng(0)
    codes = np.arange(n_samples) % n_classes
    X = 5 + rng.normal(size=(n_samples, n_features)) + rng.normal(size=(n_classes, 30))[codes] / 2
    return X, codes, rng.random((3, n_samples)) < 0.7


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_each_problem_is_solved_as_scikit_learn_solves_it_alone(n_classes, dtype, C):
    """Coefficients and intercepts are those of `LogisticRegression` on each subset."""
    X, codes, members = blobs(n_classes)
    problems = LogisticProblems.of(X.astype(dtype), codes, members, 0.2)
    coef, decision, _ = problems.minimise(problems.zeros(), C, 1e-5)
    centred = 0.2 * (X - X.mean(axis=0))
    for i, part in enumerate(members):
        theirs = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10)
        theirs.fit(centred[part], codes[part])
        length = np.abs(theirs.coef_).max()
        np.testing.assert_allclose(coef[:-1, i].T, theirs.coef_, atol=1e-3 * length)
        expected = theirs.decision_function(centred)
        np.testing.assert_allclose(
            decision[:, i].squeeze(), expected, atol=2e-3 * np.abs(expected).max()
        )


def test_the_decision_values_are_those_of_the_coefficients():
    """They match, although the decision values were updated from step to step."""
    X, codes, members = blobs(4)
    problems = LogisticProblems.of(X, codes, members, 0.2)
    coef, decision, _ = problems.minimise(problems.zeros(), 1.0, 1e-3)
    np.testing.assert_allclose(decision, problems.decision(coef), atol=1e-9)


@pytest.mark.parametrize("precision", [0.1, 1e-3])
def test_the_coefficients_are_as_precise_as_requested(precision):
    """Their distance from the optimum, relative to their length, is below the precision."""
    X, codes, members = blobs(2)
    problems = LogisticProblems.of(X, codes, members, 0.2)
    exact = problems.minimise(problems.zeros(), 10.0, 1e-9).coef
    found = problems.minimise(problems.zeros(), 10.0, precision).coef
    apart = np.linalg.norm((found - exact)[:-1], axis=0) / np.linalg.norm(exact[:-1], axis=0)
    assert (apart <= precision * 1.1).all()
    assert (apart > 0).all()


@pytest.mark.parametrize("n_classes", [2, 4])
def test_many_probabilities_are_computed_in_blocks_and_threads(n_classes, monkeypatch):
    """The solution is the same within its precision, in the precision of the features."""
    X, codes, members = blobs(n_classes)
    problems = LogisticProblems.of(X.astype(np.float32), codes, members, 0.2)
    expected = problems.minimise(problems.zeros(), 1.0, 1e-4).coef
    monkeypatch.setattr(logistic, "BLOCK", 100)
    monkeypatch.setattr(logistic, "LARGE", 1)
    coef, decision, _ = problems.minimise(problems.zeros(), 1.0, 1e-4)
    assert decision.dtype == np.float32
    np.testing.assert_allclose(coef, expected, atol=3e-4 * np.abs(expected).max())


def test_a_solved_problem_takes_no_step():
    """Starting at the solution takes no step."""
    X, codes, members = blobs(2)
    problems = LogisticProblems.of(X, codes, members, 0.2)
    coef = problems.minimise(problems.zeros(), 1.0, 1e-3).coef
    again = problems.minimise(coef, 1.0, 1e-3).coef
    assert again is coef


def test_constant_features_get_coefficients_of_zero():
    """The minimisation also ends where the optimal coefficients are zero."""
    X, codes = np.ones((10, 3), dtype=np.float32), np.array([0, 1, 1, 1, 1] * 2)
    problems = LogisticProblems.of(X, codes, np.ones((1, 10), dtype=bool), 1.0)
    coef, decision, _ = problems.minimise(problems.zeros(), 1.0, 1e-4)
    np.testing.assert_allclose(coef[:-1], 0, atol=1e-6)
    np.testing.assert_allclose(decision, np.log(4), atol=1e-4)


def test_too_many_steps_are_a_warning(monkeypatch):
    """A minimisation that did not converge warns, as in scikit-learn."""
    monkeypatch.setattr(logistic, "MAX_STEPS", 2)
    X, codes, members = blobs(2)
    problems = LogisticProblems.of(X, codes, members, 0.2)
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 steps"):
        problems.minimise(problems.zeros(), 1.0, 1e-6)
