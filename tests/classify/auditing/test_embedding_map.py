"""The map of the embeddings, from a real cache with known rows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache import Store
from cache.maintenance import upkeep
from classify.auditing import embedding_map as module
from classify.auditing.embedding_map import MIN_IMAGES, embedding_map, tsne_positions
from extract.backbones.weights import Weights
from extract.datasets.dataset import Dataset, Item
from extract.frozen import FrozenBase
from extract.pipeline import ExtractionResult
from extract.prepare import Prepared
from extract.recipe import Recipe

ROOT = Path("pictures")


def prepared(folder: Path, n_train: int, n_test: int) -> Prepared:
    """Return images of two kinds, whose embeddings form two clusters."""
    splits = ["train"] * n_train + ["test"] * n_test
    items = tuple(
        Item(ROOT / split / f"{i:05}.png", "ab"[i % 2], split)  # type: ignore[arg-type]
        for i, split in enumerate(splits)
    )
    digests = {item.path: hashlib.sha256(str(item.path).encode()).hexdigest() for item in items}
    recipe = Recipe(weights="0" * 64, preprocessing="torch", size=48)
    base = FrozenBase(recipe, Weights("none", "0" * 64, None, None), Store(folder))
    rng = np.random.default_rng(0)
    kinds = np.arange(len(items)) % 2
    rows = rng.normal(size=(len(items), 1, 2, 16)) + 6 * kinds[:, None, None, None]
    base.store.append(
        recipe.fingerprint, recipe.canonical, list(digests.values()), rows.astype(np.float32)
    )
    done = ExtractionResult(digests, {}, 0, len(items), 0.0)
    return Prepared(Dataset("pictures", ROOT, items), base, done, None)


def test_similar_images_are_near_each_other(tmp_path: Path) -> None:
    """The nearest image on the map is of the same kind; all positions are in the unit square."""
    map_ = embedding_map(prepared(tmp_path, 60, 40))
    assert map_ is not None
    assert (len(map_.points), map_.n_pictures) == (100, 100)
    positions = np.array([(point.x, point.y) for point in map_.points])
    assert positions.min() >= 0
    assert positions.max() <= 1
    assert np.ptp(positions, axis=0).max() == pytest.approx(1, abs=1e-3)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    labels = np.array([point.label for point in map_.points])
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert map_.points[0].path == str(Path("train/00000.png"))


def test_positions_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the same images and recipe; other images are arranged again."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    calls = []

    def counted(X: np.ndarray) -> np.ndarray:
        calls.append(len(X))
        return tsne_positions(X)

    monkeypatch.setattr(module, "tsne_positions", counted)
    assert embedding_map(pictures) == first
    assert calls == []
    fewer = replace(pictures, dataset=replace(pictures.dataset, items=pictures.dataset.items[:30]))
    assert embedding_map(fewer) != first
    assert calls == [30]


def test_another_recipe_has_a_map_of_its_own(tmp_path: Path) -> None:
    """The same images in one cache, embedded by two bases, have different positions."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    other = replace(pictures.base, recipe=replace(pictures.base.recipe, size=64))
    digests = list(pictures.extraction.digests.values())
    rows = np.random.default_rng(1).normal(size=(40, 1, 2, 16)).astype(np.float32)
    other.store.append(other.recipe.fingerprint, other.recipe.canonical, digests, rows)
    assert embedding_map(replace(pictures, base=other)) != first


def test_maps_are_verified_and_cleared_with_the_embeddings(tmp_path: Path) -> None:
    """Damage is reported, and clearing the cache removes the maps too."""
    pictures = prepared(tmp_path, 20, 20)
    embedding_map(pictures)
    (record,) = (tmp_path / "maps").glob("*.json")
    record.write_bytes(record.read_bytes().replace(b"0.", b"9.", 1))
    assert any(record.name in problem for problem in upkeep.verify(pictures.base.store).problems)
    upkeep.verify(pictures.base.store, repair=True)
    assert not record.exists()
    embedding_map(pictures)
    upkeep.clear(pictures.base.store)
    assert not record.exists()


def test_a_map_that_cannot_be_cached_is_still_returned(
    tmp_path: Path, notes: pytest.LogCaptureFixture
) -> None:
    """A warning says that it will be computed again."""
    pictures = prepared(tmp_path, 20, 20)
    (tmp_path / "maps").write_text("in the way")
    assert embedding_map(pictures) is not None
    assert "cannot be cached and will be computed again" in notes.text


def test_a_damaged_record_is_computed_again(tmp_path: Path) -> None:
    """As if it were missing; the map is the same."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    (record,) = (tmp_path / "maps").glob("*.json")
    record.write_bytes(record.read_bytes().replace(b"0.", b"9.", 1))
    assert embedding_map(pictures) == first


def test_of_many_images_those_of_the_test_split_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the test split, and the others drawn by the seed up to the limit."""
    monkeypatch.setattr(module, "MAX_POINTS", 100)
    pictures = prepared(tmp_path, 100, 20)
    map_ = embedding_map(pictures, seed=1)
    assert map_ is not None
    splits = [point.split for point in map_.points]
    assert (splits.count("test"), splits.count("train")) == (20, 80)
    assert map_.n_pictures == 120
    other = embedding_map(pictures, seed=2)
    assert other is not None
    assert {p.path for p in other.points} != {p.path for p in map_.points}


def test_few_images_have_no_map_and_equal_ones_one_position(tmp_path: Path) -> None:
    """Neither is an error."""
    assert embedding_map(prepared(tmp_path / "few", MIN_IMAGES - 2, 1)) is None
    assert embedding_map(prepared(tmp_path / "least", MIN_IMAGES - 2, 2)) is not None
    assert (tsne_positions(np.ones((12, 5), np.float32)) == 0.5).all()
    assert np.isfinite(tsne_positions(np.arange(12, dtype=np.float32)[:, None])).all()


def test_equal_rows_have_equal_positions() -> None:
    """To the last bit, so that the record of a run does not change when it is repeated."""
    X = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    np.testing.assert_array_equal(tsne_positions(X), tsne_positions(X))
