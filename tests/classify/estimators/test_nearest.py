"""The k nearest neighbours and the nearest class mean."""

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

from classify.errors import ClassifierError
from classify.estimators.centroid import Centroid
from classify.estimators.nearest import K_GRID, Nearest
from classify.estimators.solvers import neighbours
from classify.estimators.solvers.neighbours import nearest, unit_rows
from classify.evaluation.decision import DecisionRule


def cones(n_classes, n_per_class, seed=0, n_features=60, noise=1.0):
    """Return classes that differ in direction, with random norms."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(n_classes, n_features))
    y = np.repeat(np.arange(n_classes), n_per_class)
    X = centres[y] + noise * rng.normal(size=(len(y), n_features))
    X *= rng.uniform(0.1, 10, size=(len(y), 1))
    return X.astype(np.float32), np.array([f"class {i}" for i in range(n_classes)])[y]


@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_neighbours_are_scikit_learns(k):
    """With equal votes, predictions are scikit-learn's with the cosine metric, except in ties."""
    X, y = cones(3, 40, noise=3.0)
    unseen, _ = cones(3, 50, seed=1, noise=3.0)
    ours = Nearest(k=k).fit(X, y)
    theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(X, y)
    votes = theirs.predict_proba(unseen)
    clear = np.sort(votes, axis=1)[:, -1] > np.sort(votes, axis=1)[:, -2]
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(ours.predict(unseen)[clear], theirs.predict(unseen)[clear])
    expected = ((k * votes + 1 / 3) / (k + 1)) ** ours.temperature_  # the classes are as frequent
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours.predict_proba(unseen), expected, atol=1e-6)


def test_blocks_change_nothing(monkeypatch):
    """Rows processed in blocks give the result of all rows at once."""
    X = unit_rows(cones(3, 30)[0])
    whole = nearest(X, X, 5, leave_out=np.arange(90))
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    parts = nearest(X, X, 5, leave_out=np.arange(90))
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], atol=1e-6)
    assert not (whole[0] == np.arange(90)[:, None]).any()
    assert (np.diff(whole[1], axis=1) <= 0).all()


def test_k_is_chosen_by_leave_one_out():
    """On noise, one neighbour is not the best, although it fits the training images perfectly."""
    X, y = cones(2, 60, noise=6.0)
    model = Nearest().fit(X, y)
    assert [point.params["k"] for point in model.search_.points] == list(K_GRID)
    assert model.k_ > 3
    assert model.search_.points[0].mean < 0.9


@pytest.mark.parametrize("k", [0, -1, 20, 2.5])
def test_k_out_of_range_is_an_error(k):
    """It is at least one and less than the number of images."""
    with pytest.raises(ClassifierError, match="k must be from 1 to 19"):
        Nearest(k=k).fit(*cones(2, 10))


@pytest.mark.parametrize("kind", [Nearest, Centroid])
def test_five_images_of_each_of_ten_classes_are_enough(kind):
    """Unseen images are predicted correctly, with plausible probabilities."""
    model = kind().fit(*cones(10, 5))
    unseen, truth = cones(10, 40, seed=1)
    assert model.score(unseen, truth) > 0.95
    assert log_loss(truth, model.predict_proba(unseen)) < 1.0


@pytest.mark.parametrize("kind", [Nearest, Centroid])
def test_the_norm_of_the_features_does_not_matter(kind):
    """Scaled features give the same probabilities, and zeros give finite ones."""
    X, y = cones(3, 10)
    model = kind().fit(X, y)
    unseen, _ = cones(3, 5, seed=1)
    np.testing.assert_allclose(
        model.predict_proba(unseen), model.predict_proba(7 * unseen), atol=1e-5
    )
    assert np.isfinite(model.predict_proba(np.zeros((1, 60), np.float32))).all()


@pytest.mark.parametrize("kind", [Nearest(k=1), Centroid()])
def test_a_class_with_one_image_is_learned(kind):
    """It can only not be left out, and is as rare as it is."""
    X, y = cones(2, 3)
    model = kind.fit(X[:4], y[:4])
    rule = DecisionRule.of([3, 1], decision="equal-classes")
    answers = rule.answers(model.predict_proba(X[:4]))
    np.testing.assert_array_equal(model.classes_[answers], y[:4])


@pytest.mark.parametrize("kind", [Nearest, Centroid])
def test_probabilities_are_as_frequent_as_the_classes(kind):
    """Of classes that look the same, one is as probable as its share of the samples."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 50)), np.repeat(["common", "rare"], [360, 40])
    probabilities = kind().fit(X, y).predict_proba(rng.normal(size=(200, 50)))
    assert probabilities[:, 1].mean() == pytest.approx(0.1, abs=0.03)


def test_the_nearer_of_two_neighbours_decides():
    """Not the alphabet, whichever class the nearer one is of."""
    X = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.1]]
    for labels in (["a", "b", "b", "a"], ["b", "a", "a", "b"]):
        model = Nearest(k=2).fit(X, labels)
        assert model.predict([[1.0, 0.1], [0.7, 0.6]]).tolist() == labels[:2]


def test_the_temperature_is_fitted_on_means_without_the_image():
    """Otherwise two images per class would give probabilities near one on noise."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 200)).astype(np.float32), np.repeat(np.arange(20), 2)
    probabilities = Centroid().fit(X, y).predict_proba(rng.normal(size=(50, 200)))
    assert probabilities.max() < 0.2
