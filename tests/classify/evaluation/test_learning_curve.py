"""Learning curves."""

import gc
import weakref

import numpy as np
import pytest

from classify.estimators.centroid import Centroid
from classify.evaluation.learning_curve import expected_gain, learning_curve, training_sizes


def directions(n_per_class, seed):
    """Return two classes that are learned better from more images."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["a", "b"], n_per_class)
    X = rng.normal(size=(2 * n_per_class, 400)) + 0.12 * np.where(y == "a", 1, -1)[:, None]
    return X.astype(np.float32), y


def test_more_images_per_class_are_more_accurate():
    """Each size has its draws, and the last size is that of the smallest class."""
    calls = []
    X, y = directions(60, 0)
    curve = learning_curve(
        lambda _: Centroid(),
        (X[:-10], y[:-10]),
        directions(500, 1),
        draws=3,
        stage="centroid: learning curve",
        progress=lambda stage, done, total: calls.append((stage, done, total)),
    )
    assert curve.sizes == [5, 10, 20, 50]
    assert [len(found) for found in curve.accuracies] == [3] * 4
    means = [np.mean(found) for found in curve.accuracies]
    assert means == sorted(means)
    assert means[-1] > means[0] + 0.1
    assert calls[-1] == ("centroid: learning curve", 12, 12)
    assert 0 < curve.gain < 1 - means[-1]


def test_the_same_seed_draws_the_same_images():
    """Another seed draws others."""
    first, again, other = (
        learning_curve(lambda _: Centroid(), directions(30, 0), directions(99, 1), draws=2, seed=s)
        for s in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_draws_differ_except_of_all_images():
    """The draws of the last size are all images, and have the same accuracy."""
    curve = learning_curve(lambda _: Centroid(), directions(30, 0), directions(99, 1))
    assert len(set(curve.accuracies[0])) > 1
    assert len(set(curve.accuracies[-1])) == 1


@pytest.mark.parametrize(
    ("numbers", "accuracies", "expected"),
    [
        ([10, 20, 40, 80], [[0.2], [0.6], [0.8], [0.9]], 0.05),
        ([10, 20, 40], [[0.9], [0.9], [0.9]], 0.0),
        ([10, 20, 40], [[0.9], [0.8], [0.7]], -0.219615),
        ([10, 20, 40], [[0.5], [0.9999], [0.5]], 0.0),
        ([10, 20, 40], [[1.0], [1.0], [1.0]], 0.0),
        ([10, 20], [[0.5], [0.9]], None),
    ],
)
def test_the_expected_gain_extrapolates_the_errors(numbers, accuracies, expected):
    """An error that halves with every doubling halves again; a constant error stays."""
    assert expected_gain(numbers, accuracies) == (
        None if expected is None else pytest.approx(expected)
    )


def test_the_range_of_the_gain_is_that_of_the_draws():
    """It includes the gain of the means."""
    curve = learning_curve(lambda _: Centroid(), directions(40, 0), directions(100, 1), draws=3)
    low, high = curve.gain_range
    assert low <= curve.gain <= high
    assert low < high


def test_sizes_end_with_the_smallest_class():
    """No class has to have more images than it has."""
    assert training_sizes(20) == [5, 10, 20]
    assert training_sizes(2) == [2]


def test_evaluated_models_are_freed():
    """Forty SVMs would take as much memory as forty copies of the embeddings."""
    alive = weakref.WeakSet()
    most = []

    def make(_):
        model = Centroid()
        alive.add(model)
        gc.collect()
        most.append(len(alive))
        return model

    X = np.eye(2, dtype=np.float32)[[0, 1] * 20]
    learning_curve(make, (X, np.array(["a", "b"] * 20)), (X, np.array(["a", "b"] * 20)))
    assert len(most) == 15
    assert max(most) <= 3
