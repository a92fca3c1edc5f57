"""Directions of L-BFGS, and minimisations that go on where another one has ended."""

import numpy as np
import pytest

from classify.estimators.solvers import logistic
from classify.estimators.solvers.kernel_logistic import KernelLogisticProblems
from classify.estimators.solvers.lbfgs import History
from classify.estimators.solvers.logistic import LogisticProblems


def products(a, b):
    """Return inner products as `History` needs them."""
    return (a @ b[:, None, :, None])[..., 0]


def two_loops(gradient, pairs):
    """Return the direction of one problem by the textbook's two loops."""
    direction, parts = -gradient, []
    for step, change in reversed(pairs):
        part = step @ direction / (step @ change)
        direction = direction - part * change
        parts.append(part)
    step, change = pairs[-1]
    direction = direction * (step @ change) / (change @ change)
    for (step, change), part in zip(pairs, reversed(parts), strict=True):
        direction = direction + (part - change @ direction / (step @ change)) * step
    return direction


@pytest.fixture
def pairs():
    """Return steps and changes of two problems with positive curvature, ``(7, 2, 2, 12)``."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 12, 12))
    steps = rng.normal(size=(7, 2, 12))
    changes = np.einsum("kij,klj,nkl->nki", roots, roots, steps)
    return np.stack([steps, changes], axis=1)


@pytest.mark.parametrize("n_added", [1, 3, 4, 7])
def test_the_direction_is_that_of_two_loops(pairs, n_added):
    """Also when the oldest steps have been forgotten."""
    history = History(4, (2, 12), float, products)
    for step, change in pairs[:n_added]:
        history.add(step, change)
    gradient = np.random.default_rng(1).normal(size=(2, 12))
    found = history.direction(gradient)
    for i in range(2):
        known = [(step[i], change[i]) for step, change in pairs[:n_added][-4:]]
        np.testing.assert_allclose(found[i], two_loops(gradient[i], known), rtol=1e-8)


@pytest.mark.parametrize("useless", [0, 2, 3])
def test_steps_that_say_nothing_are_left_out(pairs, useless):
    """A solved problem has steps of zero; along others, rounding lets the gradient fall."""
    history = History(4, (2, 12), float, products)
    for i, (step, change) in enumerate(pairs[:4].copy()):
        if i == useless:
            step[0], change[1] = 0.0, -change[1]
            change[0] = 0.0
        history.add(step, change)
    gradient = np.random.default_rng(1).normal(size=(2, 12))
    known = np.delete(pairs[:4], useless, axis=0)
    for i in range(2):
        expected = two_loops(gradient[i], [(step[i], change[i]) for step, change in known])
        np.testing.assert_allclose(history.direction(gradient)[i], expected, rtol=1e-8)


def test_without_steps_it_is_steepest_descent():
    """As at the beginning."""
    gradient = np.ones((2, 12))
    assert np.array_equal(History(4, (2, 12), float, products).direction(gradient), -gradient)


def problems_of(kind, n_classes):
    """Return overlapping classes as problems on features or on their inner products."""
    rng = np.random.default_rng(0)
    codes = np.arange(200) % n_classes
    X = rng.normal(size=(200, 300)) + rng.normal(size=(n_classes, 300))[codes] / 3
    X = (X - X.mean(axis=0)) / 300**0.5
    members = rng.random((3, 200)) < 0.7
    if kind == "products":
        return KernelLogisticProblems.of(X @ X.T, codes, members)
    return LogisticProblems.of(X, codes, members, 1.0)


def minimised(problems, precision, *, goes_on):
    """Return the decision values for ascending C, and how many gradients they took."""
    gradients, found, path = 0, [], None
    coef, count = problems.zeros(), type(problems)._gradient

    def counting(self, *arguments):
        nonlocal gradients
        gradients += 1
        return count(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(problems), "_gradient", counting)
        for C in 10 ** np.arange(-1, 2.6, 0.5):
            coef, decision, path = problems.minimise(coef, C, precision, path if goes_on else None)
            found.append(decision)
    return found, gradients


@pytest.mark.parametrize("kind", ["features", "products"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_path_leads_to_the_same_minima_in_fewer_steps(kind, n_classes):
    """The decision values are those of minimisations that know nothing of each other."""
    problems = problems_of(kind, n_classes)
    along, n_along = minimised(problems, 1e-3, goes_on=True)
    alone, n_alone = minimised(problems, 1e-3, goes_on=False)
    for found, expected in zip(along, alone, strict=True):
        np.testing.assert_allclose(found, expected, atol=4e-3 * np.abs(expected).max())
    assert n_along < 0.8 * n_alone


@pytest.mark.parametrize("kind", ["features", "products"])
def test_a_path_back_and_forth_leads_to_the_minima(kind, monkeypatch):
    """No line search begins uphill, where the last direction leads away from the next minimum."""
    problems, path = problems_of(kind, 2), None
    slopes, search = [], type(problems)._line_search

    def searched(self, decision, change, slope, curvature):
        none = np.zeros(len(slope))
        slopes.append(self._derivatives(decision, change, none)[0] + slope)
        return search(self, decision, change, slope, curvature)

    monkeypatch.setattr(type(problems), "_line_search", searched)
    coef = problems.zeros()
    for C in (1.0, 30.0, 0.1, 100.0, 100.0):
        coef, decision, path = problems.minimise(coef, C, 1e-4, path)
        expected = problems.minimise(problems.zeros(), C, 1e-4).decision
        np.testing.assert_allclose(decision, expected, atol=1e-3 * np.abs(expected).max())
        np.testing.assert_allclose(decision, problems.decision(coef), atol=1e-9)
    assert np.max(slopes) <= 0


def test_what_takes_much_memory_is_not_carried(monkeypatch):
    """Fewer steps are remembered, too, and the minimum is the same."""
    problems = problems_of("features", 4)
    expected, _, path = problems.minimise(problems.zeros(), 10.0, 1e-5)
    assert path is not None
    n_kept = []
    monkeypatch.setattr(logistic, "CARRIED", 2 * 8 * expected.size * 12)
    monkeypatch.setattr(logistic, "History", lambda n, *rest: n_kept.append(n) or History(n, *rest))
    assert problems.minimise(problems.zeros(), 10.0, 1e-5).path is None
    monkeypatch.setattr(logistic, "CARRIED", 100)
    found, _, path = problems.minimise(problems.zeros(), 10.0, 1e-5)
    assert path is None
    assert n_kept == [12, logistic.MEMORY[0]]
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
