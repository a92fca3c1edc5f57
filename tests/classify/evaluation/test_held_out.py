"""What a classifier says of its own training images."""

import numpy as np

from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.svm import SVM
from classify.evaluation.held_out import held_out_proba
from toolkit.progress import silent


def blobs(seed=0):
    """Return two classes of pure noise: nothing can be known of a sample that was not seen."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(60, 200)).astype(np.float32), np.array(["a", "b"] * 30)


def test_no_sample_is_judged_by_a_model_that_has_seen_it():
    """On noise, every classifier is right half of the time, though it fits what it was given."""
    X, y = blobs()
    for model in (SVM(C=1.0), LogReg(C=100.0), Nearest(k=3), Centroid()):
        model.fit(X, y)
        held_out = held_out_proba(model, X, y)
        assert held_out.shape == (60, 2)
        np.testing.assert_allclose(held_out.sum(axis=1), 1)
        right = (model.classes_[held_out.argmax(axis=1)] == y).mean()
        assert 0.25 < right < 0.75, model
    assert (SVM(C=1.0).fit(X, y).predict(X) == y).all()


def test_the_parameters_that_were_chosen_are_kept():
    """Nothing is searched for anew in the folds."""
    X, y = blobs()
    X[y == "b", :20] += 2
    model = Nearest().fit(X, y)
    fixed = Nearest(k=model.k_).fit(X, y)
    np.testing.assert_array_equal(held_out_proba(model, X, y), held_out_proba(fixed, X, y))


def test_a_search_gives_what_its_folds_gave():
    """The accuracy of the chosen point is that of the held-out answers."""
    X, y = blobs()
    X[y == "b", :20] += 2
    for model in (SVM(), LogReg()):
        model.fit(X, y)
        chosen = next(p for p in model.search_.points if p.params == model.search_.chosen)
        right = model.classes_[held_out_proba(model, X, y).argmax(axis=1)] == y
        assert abs(right.mean() - chosen.mean) < 1e-9


def test_every_fold_is_told():
    """Training in five folds takes long for a network, so each says which one it is in."""
    X, y = blobs()
    told = []
    held_out_proba(Talking().fit(X, y), X, y, progress=lambda *said: told.append(said))
    assert told == [(f"learning, fold {fold} of 5", 1, 1) for fold in range(1, 6)]


class Talking(Centroid):
    """Says that it learns."""

    def fit(self, X, y, progress=silent):
        progress("learning", 1, 1)
        return super().fit(X, y, progress)
