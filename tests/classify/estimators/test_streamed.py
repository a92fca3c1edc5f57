"""Training in one pass over rows that stay on disk."""

import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.metrics import recall_score

from cache.errors import CorruptCacheError
from cache.store import Store
from classify import environment, persistence
from classify.errors import ClassifierError
from classify.estimators import rows
from classify.estimators.logreg import LogReg
from classify.estimators.rows import RowsOnDisk, batches, probabilities_of
from classify.estimators.streamed import ALPHA_GRID, StreamedLogReg, StreamedSVM
from classify.estimators.svm import SVM
from extract.frozen import FrozenBase
from extract.recipe import Recipe
from tests.commands import ROOT

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", pooling="avg")
BOTH = pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM])


def blobs(n_classes, n_samples=2000, n_features=64, noise=0.8, seed=0):
    """Return overlapping classes of positive features, sorted by class as on disk."""
    y = np.sort(np.arange(n_samples) % n_classes)
    centres = np.random.default_rng(5).random((n_classes, n_features))
    noises = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    X = 20 * np.maximum(centres[y] + noise * noises, 0)
    return X.astype(np.float32), np.array(["ant", "bee", "cow", "dog"])[y]


def digest(i):
    return hashlib.sha256(b"%d" % i).hexdigest()


def stored(folder, X, kind=RowsOnDisk):
    """Commit rows to a store, 64 in a shard, and return them as they lie there."""
    base = FrozenBase(RECIPE, None, Store(folder))
    names = [digest(i) for i in range(len(X))]
    for start in range(0, len(X), 64):
        some = slice(start, start + 64)
        base.store.append(RECIPE.fingerprint, RECIPE.canonical, names[some], X[some])
    return kind(base.embeddings, names)


@dataclass(frozen=True)
class Watched(RowsOnDisk):
    """Rows on disk that note which of them were read, and how many together."""

    batches_read: list = field(default_factory=list)

    def __getitem__(self, positions):
        self.batches_read.append(list(positions))
        return super().__getitem__(positions)


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 50 rows of 64 features."""
    monkeypatch.setattr(rows, "BATCH_BYTES", 50 * 64 * 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("error:.*sklearn.utils.parallel")
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    ("kind", "in_memory"),
    [(StreamedLogReg, LogReg(C=[0.1, 1, 10])), (StreamedSVM, SVM(C=[0.1, 1], kernel="linear"))],
)
def test_it_is_about_as_accurate_as_training_in_memory(
    kind, in_memory, n_classes, tmp_path, small_batches
):
    """Accuracy and log loss are close, although the rows are sorted by class."""
    X, y = blobs(n_classes)
    unseen, truth = blobs(n_classes, seed=1)
    ours, theirs = kind().fit(stored(tmp_path, X), y), in_memory.fit(X, y)
    assert 0.9 < theirs.score(unseen, truth) < 0.995
    assert ours.score(unseen, truth) > theirs.score(unseen, truth) - 0.015
    given = np.searchsorted(ours.classes_, truth)
    losses = [
        -np.log(model.predict_proba(unseen)[np.arange(len(given)), given]).mean()
        for model in (ours, theirs)
    ]
    assert losses[0] < losses[1] + 0.04


@BOTH
def test_rows_on_disk_and_in_memory_give_the_same_model(kind, tmp_path, small_batches):
    """The same model from both; shuffled rows give an equally good one."""
    X, y = blobs(2, n_samples=1000)
    unseen, truth = blobs(2, seed=1)
    shuffled = np.random.default_rng(0).permutation(len(y))
    in_memory, on_disk = kind().fit(X, y), kind().fit(stored(tmp_path, X), y)
    np.testing.assert_array_equal(in_memory.coef_, on_disk.coef_)
    other = kind().fit(X[shuffled], y[shuffled])
    assert abs(other.score(unseen, truth) - on_disk.score(unseen, truth)) < 0.01


@BOTH
def test_rows_are_read_in_random_order(kind, tmp_path, small_batches):
    """Every training batch has both classes, although the rows are sorted by class."""
    X, y = blobs(2)
    watched = stored(tmp_path, X, Watched)
    model = kind().fit(watched, y)
    n_training = math.ceil((len(y) - len(model.held_out_)) / 50)
    training = watched.batches_read[:n_training]
    assert len(training) == n_training > 1
    assert all(len(set(y[some])) == 2 for some in training)
    assert all(len(some) <= 50 for some in watched.batches_read)


@BOTH
def test_every_row_is_read_once(kind, tmp_path, small_batches):
    """Training rows and held-out rows, whatever the number of alphas."""
    X, y = blobs(2, n_samples=400)
    watched = stored(tmp_path, X, Watched)
    kind().fit(watched, y)
    assert sorted(i for some in watched.batches_read for i in some) == list(range(400))


@BOTH
def test_held_out_rows_are_not_trained_on(kind):
    """Other values in them do not change the coefficients."""
    X, y = blobs(2, n_samples=400)
    first = kind(alpha=1e-4).fit(X, y)
    assert sorted(y[first.held_out_].tolist()) == 20 * ["ant"] + 20 * ["bee"]
    X[first.held_out_] = 7.0
    second = kind(alpha=1e-4).fit(X, y)
    np.testing.assert_array_equal(first.coef_, second.coef_)
    assert not np.allclose(first.held_out_proba_, second.held_out_proba_)


def test_the_number_of_held_out_rows_is_limited(monkeypatch):
    """A share of few rows, a number of many; at least one of every class."""
    monkeypatch.setattr("classify.estimators.streamed.MAX_HELD_OUT", 50)
    X, y = blobs(2, n_samples=1010)
    kept = (y == "ant") | (np.arange(1010) >= 1000)
    model = StreamedLogReg().fit(X[kept], y[kept])
    assert np.unique(y[kept][model.held_out_], return_counts=True)[1].tolist() == [49, 1]


@BOTH
def test_alpha_has_the_lowest_log_loss_on_the_held_out_rows(kind):
    """The result of the search has every alpha."""
    model = kind().fit(*blobs(2, n_samples=600))
    search = model.search_
    assert [point.params["alpha"] for point in search.points] == list(ALPHA_GRID)
    assert (search.folds, search.chosen) == (1, {"alpha": model.alpha_})
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


@pytest.mark.parametrize("alpha", [0, -1.0, [], [1e-3, math.inf]])
def test_alpha_out_of_range_is_an_error(alpha):
    """It must be positive and finite."""
    with pytest.raises(ClassifierError, match="alpha must be a positive number"):
        StreamedSVM(alpha=alpha).fit(*blobs(2, n_samples=40))


def test_a_class_with_one_image_is_an_error(tmp_path):
    """One is held out, and one is trained on."""
    with pytest.raises(ClassifierError, match="too few training images in: b"):
        StreamedLogReg().fit(stored(tmp_path, np.eye(4, dtype=np.float32)), ["a", "a", "a", "b"])


def test_a_row_that_is_not_what_was_committed_is_not_trained_on(tmp_path):
    """Every row is compared with its checksum when it is read."""
    X, y = blobs(2, n_samples=200)
    on_disk = stored(tmp_path, X)
    shard = min((tmp_path / "shards").glob("*.npy"))
    content = bytearray(shard.read_bytes())
    content[-7] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(content)
    with pytest.raises(CorruptCacheError, match="differs from what was committed"):
        StreamedLogReg().fit(on_disk, y)


def test_rows_on_disk_are_predicted_in_batches(tmp_path, small_batches):
    """The probabilities are those of all rows at once; a batch is read at a time."""
    X, y = blobs(3, n_samples=130)
    watched = stored(tmp_path, X, Watched)
    model = LogReg(C=1.0).fit(X, y)
    found = probabilities_of(model, watched)
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-6)
    assert [len(some) for some in watched.batches_read] == [50, 50, 30]


def test_a_row_larger_than_a_batch_is_a_batch(monkeypatch):
    """A batch has at least one row."""
    monkeypatch.setattr(rows, "BATCH_BYTES", 1)
    found = batches(np.ones((3, 4), np.float32), np.array([2, 0]))
    assert [some.tolist() for some, _ in found] == [[2], [0]]


@pytest.mark.parametrize(("gib", "limit"), [(16.0, 8 * 2**30), (None, math.inf)])
def test_half_of_the_memory_is_the_limit(gib, limit, monkeypatch):
    """And there is none where the system cannot say how much there is."""
    monkeypatch.setattr(environment, "memory_gib", lambda: gib)
    assert environment.memory_limit() == limit


PROGRAM = """
import json, pathlib, resource, sys
import numpy as np
from cache.store import Store
from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.estimators.streamed import StreamedSVM
from extract.frozen import FrozenBase
from tests.classify.estimators.test_streamed import RECIPE, digest

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

n = 8192
base = FrozenBase(RECIPE, None, Store(pathlib.Path(sys.argv[1])))
rows = RowsOnDisk(base.embeddings, [*map(digest, range(n))])
before = peak()
model = StreamedSVM(alpha=1e-4).fit(rows, np.arange(n) >= n // 2)
answers = probabilities_of(model, rows).argmax(axis=1)
right = float((answers == (np.arange(n) >= n // 2)).mean())
print(json.dumps({"rows": rows.nbytes / 2**20, "more": peak() - before, "right": right}))
"""


@pytest.mark.slow
def test_memory_is_bounded_by_a_batch_and_not_by_the_rows(tmp_path):
    """Training on 256 MiB of rows and evaluating them all takes less than 100 MiB more."""
    store, rng = Store(tmp_path), np.random.default_rng(0)
    for start in range(0, 8192, 1024):
        some = rng.random((1024, 8192), dtype=np.float32) + (start >= 4096) * np.float32(0.1)
        names = [digest(i) for i in range(start, start + 1024)]
        store.append(RECIPE.fingerprint, RECIPE.canonical, names, some)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'classify'}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 256
    assert found["right"] > 0.99
    assert found["more"] < 100
