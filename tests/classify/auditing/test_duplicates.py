"""Near-duplicates by their whitened embeddings."""

import numpy as np
import pytest

from classify.auditing.duplicates import SAME, same, signatures


@pytest.fixture
def rows():
    """Return embeddings of two kinds of pictures, 4 x 4 x 64, never negative, as a base's are."""
    rng = np.random.default_rng(0)
    common, kinds = rng.random(64) * 5, rng.random((2, 64)) * 3
    rows = rng.gamma(1.0, size=(300, 4, 4, 64)) + common + kinds[np.arange(300) % 2][:, None, None]
    return rows.astype(np.float32)


def test_a_mirrored_copy_with_noise_is_found_and_no_other(rows):
    """The mirror image's embedding is mirrored; its signature is nearly the same."""
    rng = np.random.default_rng(1)
    copies = rows[:20, :, ::-1] + rng.normal(0, 0.05, size=(20, 4, 4, 64))
    marks = signatures(np.concatenate([rows, copies.astype(np.float32)]))
    found = same(marks[300:], marks[20:300])
    assert found == []
    found = same(marks[300:], marks[:300])
    assert sorted((i, j) for i, j, _ in found) == [(i, i) for i in range(20)]
    assert all(0.8 <= cosine <= 1.001 for _, _, cosine in found)
    assert [cosine for *_, cosine in found] == sorted((c for *_, c in found), reverse=True)


def test_signatures_have_norm_one_whatever_the_shape(rows):
    """Pooled embeddings are taken as they are; no direction weighs more than another."""
    for marks in (signatures(rows), signatures(rows.mean((1, 2)))):
        np.testing.assert_allclose(np.linalg.norm(marks, axis=1), 1, atol=1e-5)
        spread = marks.std(axis=0)
        assert spread.max() < 2 * spread.min()


def test_few_images_and_equal_images_are_no_reason_to_fail():
    """Two images, and images without any difference, have signatures of finite numbers."""
    some = np.random.default_rng(0).random((2, 8)).astype(np.float32)
    assert np.isfinite(signatures(some)).all()
    assert np.isfinite(signatures(np.ones((5, 8), np.float32))).all()
    assert same(signatures(some)[:0], signatures(some)) == []


def test_few_images_are_not_taken_for_one_another():
    """A hundred leave twenty directions, in which some point the same way by chance."""
    marks = signatures(np.random.default_rng(0).random((100, 64)).astype(np.float32))
    assert (marks[:50] @ marks[50:].T).max() > SAME
    assert same(marks[:50], marks[50:]) == []
