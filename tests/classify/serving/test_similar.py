"""Neighbours and places of a new picture, from a real cache of rows that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cache import Store
from classify.serving.similar import Similar
from extract.backbones.weights import Weights
from extract.frozen import FrozenBase
from extract.recipe import Recipe
from reports.picture_records import EmbeddingMap, MapPoint, PictureRecord

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", size=48)


def picture(i: int, split: str = "train") -> PictureRecord:
    return PictureRecord(f"{split}/{i}.png", "ab"[i % 2], split, f"{i:064x}")


@pytest.fixture
def base(tmp_path: Path) -> FrozenBase:
    """Return a base whose cache has the unit vectors of eight directions, pictures 0 to 7."""
    base = FrozenBase(RECIPE, Weights("none", "0" * 64, None, None), Store(tmp_path))
    rows = np.zeros((8, 2, 2, 8), np.float32)
    for i in range(8):
        rows[i, :, :, i] = 1 + i
    digests = [picture(i).sha256 for i in range(8)]
    base.store.append(RECIPE.fingerprint, RECIPE.canonical, digests, rows)
    return base


def seen(*weights: float) -> np.ndarray:
    """Return the embedding of a picture that is a mixture of the directions."""
    return np.broadcast_to(np.array([*weights, *[0] * (8 - len(weights))], np.float32), (2, 2, 8))


def test_the_most_similar_training_pictures_are_found(base: FrozenBase) -> None:
    """In their order, with the cosine; pictures of the test split are not among them."""
    pictures = [picture(i, "test" if i == 0 else "train") for i in range(8)]
    found = Similar(base, pictures).nearest(seen(9, 4, 3), n=2)
    assert [near.picture for near in found] == [pictures[1], pictures[2]]
    length = np.sqrt(81 + 16 + 9)
    assert [near.similarity for near in found] == pytest.approx([4 / length, 3 / length])


def test_pictures_without_an_embedding_are_left_out_and_told_of(
    base: FrozenBase, notes: pytest.LogCaptureFixture
) -> None:
    """The others are found all the same; of none, there are no neighbours."""
    pictures = [picture(i) for i in (0, 1, 80, 90)]
    similar = Similar(base, pictures)
    assert [p.sha256 for p in similar.training] == [picture(0).sha256, picture(1).sha256]
    assert "2 of 4 training pictures have no embedding" in notes.text
    assert len(similar.nearest(seen(1))) == 2
    assert Similar(base, [picture(80)]).nearest(seen(1)) == []


def test_a_picture_lies_between_those_most_like_it(base: FrozenBase) -> None:
    """At the place of one that it equals, and nearer to the more similar one of two."""
    pictures = [picture(i) for i in range(2)]
    points = [MapPoint(pictures[0].path, "train", "a", 0.0, 0.2),
              MapPoint(pictures[1].path, "train", "b", 1.0, 0.2)]  # fmt: skip
    similar = Similar(base, pictures, EmbeddingMap("t-SNE", points, 2))
    assert similar.has_places
    assert similar.place(seen(5)) == pytest.approx((0.0, 0.2), abs=0.01)
    x, y = similar.place(seen(2, 1)) or (1.0, 0.0)
    assert 0 < x < 0.5
    assert y == pytest.approx(0.2)
    assert similar.place(seen(1, 1)) == pytest.approx((0.5, 0.2))


def test_without_a_map_there_is_no_place(base: FrozenBase) -> None:
    """Nor where its pictures have no embedding any more."""
    assert Similar(base, [picture(0)]).place(seen(1)) is None
    gone = picture(80)
    points = EmbeddingMap("t-SNE", [MapPoint(gone.path, "train", "a", 0.5, 0.5)], 1)
    similar = Similar(base, [picture(0), gone], points)
    assert similar.place(seen(1)) is None
    assert not similar.has_places
