"""Neighbours and map position of a new image, from a real cache with known rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cache import Store
from classify.serving.similar import SimilarImages
from extract.backbones.weights import Weights
from extract.frozen import FrozenBase
from extract.recipe import Recipe
from reports.records import EmbeddingMap, MapPoint, PictureRecord

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", size=48)


def picture(i: int, split: str = "train") -> PictureRecord:
    return PictureRecord(f"{split}/{i}.png", "ab"[i % 2], split, f"{i:064x}")


@pytest.fixture
def base(tmp_path: Path) -> FrozenBase:
    """Return a base whose cache holds images 0 to 7, each along an axis of its own."""
    base = FrozenBase(RECIPE, Weights("none", "0" * 64, None, None), Store(tmp_path))
    rows = np.zeros((8, 2, 2, 8), np.float32)
    for i in range(8):
        rows[i, :, :, i] = 1 + i
    digests = [picture(i).sha256 for i in range(8)]
    base.store.append(RECIPE.fingerprint, RECIPE.canonical, digests, rows)
    return base


def embedding(*weights: float) -> np.ndarray:
    """Return the embedding of an image that mixes these axes."""
    return np.broadcast_to(np.array([*weights, *[0] * (8 - len(weights))], np.float32), (2, 2, 8))


def test_the_most_similar_training_images_are_found(base: FrozenBase) -> None:
    """In order, with the cosine; images of the test split are left out."""
    pictures = [picture(i, "test" if i == 0 else "train") for i in range(8)]
    neighbours = SimilarImages(base, pictures).nearest(embedding(9, 4, 3), n=2)
    assert [near.picture for near in neighbours] == [pictures[1], pictures[2]]
    length = np.sqrt(81 + 16 + 9)
    assert [near.similarity for near in neighbours] == pytest.approx([4 / length, 3 / length])


def test_images_without_an_embedding_are_left_out_with_a_warning(
    base: FrozenBase, notes: pytest.LogCaptureFixture
) -> None:
    """The others are still found; if there are none, there are no neighbours."""
    pictures = [picture(i) for i in (0, 1, 80, 90)]
    similar = SimilarImages(base, pictures)
    assert [p.sha256 for p in similar.training] == [picture(0).sha256, picture(1).sha256]
    assert "2 of 4 training images have no embedding" in notes.text
    assert len(similar.nearest(embedding(1))) == 2
    assert SimilarImages(base, [picture(80)]).nearest(embedding(1)) == []


def test_an_image_lies_between_the_most_similar_ones(base: FrozenBase) -> None:
    """At the position of an equal one, and nearer to the more similar of two."""
    pictures = [picture(i) for i in range(2)]
    points = [MapPoint(pictures[0].path, "train", "a", 0.0, 0.2),
              MapPoint(pictures[1].path, "train", "b", 1.0, 0.2)]  # fmt: skip
    similar = SimilarImages(base, pictures, EmbeddingMap("t-SNE", points, 2))
    assert similar.has_positions
    assert similar.position(embedding(5)) == pytest.approx((0.0, 0.2), abs=0.01)
    x, y = similar.position(embedding(2, 1)) or (1.0, 0.0)
    assert 0 < x < 0.5
    assert y == pytest.approx(0.2)
    assert similar.position(embedding(1, 1)) == pytest.approx((0.5, 0.2))


def test_without_a_map_there_is_no_position(base: FrozenBase) -> None:
    """Nor if the embeddings of its images are gone."""
    assert SimilarImages(base, [picture(0)]).position(embedding(1)) is None
    gone = picture(80)
    points = EmbeddingMap("t-SNE", [MapPoint(gone.path, "train", "a", 0.5, 0.5)], 1)
    similar = SimilarImages(base, [picture(0), gone], points)
    assert similar.position(embedding(1)) is None
    assert not similar.has_positions
