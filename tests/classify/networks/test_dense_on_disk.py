"""The dense head on rows that stay on disk."""

import json

import numpy as np
import pytest
from sklearn.metrics import recall_score

from cache.errors import CorruptCacheError
from cache.store import Store
from classify import persistence
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.networks import feeding
from classify.networks.dense import DenseHead
from classify.networks.feeding import DiskBatches, shuffled_blocks
from tests.classify.estimators.grouped import near_copies
from tests.classify.estimators.stored_rows import RECIPE, blobs, digest, stored
from tests.commands import python


@pytest.fixture
def small_buffer(monkeypatch):
    """Shuffle 512 rows of 64 numbers together, in blocks of 2."""
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 2 * 64 * 4)
    monkeypatch.setattr(feeding, "BUFFER_BYTES", 512 * 64 * 4)


def in_memory(X):
    """Return rows that are read from an array."""
    return RowsOnDisk(lambda keys: X[[int(key) for key in keys]], [str(i) for i in range(len(X))])


@pytest.mark.parametrize(
    ("n_samples", "block", "buffer"), [(1000, 4, 128), (999, 7, 50), (5, 8, 64)]
)
def test_an_order_has_every_row_once(n_samples, block, buffer):
    """Also where neither the blocks nor the buffers come out even."""
    order = shuffled_blocks(n_samples, block, buffer, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(order), np.arange(n_samples))


def test_every_part_of_an_order_is_from_all_of_the_rows():
    """With rows in the order of their classes, every buffer has about as many of each."""
    codes = np.arange(20_000) // 2000
    order = shuffled_blocks(20_000, 8, 4000, np.random.default_rng(0))
    for part in np.split(codes[order], 5):
        assert np.bincount(part, minlength=10).min() > 200
        batches = part[: 32 * 125].reshape(-1, 32)
        assert np.mean([len(set(batch)) for batch in batches]) > 9


def test_a_buffer_is_read_in_blocks_in_the_order_of_the_disk(small_buffer):
    """Batches then take its rows at random, with their classes."""
    X = np.arange(4096, dtype=np.float32).repeat(64).reshape(4096, 64)
    read = []

    def reading(keys):
        read.append([int(key) for key in keys])
        return X[read[-1]]

    rows = RowsOnDisk(reading, [str(i) for i in range(4096)], 64)
    found = DiskBatches(rows, np.arange(4096) % 7, batch_size=32, seed=0)
    epochs = []
    for _ in range(2):
        batches = list(found)
        assert len(batches) == len(found)
        epochs.append(np.concatenate([batch[:, 0] for batch, _ in batches]).astype(int))
        np.testing.assert_array_equal(
            epochs[-1] % 7, np.concatenate([codes for _, codes in batches])
        )
    assert [len(keys) for keys in read] == [512] * 16
    for keys in read:
        assert keys == sorted(keys)
        assert [b - a for a, b in zip(keys[::2], keys[1::2], strict=True)] == [1] * 256
    for order in epochs:
        np.testing.assert_array_equal(np.sort(order), np.arange(4096))
    assert (epochs[0] == epochs[1]).mean() < 0.01


def test_without_a_seed_rows_are_in_order():
    """As the validation and the prediction need them, in every epoch."""
    X = np.arange(100, dtype=np.float32)[:, np.newaxis]
    found = DiskBatches(in_memory(X), np.arange(100), batch_size=32)
    for _ in range(2):
        read = np.concatenate([rows for rows, _ in found])
        np.testing.assert_array_equal(read, X)


def test_features_that_are_all_zero_are_an_error():
    """As in memory, before anything is trained."""
    with pytest.raises(ClassifierError, match="mean squared norm is 0"):
        DenseHead().fit(in_memory(np.zeros((20, 3), np.float32)), [0, 1] * 10)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 10])
def test_it_is_as_accurate_as_in_memory(n_classes, tmp_path, small_buffer):
    """On overlapping classes, sorted on disk, of which a sixth at a time is shuffled."""
    X, y = blobs(n_classes, n_samples=4000, noise=1.5)
    unseen, truth = blobs(n_classes, noise=1.5, seed=1)
    on_disk, of_memory = (
        [DenseHead(random_state=seed).fit(rows, y) for seed in range(2)]
        for rows in (stored(tmp_path, X), X)
    )
    found, expected = (
        np.mean([head.score(unseen, truth) for head in heads]) for heads in (on_disk, of_memory)
    )
    assert 1.2 / n_classes < expected < 0.99
    assert found == pytest.approx(expected, abs=0.015)
    head, other = on_disk[0], of_memory[0]
    np.testing.assert_array_equal(head.held_out_, other.held_out_)
    assert head.n_passes_ == 1 + 5 + head.epochs_
    losses = [
        -np.log(
            one.held_out_proba_[
                np.arange(len(one.held_out_)), np.unique(y, return_inverse=True)[1][one.held_out_]
            ]
        ).mean()
        for one in (head, other)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


@pytest.mark.slow
def test_the_seed_decides_everything(tmp_path, small_buffer):
    """The same seed gives the same model, another seed another."""
    X, y = blobs(3, n_samples=1500)
    on_disk = stored(tmp_path, X)
    first, same, other = (
        DenseHead(epochs=2, random_state=seed).fit(on_disk, y) for seed in (1, 1, 2)
    )
    for one, two in zip(first.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(first.held_out_proba_, same.held_out_proba_)
    assert not np.array_equal(first.weights_[0], other.weights_[0])


@pytest.mark.slow
def test_whole_groups_are_held_out(tmp_path):
    """The same ones as in memory, so that copies do not make the validation look better."""
    X, y, groups = near_copies()
    found, expected = (
        DenseHead(epochs=2).fit(rows, y, groups=groups) for rows in (stored(tmp_path, X), X)
    )
    np.testing.assert_array_equal(found.held_out_, expected.held_out_)
    trained_on = np.delete(groups, found.held_out_)
    assert not np.intersect1d(groups[found.held_out_], trained_on).size
    accuracy = (found.held_out_proba_.argmax(axis=1) == (y[found.held_out_] == "b")).mean()
    assert accuracy < 0.8


@pytest.mark.slow
def test_a_rare_class_is_predicted_more_often_with_balanced_weights(tmp_path, small_buffer):
    """Its recall is higher than without weights."""
    X, y = blobs(2, n_samples=4000, noise=2.5)
    unseen, truth = blobs(2, noise=2.5, seed=1)
    kept = (y == "ant") | (np.arange(4000) % 20 == 0)
    on_disk = stored(tmp_path, X[kept])
    recalls = [
        recall_score(
            truth,
            DenseHead(class_weight=weight).fit(on_disk, y[kept]).predict(unseen),
            pos_label="bee",
        )
        for weight in ("balanced", None)
    ]
    assert recalls[0] > recalls[1] + 0.1


@pytest.mark.slow
def test_a_choice_that_is_stopped_keeps_the_rates_that_are_finished(tmp_path, small_buffer):
    """A new network with them trains the others, and comes to the same."""
    X, y = blobs(2, n_samples=1000)
    on_disk, rates = stored(tmp_path, X), [1e-3, 1e-2, 1e-1]

    def stop(stage, done, total):
        if "choosing" in stage and done == 2 * total // 3 + 1:
            raise KeyboardInterrupt

    stopped = DenseHead(epochs=2, learning_rate=rates)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(on_disk, y, progress=stop)
    assert [rate.learning_rate for rate in stopped.finished_rates] == rates[:2]
    resumed, whole = (DenseHead(epochs=2, learning_rate=rates) for _ in range(2))
    resumed.finished_rates = stopped.finished_rates
    for head in (resumed, whole):
        head.fit(on_disk, y)
    assert resumed.sweep_ == whole.sweep_
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


@pytest.mark.slow
def test_a_row_that_is_not_what_was_committed_is_not_trained_on(tmp_path):
    """The error is the cache's, and not one of TensorFlow's, also after the first pass."""
    X, y = blobs(2, n_samples=200)
    on_disk = stored(tmp_path, X)

    def damage(stage, done, total):
        if "choosing" in stage and done == 1:
            for shard in (tmp_path / "shards").glob("*.npy"):
                content = bytearray(shard.read_bytes())
                content[-7] ^= 1
                shard.chmod(0o644)
                shard.write_bytes(content)

    with pytest.raises(CorruptCacheError, match="differs from what was committed"):
        DenseHead().fit(on_disk, y, progress=damage)


@pytest.mark.slow
def test_a_saved_model_predicts_the_same(tmp_path):
    """From an array, and in batches from disk."""
    X, y = blobs(3, n_samples=300)
    on_disk = stored(tmp_path / "cache", X)
    head = DenseHead(epochs=1).fit(on_disk, y)
    loaded = persistence.load(tmp_path / persistence.save(head, tmp_path, "dense"))
    np.testing.assert_array_equal(loaded.predict_proba(X), head.predict_proba(X))
    np.testing.assert_array_equal(probabilities_of(loaded, on_disk), head.predict_proba(X))


PROGRAM = """
import json, pathlib, resource, sys
import numpy as np
from cache.store import Store
from classify.estimators.rows import RowsOnDisk, probabilities_of
from classify.networks import feeding
from classify.networks.dense import DenseHead
from extract.frozen import FrozenBase
from tests.classify.estimators.stored_rows import RECIPE, digest

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

n, folder = int(sys.argv[2]), pathlib.Path(sys.argv[1])
feeding.BUFFER_BYTES = 2**24
base = FrozenBase(RECIPE, None, Store(folder))
rows = RowsOnDisk(base.embeddings, [*map(digest, range(n))])
y = np.arange(n) * 8 // n % 2
few = RowsOnDisk(base.embeddings, [*map(digest, range(0, n, n // 512))])
DenseHead(epochs=1).fit(few, y[:: n // 512])  # what TensorFlow itself needs
before = peak()
model = DenseHead(epochs=1).fit(rows, y)
right = float((probabilities_of(model, rows).argmax(axis=1) == y).mean())
print(json.dumps({"rows": rows.nbytes / 2**20, "more": peak() - before, "right": right}))
"""


@pytest.mark.slow
def test_memory_is_bounded_by_the_buffer_and_not_by_the_rows(tmp_path):
    """Training on 256 MiB of rows with a buffer of 16 MiB takes less than 110 MiB more."""
    n = 65_536
    store, rng = Store(tmp_path), np.random.default_rng(0)
    for start in range(0, n, 8192):
        some = rng.random((8192, 1024), dtype=np.float32)
        some[:, :512] += np.float32(0.2) * (start // 8192 % 2)
        names = [digest(i) for i in range(start, start + 8192)]
        store.append(RECIPE.fingerprint, RECIPE.canonical, names, some)
    done = python("-c", PROGRAM, str(tmp_path), str(n), cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 256
    assert found["right"] > 0.99
    assert found["more"] < 110
