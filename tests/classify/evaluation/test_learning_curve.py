"""Learning curves."""

import gc
import weakref

import numpy as np
import pytest

from classify.estimators.centroid import Centroid
from classify.evaluation.decision import DecisionRule
from classify.evaluation.learning_curve import learning_curve, training_sizes


def directions(n_per_class, seed):
    """Return two classes that are learned better from more images."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["a", "b"], n_per_class)
    X = rng.normal(size=(2 * n_per_class, 400)) + 0.12 * np.where(y == "a", 1, -1)[:, None]
    return X.astype(np.float32), y


def curve_of(train, test, **kwargs):
    """Return the learning curve of class means."""
    predicted = Centroid().fit(*train).predict(test[0])
    return learning_curve(lambda _: Centroid(), train, test, predicted, **kwargs)


def test_more_images_are_more_accurate():
    """Each size has its draws, and is half of the next one."""
    calls = []
    curve = curve_of(
        directions(60, 0),
        directions(500, 1),
        draws=3,
        stage="centroid: learning curve",
        progress=lambda stage, done, total: calls.append((stage, done, total)),
    )
    assert curve.sizes == [14, 30, 60, 120]
    assert [len(found) for found in curve.accuracies] == [3, 3, 3, 1]
    means = [np.mean(found) for found in curve.accuracies]
    assert means == sorted(means)
    assert means[-1] > means[0] + 0.1
    assert calls[0] == ("centroid: learning curve", 0, 9)
    assert calls[-1] == ("centroid: learning curve", 9, 9)


def test_the_same_seed_draws_the_same_images():
    """Another seed draws others."""
    first, again, other = (
        curve_of(directions(30, 0), directions(99, 1), draws=2, seed=s) for s in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_curve_ends_in_the_reported_model():
    """It is not trained again, and the curve has its accuracy to the last digit."""
    trained = []

    def make(_):
        trained.append(1)
        return Centroid()

    test = directions(100, 1)
    predicted = np.where(np.arange(200) < 173, test[1], "neither")
    curve = learning_curve(make, directions(40, 0), test, predicted, draws=2)
    assert curve.accuracies[-1] == [0.865]
    assert len(trained) == 2 * (len(curve.sizes) - 1) == 6


def test_classes_keep_their_shares():
    """The last size is all images, not as many of every class as the smallest one has."""
    assert training_sizes([453, 51])[-3:] == [[113, 12], [226, 25], [453, 51]]


def test_a_small_class_is_never_without_images():
    """A cross-validation needs some of every class."""
    assert training_sizes([400, 20]) == [[12, 5], [25, 5], [50, 5], [100, 5], [200, 10], [400, 20]]
    assert {size[1] for size in training_sizes([400, 3])} == {3}


def test_very_few_images_are_one_size():
    """Half of them would not train a classifier; nothing is said about more."""
    X, y = directions(4, 0)
    calls = []
    curve = curve_of((X, y), directions(50, 1), progress=lambda *call: calls.append(call))
    assert curve.sizes == [8]
    assert curve.gain is curve.gain_range is None
    assert calls == []


def test_models_are_trained_on_natural_proportions():
    """Of nine to one."""
    counts = set()

    class Counting(Centroid):
        def fit(self, X, y, progress=False, groups=None):
            counts.add(tuple(np.unique(y, return_counts=True)[1].tolist()))
            return super().fit(X, y, progress, groups)

    X, y = directions(180, 0)
    X, y = X[:200], y[:200]  # 180 and 20
    learning_curve(lambda _: Counting(), (X, y), (X, y), y, draws=2)
    assert counts == {(90, 10), (45, 5), (22, 5), (11, 5)}


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

    X, y = np.eye(2, dtype=np.float32)[[0, 1] * 40], np.array(["a", "b"] * 40)
    learning_curve(make, (X, y), (X, y), y)
    assert len(most) == 15
    assert max(most) <= 3


@pytest.mark.parametrize("n_per_class", [60, 100])
def test_the_gain_is_within_its_range(n_per_class):
    """And the range is not a point."""
    curve = curve_of(directions(n_per_class, 0), directions(400, 1))
    low, high = curve.gain_range
    assert low < curve.gain < high


def test_all_models_answer_by_the_rule_of_the_reported_one():
    """Else the curve would bend where the rule sets in."""
    test = directions(100, 1)
    only_a = DecisionRule.of([40, 40], [1 - 1e-9, 1e-9])
    predicted = np.full(200, "a")
    curve = learning_curve(lambda _: Centroid(), directions(40, 0), test, predicted, rule=only_a)
    assert {accuracy for of_size in curve.accuracies for accuracy in of_size} == {0.5}
