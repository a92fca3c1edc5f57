"""Rows on disk: how they are read, verified and predicted, and how much memory that takes."""

import json
import math

import numpy as np
import pytest

from cache.errors import CorruptCacheError
from cache.store import Store
from classify import environment
from classify.errors import ClassifierError
from classify.estimators import rows, streamed
from classify.estimators.logreg import LogReg
from classify.estimators.rows import batches, probabilities_of
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from tests.classify.estimators.stored_rows import RECIPE, Watched, blobs, digest, stored
from tests.commands import python

BOTH = pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM])


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 50 rows of 64 features."""
    monkeypatch.setattr(rows, "BATCH_BYTES", 50 * 64 * 4)


@BOTH
def test_rows_on_disk_and_in_memory_give_the_same_model(kind, tmp_path, small_batches):
    """The same model from both, to the last bit."""
    X, y = blobs(2, n_samples=1000)
    in_memory, on_disk = kind().fit(X, y), kind().fit(stored(tmp_path, X), y)
    np.testing.assert_array_equal(in_memory.coef_, on_disk.coef_)
    np.testing.assert_array_equal(in_memory.held_out_proba_, on_disk.held_out_proba_)


@BOTH
def test_all_rows_are_read_in_order_in_every_pass(kind, tmp_path, small_batches, monkeypatch):
    """Beside the passes, only the sample and the held-out rows are read."""
    monkeypatch.setattr(streamed, "SAMPLE_BYTES", (600 * 64 * 4, 600 * 64 * 4))
    X, y = blobs(2, n_samples=1000)
    watched = stored(tmp_path, X, Watched)
    model = kind().fit(watched, y)
    keys = watched.keys
    whole = [keys[start : start + 50] for start in range(0, 1000, 50)]
    read = [some for some in watched.batches_read if some in whole]
    n_rounds = len(read) // len(whole) - model.n_passes_  # held-out rows, here all of them
    assert read == whole * (model.n_passes_ + n_rounds)
    assert 1 <= n_rounds < len(model.search_.points)
    assert len(watched.batches_read) - len(read) == 600 // 50
    assert 2 <= model.n_passes_ <= 25


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
from classify.estimators import streamed
from classify.estimators.streamed import StreamedSVM
from extract.frozen import FrozenBase
from tests.classify.estimators.stored_rows import RECIPE, digest

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

n = 8192
base = FrozenBase(RECIPE, None, Store(pathlib.Path(sys.argv[1])))
rows = RowsOnDisk(base.embeddings, [*map(digest, range(n))])
before = peak()
streamed.SAMPLE_BYTES = 2**24, 2**24
model = StreamedSVM(C=1.0).fit(rows, np.arange(n) >= n // 2)
answers = probabilities_of(model, rows).argmax(axis=1)
right = float((answers == (np.arange(n) >= n // 2)).mean())
print(json.dumps({"rows": rows.nbytes / 2**20, "more": peak() - before, "right": right}))
"""


@pytest.mark.slow
def test_memory_is_bounded_by_a_batch_and_not_by_the_rows(tmp_path):
    """Training on 256 MiB of rows with a sample of 16 MiB takes less than 100 MiB more."""
    store, rng = Store(tmp_path), np.random.default_rng(0)
    for start in range(0, 8192, 1024):
        some = rng.random((1024, 8192), dtype=np.float32) + (start >= 4096) * np.float32(0.1)
        names = [digest(i) for i in range(start, start + 1024)]
        store.append(RECIPE.fingerprint, RECIPE.canonical, names, some)
    done = python("-c", PROGRAM, str(tmp_path), cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 256
    assert found["right"] > 0.99
    assert found["more"] < 100
