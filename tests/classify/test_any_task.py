"""Tasks of every kind: many classes, few images, very many images, unbalanced classes."""

import numpy as np
import pytest

from classify import registry
from classify.errors import ClassifierError
from classify.estimators.solvers import gram
from classify.evaluation.decision import DecisionRule

FROZEN = ("dense", "logreg", "svm", "nearest", "centroid")
QUICK = ("logreg", "svm", "nearest", "centroid")


def task(n_classes, counts, seed=0, n_features=64):
    """Return samples of slightly overlapping classes: `counts` of each, or one count for all."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(n_classes, n_features))
    y = np.repeat(np.arange(n_classes), counts)
    X = np.maximum(centres[y] + rng.normal(size=(len(y), n_features)) + 1, 0)
    return X.astype(np.float32), np.array([f"class {i:02}" for i in range(n_classes)])[y]


@pytest.mark.slow
@pytest.mark.parametrize("name", FROZEN)
def test_ten_classes(name):
    """Each is distinguished from the nine others, on held-out images."""
    model = registry.create(name, seed=0).fit(*task(10, 40))
    unseen, truth = task(10, 20, seed=1)
    assert model.score(unseen, truth) > 0.9
    assert model.predict_proba(unseen).shape == (200, 10)


@pytest.mark.parametrize("name", QUICK)
def test_five_images_per_class(name):
    """Accuracy is well above chance, and the probabilities are better than uniform ones."""
    model = registry.create(name, seed=0).fit(*task(4, 5))
    unseen, truth = task(4, 50, seed=1)
    assert model.score(unseen, truth) > 0.7
    true_class = model.predict_proba(unseen)[np.arange(200), np.searchsorted(model.classes_, truth)]
    assert -np.log(true_class).mean() < np.log(4)


@pytest.mark.slow
@pytest.mark.parametrize("name", FROZEN)
def test_a_rare_class_is_recognised(name):
    """With 15 images against 300, if both classes count the same in the decision."""
    model = registry.create(name, seed=0).fit(*task(2, [300, 15]))
    unseen, truth = task(2, 100, seed=1)
    rule = DecisionRule.of([300, 15], decision="equal-classes")
    correct = model.classes_[rule.answers(model.predict_proba(unseen))] == truth
    assert correct[truth == "class 01"].mean() > 0.7
    assert correct[truth == "class 00"].mean() > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "logreg", "nearest", "centroid"])
def test_a_hundred_thousand_images(name):
    """Training takes minutes at most."""
    model = registry.create(name, seed=0)
    if name == "dense":
        model.set_params(epochs=1, batch_size=256)
    model.fit(*task(2, 50_000, n_features=32))
    unseen, truth = task(2, 100, seed=1, n_features=32)
    assert model.score(unseen, truth) > 0.9


def test_a_kernel_matrix_beyond_memory_is_refused(monkeypatch):
    """The message says how much memory an SVM would need, and what to use instead."""
    monkeypatch.setattr(gram, "memory_gib", lambda: 24.0)
    X, y = task(2, 50_000, n_features=2)
    with pytest.raises(ClassifierError, match="37 GiB, and this machine has 24; choose logistic"):
        registry.create("svm", seed=0).fit(X, y)
