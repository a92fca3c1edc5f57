"""Held-out predictions for training samples."""

import numpy as np

from classify.estimators.centroid import Centroid
from classify.estimators.cross_validation import stratified_folds
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.svm import SVM
from classify.evaluation.held_out import hold_out
from toolkit.progress import silent


def blobs(seed=0):
    """Return two classes of noise, so that unseen samples cannot be predicted."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(60, 200)).astype(np.float32), np.array(["a", "b"] * 30)


def test_no_sample_is_predicted_by_a_model_that_was_trained_on_it():
    """On noise the accuracy is about one half, although the training samples are fitted."""
    X, y = blobs()
    for model in (SVM(C=1.0), LogReg(C=100.0), Nearest(k=3), Centroid()):
        model.fit(X, y)
        held_out = hold_out(model, X, y).probabilities
        assert held_out.shape == (60, 2)
        np.testing.assert_allclose(held_out.sum(axis=1), 1)
        correct = (model.classes_[held_out.argmax(axis=1)] == y).mean()
        assert 0.25 < correct < 0.75, model
    assert (SVM(C=1.0).fit(X, y).predict(X) == y).all()


def test_the_chosen_parameters_are_used():
    """The folds do not search again."""
    X, y = blobs()
    X[y == "b", :20] += 2
    model = Nearest().fit(X, y)
    fixed = Nearest(k=model.k_).fit(X, y)
    chosen, given = (hold_out(one, X, y).probabilities for one in (model, fixed))
    np.testing.assert_array_equal(chosen, given)


def test_the_predictions_of_a_search_are_reused():
    """Their accuracy is that of the chosen point."""
    X, y = blobs()
    X[y == "b", :20] += 2
    for model in (SVM(), LogReg()):
        model.fit(X, y)
        chosen = next(p for p in model.search_.points if p.params == model.search_.chosen)
        correct = model.classes_[hold_out(model, X, y).probabilities.argmax(axis=1)] == y
        assert abs(correct.mean() - chosen.mean) < 1e-9


def test_progress_names_the_fold():
    """Five folds take long, so each stage says which one it is."""
    X, y = blobs()
    calls = []
    hold_out(Reporting().fit(X, y), X, y, progress=lambda *report: calls.append(report))
    assert calls == [(f"learning, fold {fold} of 5", 1, 1) for fold in range(1, 6)]


def test_a_class_of_two_is_left_out_of_some_folds():
    """It does not force fewer folds on the others; of a class of one, nothing can be held out."""
    X, y = blobs()
    y[:2] = "rare"
    held_out = hold_out(Centroid().fit(X, y), X, y)
    assert held_out.rows.tolist() == list(range(60))
    assert held_out.probabilities.shape == (60, 3)
    splits = stratified_folds(held_out.codes, 5, 0)
    assert len(splits) == 5
    assert all(np.unique(held_out.codes[train]).size == 3 for train, _ in splits)
    y[1] = "a"
    assert hold_out(AlsoForOne().fit(X, y), X, y) is None


class AlsoForOne(Centroid):
    """Takes classes of one sample."""

    min_class_size = 1


class Reporting(Centroid):
    """Reports its progress."""

    def fit(self, X, y, progress=silent, groups=None):
        progress("learning", 1, 1)
        return super().fit(X, y, progress, groups)
