"""Near-duplicates by their whitened embeddings."""

import numpy as np
import pytest

from classify.auditing.duplicates import MIN_COSINE, near_duplicates, signatures


@pytest.fixture
def rows():
    """Return embeddings of two kinds of images, 4 x 4 x 64, non-negative like real ones."""
    rng = np.random.default_rng(0)
    common, kinds = rng.random(64) * 5, rng.random((2, 64)) * 3
    rows = rng.gamma(1.0, size=(300, 4, 4, 64)) + common + kinds[np.arange(300) % 2][:, None, None]
    return rows.astype(np.float32)


def test_a_mirrored_copy_with_noise_is_found_and_nothing_else(rows):
    """The mirror image's embedding is mirrored; its signature is nearly the same."""
    rng = np.random.default_rng(1)
    copies = rows[:20, :, ::-1] + rng.normal(0, 0.05, size=(20, 4, 4, 64))
    marks = signatures(np.concatenate([rows, copies.astype(np.float32)]))
    assert near_duplicates(marks[20:]) == []
    pairs = near_duplicates(marks)
    assert sorted((i, j) for i, j, _ in pairs) == [(i, 300 + i) for i in range(20)]
    assert all(0.8 <= cosine <= 1.001 for _, _, cosine in pairs)
    assert [cosine for *_, cosine in pairs] == sorted((c for *_, c in pairs), reverse=True)


def test_signatures_have_unit_norm_whatever_the_shape(rows):
    """Pooled embeddings are used as they are; every direction counts the same."""
    for marks in (signatures(rows), signatures(rows.mean((1, 2)))):
        np.testing.assert_allclose(np.linalg.norm(marks, axis=1), 1, atol=1e-5)
        spread = marks.std(axis=0)
        assert spread.max() < 2 * spread.min()


@pytest.mark.filterwarnings("error")
def test_features_that_are_always_zero_hide_no_copy(rows):
    """Networks have such features; whitening would divide by their variance."""
    rows = rows.mean((1, 2))
    rows[:, 5:] = 0
    marks = signatures(np.concatenate([rows, rows[:3] * np.float32(1.0001)]))
    assert marks.shape[1] == 5
    most_similar = {(i, j) for i, j, _ in near_duplicates(marks)[:3]}
    assert most_similar == {(0, 300), (1, 301), (2, 302)}


def test_few_images_and_equal_images_have_signatures():
    """All numbers are finite."""
    some = np.random.default_rng(0).random((2, 8)).astype(np.float32)
    assert np.isfinite(signatures(some)).all()
    assert np.isfinite(signatures(np.ones((5, 8), np.float32))).all()
    assert near_duplicates(signatures(some)[:1]) == near_duplicates(signatures(some)[:0]) == []


def test_few_images_are_not_near_duplicates_by_chance():
    """A hundred images leave twenty directions, in which some cosines are large by chance."""
    marks = signatures(np.random.default_rng(0).random((100, 64)).astype(np.float32))
    assert (marks[:50] @ marks[50:].T).max() > MIN_COSINE
    assert near_duplicates(marks) == []
