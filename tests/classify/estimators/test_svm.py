import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

from classify.errors import ClassifierError
from classify.estimators import svm
from classify.estimators.search import C_GRID
from classify.estimators.svm import SVM
from tests.classify.estimators.clusters import clusters, mean_decision, mean_of_pairs


def blobs(n_classes, n_samples=150, n_features=300, seed=0):
    """Return overlapping classes of positive features, far more features than samples."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    centres = rng.random((n_classes, n_features))
    X = 20 * np.maximum(centres[y] + 2.5 * rng.normal(size=(n_samples, n_features)), 0)
    return X.astype(np.float32), np.array(["ant", "bee", "cow", "dog"])[y]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("C", [0.03, 1.0, 100.0])
def test_its_svms_are_those_of_svc_on_the_features(n_classes, kernel, C):
    """Decision values are those of `SVC`, with C converted to unscaled features."""
    X, y = blobs(n_classes)
    unseen, _ = blobs(n_classes, seed=1)
    ours = SVM(C=C, kernel=kernel, folds=2).fit(X, y)
    # The rbf kernel does not change with the scale, so its C does not either.
    raw_C = C * ours.scale_**2 if kernel == "linear" else C
    theirs = SVC(C=raw_C, kernel=kernel).fit(X, y)
    expected = mean_decision(theirs, unseen)
    np.testing.assert_allclose(ours.decision_function(unseen), expected, atol=0.01)
    if n_classes == 2:
        assert (ours.predict(unseen) == theirs.predict(unseen)).mean() >= 0.99
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    else:
        highest = theirs.classes_[expected.argmax(axis=1)]
        assert (ours.predict(unseen) == highest).mean() >= 0.99


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_unbalanced_classes_are_weighted_as_scikit_learn_weights_them(n_classes, class_weight):
    """With few images of one class and many of the others, with and without weights."""
    X, y = blobs(n_classes, n_samples=160)
    kept = (y != "bee") | (np.arange(160) % 16 == 1)
    ours = SVM(C=0.3, kernel="rbf", folds=2, class_weight=class_weight).fit(X[kept], y[kept])
    theirs = SVC(C=0.3, class_weight=class_weight).fit(X[kept], y[kept])
    unseen, _ = blobs(n_classes, seed=1)
    np.testing.assert_allclose(
        ours.decision_function(unseen), mean_decision(theirs, unseen), atol=0.01
    )


def test_a_rare_class_is_predicted_more_often_with_balanced_weights():
    """Without weights, a class with six of 66 images is hardly ever predicted."""
    rng = np.random.default_rng(0)
    y = np.array(["ant"] * 60 + ["bee"] * 6 + ["bee"] * 200)
    X = (rng.normal(size=(266, 5)) + (y == "bee")[:, None]).astype(np.float32)
    rates = {
        weight: (
            SVM(C=1.0, kernel="linear", class_weight=weight).fit(X[:66], y[:66]).predict(X[66:])
            == "bee"
        ).mean()
        for weight in ("balanced", None)
    }
    assert rates["balanced"] > rates[None] + 0.2


def test_the_search_scores_are_those_of_svc_on_the_folds():
    """A point that reuses the SVM of a smaller C has the accuracy of its own training."""
    X, y = blobs(3, n_samples=60)
    together = SVM(kernel="rbf", folds=3).fit(X, y).search_
    assert len({point.mean for point in together.points}) > 1
    for point in together.points:
        alone = SVM(C=point.params["C"], kernel="rbf", folds=3).fit(X, y).search_
        assert alone.points[0].mean == point.mean


def test_threads_that_are_a_step_ahead_give_the_same_search(monkeypatch):
    """Two classes; a search that may end early does not begin a step in advance."""
    X, y = blobs(2, n_samples=60)
    ahead = SVM(folds=3).fit(X, y).search_
    monkeypatch.setattr(svm, "MANY", 1)
    assert SVM(folds=3).fit(X, y).search_ == ahead


def test_the_search_with_many_classes_finds_what_svc_finds():
    """60 classes of 6 rows: the mean accuracy of every point is that of `SVC` on the same folds."""
    X, y = clusters(60, 6)
    values = (0.01, 1.0, 10.0)
    ours = SVM(C=values, kernel="linear", folds=3).fit(X, y)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    for C, accuracy in zip(values, ours.cv_results_["mean_test_score"], strict=True):
        svc = SVC(C=C * ours.scale_**2, kernel="linear", decision_function_shape="ovo")
        pairs = cross_val_predict(svc, X, y, cv=folds, method="decision_function")
        predicted = np.unique(y)[mean_of_pairs(pairs, 60).argmax(axis=1)]
        assert accuracy == pytest.approx((predicted == y).mean(), abs=0.006)


@pytest.mark.parametrize("n_classes", [3, 6, 20])
def test_probabilities_say_how_sure_a_prediction_is(n_classes):
    """Their log loss is no higher than that of `SVC`, calibrated by scikit-learn."""
    X, y = clusters(n_classes, 60, 10)
    train, test = np.arange(len(y)) < 30 * n_classes, np.arange(len(y)) >= 30 * n_classes
    ours = SVM(kernel="rbf").fit(X[train], y[train])
    theirs = CalibratedClassifierCV(SVC(C=ours.C_), ensemble=False).fit(X[train], y[train])
    losses = [log_loss(y[test], model.predict_proba(X[test])) for model in (ours, theirs)]
    assert losses[0] < losses[1]


def test_auto_searches_both_kernels_over_the_grid():
    """`auto` tries 13 values of C for each kernel, and trains with the best."""
    X, y = blobs(2, n_samples=40)
    svm = SVM().fit(X, y)
    assert len(svm.search_.points) == 2 * len(C_GRID)
    assert svm.search_.chosen == {"C": svm.C_, "kernel": svm.kernel_}
    assert svm.search_.scoring == "accuracy"


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_most_probable_class_is_the_prediction(n_classes):
    """Temperature scaling never changes which class comes first."""
    X, y = blobs(n_classes)
    svm = SVM(C=1.0).fit(X, y)
    unseen, _ = blobs(n_classes, n_samples=200, seed=1)
    probabilities = svm.predict_proba(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(svm.classes_[probabilities.argmax(axis=1)], svm.predict(unseen))
    if n_classes == 2:
        np.testing.assert_array_equal(
            svm.predict(unseen) == "bee", svm.decision_function(unseen) > 0
        )


def test_temperature_scaling_lowers_the_log_loss():
    """On unseen data it is below that of the sigmoid of the decision values."""
    X, y = blobs(2, n_samples=300, n_features=40)
    svm = SVM(C=10.0, kernel="linear").fit(X[:200], y[:200])
    unseen, truth = X[200:], y[200:]
    scaled = log_loss(truth, svm.predict_proba(unseen))
    svm.temperature_ = 1.0
    assert scaled < log_loss(truth, svm.predict_proba(unseen))
    assert scaled < np.log(2)


def test_perfectly_separated_classes_are_not_certain():
    """A few images that are all correct do not give probabilities near one."""
    X, y = blobs(2, n_samples=20)
    X[y == "ant", :150] += 100
    svm = SVM(C=1.0, kernel="linear").fit(X, y)
    assert svm.search_.points[0].mean == 1.0
    assert 0.9 < svm.predict_proba(X).max() < 0.9999


def test_it_keeps_only_the_support_vectors():
    """Prediction needs the float32 rows of the support vectors, not the training data."""
    X, y = blobs(2)
    X[y == "ant"] += 30
    svm = SVM(C=1.0, kernel="linear").fit(X, y)
    assert svm.support_vectors_.dtype == np.float32
    assert 0 < len(svm.support_vectors_) < len(X)
    np.testing.assert_array_equal(svm.support_vectors_, X[svm.support_])


def test_the_same_seed_gives_the_same_svm():
    """The result does not depend on the order in which parallel folds finish."""
    X, y = blobs(3)
    first, second = SVM(random_state=1).fit(X, y), SVM(random_state=1).fit(X, y)
    assert first.search_ == second.search_
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_a_clone_has_the_parameters_and_is_untrained():
    """As scikit-learn's `clone` requires."""
    X, y = blobs(2, n_samples=20)
    copy = clone(SVM(C=[0.1, 1], kernel="rbf").fit(X, y))
    assert copy.get_params() == {
        "C": [0.1, 1], "kernel": "rbf", "folds": 5, "class_weight": None, "random_state": 0,
    }  # fmt: skip
    with pytest.raises(NotFittedError):
        copy.predict(X)


@pytest.mark.parametrize(
    ("kernel", "labels", "message"),
    [
        ("poly", ["a", "a", "b", "b"], "unknown kernel 'poly'; choose one of auto, linear, rbf"),
        ("auto", ["a", "a", "a", "a"], "at least two classes"),
        ("auto", ["a", "a", "a", "b"], "too few training images in: b"),
    ],
)
def test_wrong_parameters_and_labels_are_clear_errors(kernel, labels, message):
    """They are errors of the toolkit."""
    with pytest.raises(ClassifierError, match=message):
        SVM(kernel=kernel).fit(np.eye(4, dtype=np.float32), labels)
