"""Tasks of every shape: many classes, few images, very many images, classes of unlike sizes."""

import numpy as np
import pytest

from classify import registry
from classify.errors import ClassifierError
from classify.estimators.solvers import gram

FROZEN = ("dense", "logreg", "svm", "nearest", "centroid")
QUICK = ("logreg", "svm", "nearest", "centroid")


def task(n_classes, counts, seed=0, n_features=64):
    """Return features of classes that overlap a little, `counts` of each or the same of all."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(n_classes, n_features))
    y = np.repeat(np.arange(n_classes), counts)
    X = np.maximum(centres[y] + rng.normal(size=(len(y), n_features)) + 1, 0)
    return X.astype(np.float32), np.array([f"class {i:02}" for i in range(n_classes)])[y]


@pytest.mark.slow
@pytest.mark.parametrize("name", FROZEN)
def test_ten_classes(name):
    """Each is told apart from the nine others, on images that were not seen."""
    model = registry.create(name, seed=0).fit(*task(10, 40))
    unseen, truth = task(10, 20, seed=1)
    assert model.score(unseen, truth) > 0.9
    assert model.predict_proba(unseen).shape == (200, 10)


@pytest.mark.parametrize("name", QUICK)
def test_five_images_per_class(name):
    """What there is to learn is learnt, and the probabilities are not mad."""
    model = registry.create(name, seed=0).fit(*task(4, 5))
    unseen, truth = task(4, 50, seed=1)
    assert model.score(unseen, truth) > 0.7
    given = model.predict_proba(unseen)[np.arange(200), np.searchsorted(model.classes_, truth)]
    assert -np.log(given).mean() < np.log(4)


@pytest.mark.slow
@pytest.mark.parametrize("name", FROZEN)
def test_one_class_of_thirty_is_still_found(name):
    """Fifteen images against three hundred: the rare class counts as much as the other."""
    model = registry.create(name, seed=0).fit(*task(2, [300, 15]))
    unseen, truth = task(2, 100, seed=1)
    found = model.predict(unseen) == truth
    assert found[truth == "class 01"].mean() > 0.7
    assert found[truth == "class 00"].mean() > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "logreg", "nearest", "centroid"])
def test_a_hundred_thousand_images(name):
    """They are trained on, in minutes."""
    model = registry.create(name, seed=0)
    if name == "dense":
        model.set_params(epochs=1)
    model.fit(*task(2, 50_000, n_features=32))
    unseen, truth = task(2, 500, seed=1, n_features=32)
    assert model.score(unseen, truth) > 0.9


def test_more_pairs_than_fit_into_memory_are_refused(monkeypatch):
    """An SVM on a hundred thousand images says what it would need, and what to take instead."""
    monkeypatch.setattr(gram, "memory_gib", lambda: 24.0)
    X, y = task(2, 50_000, n_features=2)
    with pytest.raises(ClassifierError, match="37 GiB, and this machine has 24; take --clf logreg"):
        registry.create("svm", seed=0).fit(X, y)
