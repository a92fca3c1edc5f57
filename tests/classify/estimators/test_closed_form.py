"""Classifiers that follow from sums over the rows: ridge and linear discriminant analysis."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier as TheirRidge
from sklearn.metrics import recall_score

from classify import LDA, LogReg, RidgeClassifier, persistence
from classify.errors import ClassifierError
from classify.estimators import closed_form, rows
from classify.estimators.cross_validation import stratified_folds
from classify.estimators.lda import SHRINKAGES
from classify.estimators.rows import RowsOnDisk
from classify.estimators.search import C_GRID

BOTH = pytest.mark.parametrize("kind", [RidgeClassifier, LDA])
CLASSES = pytest.mark.parametrize("n_classes", [2, 4])
SHAPES = pytest.mark.parametrize("n_features", [120, 40], ids=["more features", "more samples"])


def blobs(n_classes, n_samples=80, n_features=40, seed=0):
    """Return overlapping classes of features far from zero, sorted by class as on disk."""
    y = np.sort(np.arange(n_samples) % n_classes)
    centres = np.random.default_rng(5).random((n_classes, n_features))
    noise = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    X = 20 * (centres[y] + noise) + 100
    return X.astype(np.float32), np.array(["ant", "bee", "cow", "dog"])[y]


@dataclass(frozen=True)
class Watched(RowsOnDisk):
    """Rows on disk that note which of them were read, and how many together."""

    batches_read: list = field(default_factory=list)

    def __getitem__(self, positions):
        self.batches_read.append([int(self.keys[i]) for i in positions])
        return super().__getitem__(positions)


def on_disk(X):
    return Watched(lambda keys: X[[int(key) for key in keys]].copy(), [*map(str, range(len(X)))])


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 25 rows of 40 features."""
    monkeypatch.setattr(rows, "BATCH_BYTES", 25 * 40 * 4)


def assert_equal_models(ours, theirs, unseen):
    """Coefficients but for what all classes share, and predictions."""
    found, wanted = ours.coef_, np.atleast_2d(theirs.coef_)
    if len(wanted) > 1:
        found, wanted = found - found.mean(axis=0), wanted - wanted.mean(axis=0)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max(), rtol=0)
    np.testing.assert_array_equal(ours.predict(unseen), theirs.predict(unseen))


@CLASSES
@SHAPES
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"ant": 3.0}])
def test_ridge_is_scikit_learns(n_classes, n_features, C, class_weight):
    """With the equivalent alpha on the features as they are, and classes of different sizes."""
    X, y = blobs(n_classes, n_features=n_features)
    X, y = X[10:], y[10:]
    ours = RidgeClassifier(C=C, class_weight=class_weight).fit(X, y)
    alpha = 1 / (2 * C * ours.scale_**2)
    theirs = TheirRidge(alpha=alpha, class_weight=class_weight, solver="cholesky")
    theirs.fit(X.astype(np.float64), y)
    assert_equal_models(ours, theirs, blobs(n_classes, n_features=n_features, seed=1)[0])
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    assert ours.C_ == C


@CLASSES
@SHAPES
@pytest.mark.parametrize("solver", ["lsqr", "eigen"])
@pytest.mark.parametrize("shrinkage", [0.01, 0.5, 1.0])
def test_lda_is_scikit_learns(n_classes, n_features, solver, shrinkage):
    """Probabilities, too, where they are not scaled; with classes of different sizes."""
    X, y = blobs(n_classes, n_features=n_features)
    X, y = X[10:], y[10:]
    ours = LDA(shrinkage=shrinkage).fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver=solver, shrinkage=shrinkage)
    theirs.fit(X.astype(np.float64), y)
    unseen, _ = blobs(n_classes, n_features=n_features, seed=1)
    assert_equal_models(ours, theirs, unseen)
    ours.temperature_ = 1.0
    np.testing.assert_allclose(ours.predict_proba(unseen), theirs.predict_proba(unseen), atol=1e-5)


def test_weights_of_classes_are_as_repeated_rows():
    """A class of weight 2 counts as if each of its rows were there twice."""
    X, y = blobs(2)
    twice = np.concatenate([np.arange(80), np.flatnonzero(y == "bee")])
    weighted = LDA(shrinkage=0.3, class_weight={"bee": 2.0}).fit(X, y)
    repeated = LDA(shrinkage=0.3).fit(X[twice], y[twice])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-4)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-4)


@BOTH
def test_a_rare_class_is_predicted_more_often_with_balanced_weights(kind):
    """Its recall is higher than without weights."""
    X, y = blobs(2, n_samples=1000, n_features=5)
    unseen, truth = blobs(2, n_samples=1000, n_features=5, seed=1)
    kept = (y == "ant") | (np.arange(1000) % 10 == 0)
    recalls = [
        recall_score(
            truth, kind(class_weight=weight).fit(X[kept], y[kept]).predict(unseen), pos_label="bee"
        )
        for weight in ("balanced", None)
    ]
    assert recalls[0] > recalls[1] + 0.1


@BOTH
@CLASSES
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_rows_on_disk_and_in_memory_give_the_same_model(kind, n_classes, class_weight):
    """The same choice, coefficients, and held-out probabilities."""
    X, y = blobs(n_classes, n_samples=150)
    X, y = X[20:], y[20:]
    model = kind(class_weight=class_weight)
    in_memory = kind(class_weight=class_weight).fit(X, y)
    from_disk = model.fit(on_disk(X), y)
    assert from_disk.best_params_ == in_memory.best_params_
    np.testing.assert_allclose(from_disk.coef_, in_memory.coef_, rtol=1e-6)
    np.testing.assert_allclose(from_disk.held_out_proba_, in_memory.held_out_proba_, atol=1e-6)
    np.testing.assert_array_equal(from_disk.predict_proba(X), in_memory.predict_proba(X))


@BOTH
@CLASSES
def test_fewer_rows_than_features_on_disk(kind, n_classes):
    """In memory the solution is found in the span of the samples; it is the same."""
    X, y = blobs(n_classes, n_features=120)
    in_memory, from_disk = kind().fit(X, y), kind().fit(on_disk(X), y)
    assert from_disk.best_params_ == in_memory.best_params_
    size = np.abs(in_memory.coef_).max()
    np.testing.assert_allclose(from_disk.coef_, in_memory.coef_, atol=1e-6 * size)
    np.testing.assert_allclose(from_disk.held_out_proba_, in_memory.held_out_proba_, atol=1e-6)
    assert from_disk.scale_ == pytest.approx(in_memory.scale_)


@BOTH
def test_every_row_is_read_twice(kind, small_batches):
    """Once for the sums, once for the held-out scores, and never many together.

    The first batch is read once more: from its mean, all sums are taken.
    """
    X, y = blobs(2, n_samples=400)
    watched = on_disk(X)
    kind().fit(watched, y)
    assert watched.batches_read.pop(0) == [*range(25)]
    assert sorted(i for some in watched.batches_read for i in some) == [*np.repeat(range(400), 2)]
    assert max(map(len, watched.batches_read)) == 25
    assert all(before < after for some in watched.batches_read for before, after in pairwise(some))


@BOTH
def test_the_search_in_a_sample_of_the_rows(kind, monkeypatch):
    """With scores of 13 values that exceed the limit; all rows have held-out scores, read once."""
    X, y = blobs(4, n_samples=400)
    everything = kind().fit(X, y)
    monkeypatch.setattr(closed_form, "AT_ONCE", 13 * 4 * 100)
    watched = on_disk(X)
    sampled = kind().fit(watched, y)
    assert sum(map(len, watched.batches_read)) == 800 + len(watched.batches_read[0])
    found = [[point.mean for point in model.search_.points] for model in (sampled, everything)]
    assert found[0] != found[1]
    np.testing.assert_allclose(*found, atol=0.15)
    same = kind(**everything.best_params_).fit(X, y)
    again = kind(**everything.best_params_).fit(on_disk(X), y)
    monkeypatch.setattr(closed_form, "AT_ONCE", 2**24)
    whole = kind(**everything.best_params_).fit(X, y)
    for model in (same, again):
        np.testing.assert_allclose(model.held_out_proba_, whole.held_out_proba_, atol=1e-9)


@BOTH
@CLASSES
@SHAPES
def test_held_out_probabilities_are_by_models_of_the_other_folds(kind, n_classes, n_features):
    """Those of models that are trained on the other folds alone."""
    X, y = blobs(n_classes, n_samples=100, n_features=n_features)
    model = kind().fit(X, y)
    codes = np.searchsorted(model.classes_, y)
    for train, held_out in stratified_folds(codes, 5, 0):
        alone = kind(**model.best_params_).fit(X[train], y[train])
        if kind is RidgeClassifier:  # the penalty is relative to the scale of all rows
            alone = kind(C=model.C_ * (model.scale_ / alone.scale_) ** 2).fit(X[train], y[train])
        alone.temperature_ = model.temperature_
        np.testing.assert_allclose(
            alone.predict_proba(X[held_out]), model.held_out_proba_[held_out], atol=1e-5
        )


@CLASSES
@SHAPES
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_squared_error_from_sums_is_that_of_the_rows(n_classes, n_features, class_weight):
    """Of the held-out decision values; C has the least of it."""
    X, y = blobs(n_classes, n_samples=100, n_features=n_features)
    X, y = X[10:], y[10:]
    model = RidgeClassifier(class_weight=class_weight, C=[0.1, 3.0, 100.0]).fit(X, y)
    codes = np.searchsorted(model.classes_, y)
    targets = 2.0 * np.eye(n_classes)[codes] - 1
    targets = targets[:, 1:] if n_classes == 2 else targets
    weights = model._class_weights(codes)
    errors = []
    for C in (0.1, 3.0, 100.0):
        squares = np.empty(len(y))
        for train, held_out in stratified_folds(codes, 5, 0):
            alpha = 1 / (2 * C * model.scale_**2)
            theirs = TheirRidge(
                alpha=alpha, class_weight=dict(zip(model.classes_, weights, strict=True))
            )
            decided = theirs.fit(X[train].astype(np.float64), y[train]).decision_function(
                X[held_out].astype(np.float64)
            )
            difference = decided.reshape(len(held_out), -1) - targets[held_out]
            squares[held_out] = (difference**2).mean(axis=1)
        errors.append(np.average(squares, weights=weights[codes]))
    np.testing.assert_allclose(model.squared_errors_, errors, rtol=1e-6)
    assert (0.1, 3.0, 100.0)[int(np.argmin(errors))] == model.C_
    assert model.search_.chosen_by == "squared error"


def test_shrinkage_has_the_lowest_held_out_log_loss():
    """Every value of the grid is in the result, the strongest regularisation first."""
    model = LDA().fit(*blobs(4))
    points = model.search_.points
    assert [point.params["shrinkage"] for point in points] == sorted(SHRINKAGES, reverse=True)
    best = min(points, key=lambda point: point.log_loss)
    chosen = next(point for point in points if point.params == model.best_params_)
    assert chosen.log_loss == pytest.approx(best.log_loss, abs=1e-5)
    assert model.search_.chosen_by == "log loss"
    assert model.shrinkage_ == model.cv_results_["param_shrinkage"][points.index(chosen)]


def test_c_is_the_grid_in_ascending_order():
    """As for the other classifiers."""
    found = RidgeClassifier().fit(*blobs(2)).search_
    assert [point.params["C"] for point in found.points] == list(C_GRID)
    assert (found.folds, found.method, found.scoring) == (5, "cross-validation", "accuracy")


@BOTH
@CLASSES
def test_they_are_about_as_good_as_logistic_regression(kind, n_classes):
    """In accuracy and log loss on new samples."""
    X, y = blobs(n_classes, n_samples=300)
    unseen, truth = blobs(n_classes, n_samples=300, seed=1)
    ours, theirs = kind().fit(X, y), LogReg().fit(X, y)
    assert 0.6 < theirs.score(unseen, truth) < 0.99
    assert ours.score(unseen, truth) > theirs.score(unseen, truth) - 0.03
    given = np.searchsorted(ours.classes_, truth)
    losses = [
        -np.log(model.predict_proba(unseen)[np.arange(300), given]).mean()
        for model in (ours, theirs)
    ]
    assert losses[0] < losses[1] + 0.06


@BOTH
def test_groups_stay_together(kind, monkeypatch):
    """Samples of one group are in one fold, whose model does not know them."""
    X, y = blobs(2, n_samples=60)
    groups = np.arange(60) // 3
    seen = []
    real = closed_form._moments_of_folds

    def noting(rows, *args):
        seen.append(rows.fold_of)
        return real(rows, *args)

    monkeypatch.setattr(closed_form, "_moments_of_folds", noting)
    model = kind().fit(X, y, groups=groups)
    (fold_of,) = seen
    assert len(np.unique(fold_of)) == 5
    assert all(len(set(fold_of[groups == group])) == 1 for group in range(20))
    assert model.divided_classes_.tolist() == []


@BOTH
def test_a_class_of_one_group_is_divided(kind):
    """Its name says that its held-out probabilities are optimistic."""
    X, y = blobs(2, n_samples=40)
    model = kind().fit(X, y, groups=np.where(y == "ant", "Tom", np.arange(40).astype(str)))
    assert model.divided_classes_.tolist() == ["ant"]


@BOTH
@pytest.mark.parametrize("n_features", [3, 30], ids=["more samples", "more features"])
def test_identical_rows_are_an_error(kind, n_features):
    """They cannot be distinguished."""
    X = np.full((20, n_features), 0.1, np.float32)
    with pytest.raises(ClassifierError, match="all training images have the same features"):
        kind().fit(X, np.arange(20) % 2)


@BOTH
def test_constant_and_repeated_features_change_nothing(kind):
    """Coefficients of the constant ones are zero, and the predictions stay the same."""
    X, y = blobs(4, n_samples=200)
    more = np.concatenate([X, np.full((200, 3), 7.0, np.float32)], axis=1)
    model = kind().fit(more, y)
    np.testing.assert_allclose(model.coef_[:, 40:], 0, atol=1e-9)
    doubled = kind().fit(np.concatenate([X, X], axis=1), y)
    same = doubled.predict(np.concatenate([X, X], axis=1)) == kind().fit(X, y).predict(X)
    assert same.mean() > 0.97
    np.testing.assert_allclose(doubled.coef_[:, :40], doubled.coef_[:, 40:], rtol=1e-3, atol=1e-6)


@BOTH
def test_rows_that_are_the_same_within_a_class(kind):
    """Two points are told apart, whatever the number of rows at each."""
    X = np.repeat(np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 2.0]], np.float32), [30, 6], axis=0)
    model = kind().fit(X, np.repeat(["a", "b"], [30, 6]))
    assert model.predict(X).tolist() == ["a"] * 30 + ["b"] * 6
    assert np.isfinite(model.held_out_proba_).all()


@BOTH
def test_classes_that_most_folds_do_not_hold_out(kind):
    """Two samples of each of six classes are in two of five folds."""
    X = np.eye(6, 4, dtype=np.float32)[np.arange(12) % 6] + np.arange(12)[:, None] % 6
    model = kind().fit(X, np.arange(12) % 6)
    assert model.held_out_proba_.shape == (12, 6)
    assert np.isfinite(model.coef_).all()


@BOTH
def test_the_seed_decides_the_folds(kind):
    """The same seed gives the same probabilities, another seed others."""
    X, y = blobs(2)
    first, same, other = (kind(random_state=seed).fit(X, y) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.held_out_proba_, same.held_out_proba_)
    assert not np.array_equal(first.held_out_proba_, other.held_out_proba_)


@BOTH
@CLASSES
def test_a_saved_model_predicts_the_same(kind, n_classes, tmp_path):
    """Its file contains only trusted types."""
    X, y = blobs(n_classes)
    model = kind().fit(X, y)
    loaded = persistence.load(tmp_path / persistence.save(model, tmp_path, "model"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.best_params_ == model.best_params_


@BOTH
def test_progress_ends_with_every_stage_complete(kind):
    """Summing, choosing, predicting."""
    seen = {}
    X, y = blobs(2)
    kind().fit(X, y, progress=lambda stage, done, total: seen.update({stage: (done, total)}))
    assert [*seen.values()] == [(80, 80), (5, 5), (80, 80)]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LDA(shrinkage=0), "shrinkage must be a positive number"),
        (LDA(shrinkage=[0.5, 1.1]), "shrinkage must be above 0 and at most 1"),
        (RidgeClassifier(C=-1), "C must be a positive number"),
        (LDA(class_weight={"ant": 0.0}), "weights of the classes must be positive"),
        (RidgeClassifier(folds=1), "at least 2 folds"),
    ],
)
def test_parameters_out_of_range_are_errors(model, words):
    """Each says what was expected."""
    with pytest.raises(ClassifierError, match=words):
        model.fit(*blobs(2))
