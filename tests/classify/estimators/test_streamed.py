"""Training on rows that stay on disk, to the optimum that it would reach in memory."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import recall_score

from classify import persistence
from classify.errors import ClassifierError
from classify.estimators import rows, streamed
from classify.estimators.lda import LDA
from classify.estimators.logreg import LogReg
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.search import C_GRID
from classify.estimators.solvers import passes
from classify.estimators.solvers.steps import InMemory
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from tests.classify.estimators.stored_rows import blobs

BOTH = pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM])


@pytest.fixture
def small_sample(monkeypatch):
    """Keep a sample of 600 rows of 64 features in memory."""
    monkeypatch.setattr(streamed, "SAMPLE_BYTES", (600 * 64 * 4, 600 * 64 * 4))


@pytest.mark.parametrize(
    ("n_classes", "n_samples", "n_drawn"),
    [
        (2, 3000, 600),
        (4, 3000, 600),
        pytest.param(10, 3000, 600, marks=pytest.mark.slow),
        pytest.param(100, 8000, 4096, marks=pytest.mark.slow),
    ],
)
def test_logistic_regression_is_the_one_in_memory(n_classes, n_samples, n_drawn, monkeypatch):
    """The same C, the same predictions, the same probabilities, from a sample of a part."""
    monkeypatch.setattr(streamed, "SAMPLE_BYTES", (n_drawn * 64 * 4, n_drawn * 64 * 4))
    X, y = blobs(n_classes, n_samples=n_samples)
    unseen, truth = blobs(n_classes, seed=1)
    ours, theirs = StreamedLogReg().fit(X, y), LogReg().fit(X, y)
    assert ours.C_ == theirs.C_
    assert (ours.predict(unseen) == theirs.predict(unseen)).mean() >= 0.999
    given = np.searchsorted(ours.classes_, truth)
    losses = [
        -np.log(model.predict_proba(unseen)[np.arange(len(given)), given]).mean()
        for model in (ours, theirs)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    searched = {point.params["C"]: point.log_loss for point in theirs.search_.points}
    for point in ours.search_.points:
        if abs(np.log10(point.params["C"] / ours.C_)) < 1:  # farther ones need not converge
            assert point.log_loss == pytest.approx(searched[point.params["C"]], abs=2e-3)
    assert ours.n_passes_ <= 25


@BOTH
def test_the_search_begins_with_a_part_of_a_large_sample(kind, monkeypatch):
    """It finds the same model in as many passes, and few rows are trained on for every C."""
    X, y = blobs(2)
    sizes, real = [], InMemory.trained

    def noting(part, *arguments):
        sizes.append(len(part.fold_of))
        return real(part, *arguments)

    monkeypatch.setattr(InMemory, "trained", noting)
    steps = []
    here = kind().fit(X, y, progress=lambda *step: steps.append(step))
    n_values = max(done for stage, done, _ in steps if stage.endswith("on a sample"))
    assert sizes == [len(X)] * 5 * n_values  # a sample that is not large is trained on once
    sizes.clear()
    monkeypatch.setattr(passes, "ROWS_TO_BEGIN", (8, 100))
    there = kind().fit(X, y)
    assert set(sizes) == {len(X), len(X[::3])}
    assert sizes.count(len(X)) == 10  # five folds of two values of C
    assert there.best_params_ == here.best_params_
    assert there.n_passes_ <= here.n_passes_ + 1
    np.testing.assert_allclose(there.coef_, here.coef_, atol=1e-3 * np.abs(here.coef_).max())


@pytest.mark.slow
def test_a_sample_that_is_far_too_small_is_no_disaster(small_sample):
    """With six rows of each of 100 classes in memory, 25 passes lead near the optimum."""
    X, y = blobs(100, n_samples=3000)
    unseen, truth = blobs(100, seed=1)
    with pytest.warns(ConvergenceWarning, match="a smaller C converges sooner"):
        ours = StreamedLogReg().fit(X, y)
    assert ours.score(unseen, truth) > LogReg().fit(X, y).score(unseen, truth) - 0.02


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("n_classes", [2, 4])
@BOTH
def test_the_objective_is_at_its_minimum(kind, n_classes, weight, small_sample):
    """Compared with scipy's L-BFGS on all rows in float64."""
    X, y = blobs(n_classes)
    X, y = X[300:], y[300:]  # the classes have different sizes
    model = kind(C=1.0, class_weight=weight).fit(X, y)
    Z = model.scale_ * (X - X.mean(axis=0, dtype=np.float64))
    codes = np.searchsorted(model.classes_, y)
    counts = np.bincount(codes)
    weights = (len(y) / len(counts) / counts if weight else np.ones(len(counts)))[codes]
    loss = log_loss if kind is StreamedLogReg else squared_hinge

    def objective(flat):
        coef = flat.reshape(Z.shape[1] + 1, -1)
        return weights @ loss(Z @ coef[:-1] + coef[-1], codes) + (coef[:-1] ** 2).sum() / 2

    def gradient(flat):
        steps = 1e-5 * np.eye(len(flat))
        return np.array([(objective(flat + h) - objective(flat - h)) / 2e-5 for h in steps])

    intercept = model.intercept_ + model.coef_ @ X.mean(axis=0, dtype=np.float64)
    found = np.vstack([model.coef_.T / model.scale_, intercept]).ravel()
    best = scipy.optimize.minimize(objective, found, jac=gradient, options={"maxiter": 20})
    assert objective(found) <= best.fun * (1 + 1e-5)


def log_loss(scores, codes):
    """Return the log loss of every row, from its definition."""
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    return scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(codes)), codes]


def squared_hinge(scores, codes):
    """Return the squared hinge loss of every row, from its definition."""
    classes = np.arange(scores.shape[1]) if scores.shape[1] > 1 else [1]
    targets = np.where(codes[:, None] == classes, 1, -1)
    return (np.maximum(1 - targets * scores, 0) ** 2).sum(axis=1)


@pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM, RidgeClassifier, LDA])
def test_parts_of_the_rows_add_up(kind, small_sample, monkeypatch):
    """A pass in many parts, as a cluster takes them, gives the sums of a pass in one."""
    X, y = blobs(3, n_samples=1000)
    whole = kind().fit(X, y)
    monkeypatch.setattr(rows, "PART_ROWS", (90, 90))
    in_parts = kind().fit(X, y)
    assert in_parts.best_params_ == whole.best_params_
    assert in_parts.n_passes_ == whole.n_passes_
    size = np.abs(whole.coef_).max()
    np.testing.assert_allclose(in_parts.coef_, whole.coef_, atol=1e-5 * size)
    np.testing.assert_allclose(in_parts.held_out_proba_, whole.held_out_proba_, atol=1e-5)


@BOTH
def test_a_fold_does_not_know_its_rows(kind, small_sample):
    """Where labels mean nothing, the held-out probabilities say so."""
    X, y = blobs(2, n_samples=1500)
    y = np.random.default_rng(0).permutation(y)
    model = kind(C=[1.0, 10.0]).fit(X, y)
    given = np.searchsorted(model.classes_, y[model.held_out_])
    chances = model.held_out_proba_[np.arange(len(given)), given]
    assert -np.log(chances).mean() > 0.68
    assert 0.4 < (chances > 0.5).mean() < 0.6


@BOTH
def test_the_sample_does_not_matter(kind, monkeypatch):
    """However many rows it has, the model is the same."""
    X, y = blobs(3)
    models = []
    for n_rows in (1000, 2000):
        monkeypatch.setattr(streamed, "SAMPLE_BYTES", (n_rows * 64 * 4, n_rows * 64 * 4))
        models.append(kind(C=1.0).fit(X, y))
    first, second = (model.coef_ for model in models)
    assert np.linalg.norm(first - second) < 1e-3 * np.linalg.norm(second)


def test_few_of_many_rows_judge_the_search(monkeypatch):
    """And they come from all folds."""
    monkeypatch.setattr(streamed, "MAX_HELD_OUT", 100)
    model = StreamedLogReg(C=1.0).fit(*blobs(2))
    assert len(set(model.held_out_.tolist())) == len(model.held_out_proba_) == 100
    assert min(model.held_out_) < 200
    assert max(model.held_out_) > 1800


def test_training_that_does_not_converge_is_a_warning(monkeypatch, small_sample):
    """With what helps."""
    monkeypatch.setattr(streamed, "MAX_PASSES", 1)
    monkeypatch.setattr(streamed, "MAX_SEARCH_PASSES", 1)
    with pytest.warns(ConvergenceWarning, match="after 2 passes.*a smaller C converges sooner"):
        StreamedLogReg(C=100.0).fit(*blobs(2))


@BOTH
def test_the_chosen_c_has_the_lowest_log_loss(kind):
    """Its neighbours are in the result of the search, too."""
    model = kind().fit(*blobs(2, n_samples=600))
    search = model.search_
    assert (search.folds, search.chosen, search.method) == (5, {"C": model.C_}, "cross-validation")
    tried = [point.params["C"] for point in search.points]
    position = C_GRID.index(model.C_)
    assert set(C_GRID[max(0, position - 1) : position + 2]) <= set(tried)
    least = min(point.log_loss for point in search.points)
    chosen = next(point for point in search.points if point.params == search.chosen)
    assert chosen.log_loss == pytest.approx(least, abs=1e-5)


@BOTH
def test_a_rare_class_is_predicted_more_often_with_balanced_weights(kind):
    """Its recall is higher than without weights."""
    X, y = blobs(2, n_samples=4000, noise=2.5)
    unseen, truth = blobs(2, noise=2.5, seed=1)
    kept = (y == "ant") | (np.arange(4000) % 20 == 0)
    recalls = [
        recall_score(
            truth,
            kind(class_weight=weight).fit(X[kept], y[kept]).predict(unseen),
            pos_label="bee",
        )
        for weight in ("balanced", None)
    ]
    assert recalls[0] > recalls[1] + 0.1


@BOTH
def test_a_very_rare_class_does_not_disturb_the_training(kind):
    """With 20 images of one class among 20,000, it is as accurate as training in memory."""
    X, y = blobs(2, n_samples=40_000, noise=1.2)
    unseen, truth = blobs(2, noise=1.2, seed=1)
    kept = (y == "ant") | (np.arange(40_000) % 1000 == 0)
    in_memory = LogReg(C=[0.1, 1, 10]).fit(X[kept], y[kept])
    found = kind().fit(X[kept], y[kept])
    assert found.score(unseen, truth) > in_memory.score(unseen, truth) - 0.05


@BOTH
def test_the_seed_decides_everything(kind):
    """The same seed gives the same model, another seed another."""
    X, y = blobs(3, n_samples=300)
    first, same, other = (kind(random_state=seed).fit(X, y) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.coef_, same.coef_)
    np.testing.assert_array_equal(first.held_out_, same.held_out_)
    assert first.search_ == same.search_
    assert not np.array_equal(first.coef_, other.coef_)


@pytest.mark.parametrize("n_classes", [2, 3])
@BOTH
def test_a_saved_model_predicts_the_same(kind, n_classes, tmp_path):
    """Its file contains only trusted types."""
    X, y = blobs(n_classes, n_samples=300)
    model = kind().fit(X, y)
    loaded = persistence.load(tmp_path / persistence.save(model, tmp_path, "logreg"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("C", [0, -1.0, [], [1e-3, math.inf]])
def test_a_c_out_of_range_is_an_error(C):
    """It must be positive and finite."""
    with pytest.raises(ClassifierError, match="C must be a positive number"):
        StreamedSVM(C=C).fit(*blobs(2, n_samples=40))
