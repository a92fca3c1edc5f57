"""The map of the embeddings, from a real cache of rows that are known."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache import Store
from cache.maintenance import upkeep
from classify.auditing import embedding_map as module
from classify.auditing.embedding_map import LEAST, POINTS, embedding_map, placed
from extract.backbones.weights import Weights
from extract.datasets.dataset import Dataset, Item
from extract.frozen import FrozenBase
from extract.pipeline import ExtractionResult
from extract.prepare import Prepared
from extract.recipe import Recipe

ROOT = Path("pictures")


def prepared(folder: Path, n_train: int, n_test: int) -> Prepared:
    """Return pictures of two kinds whose embeddings lie in two clouds."""
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


def test_pictures_alike_lie_near_each_other(tmp_path: Path) -> None:
    """Every picture's neighbour on the map is of its kind; all lie within the unit square."""
    found = embedding_map(prepared(tmp_path, 60, 40))
    assert found is not None
    assert (len(found.points), found.n_pictures) == (100, 100)
    places = np.array([(point.x, point.y) for point in found.points])
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.ptp(places, axis=0).max() == pytest.approx(1, abs=1e-3)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    labels = np.array([point.label for point in found.points])
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert found.points[0].path == str(Path("train/00000.png"))


def test_places_are_kept_and_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the same pictures and recipe; other pictures are placed anew."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    placings = []

    def counted(X: np.ndarray) -> np.ndarray:
        placings.append(len(X))
        return placed(X)

    monkeypatch.setattr(module, "placed", counted)
    assert embedding_map(pictures) == first
    assert placings == []
    fewer = replace(pictures, dataset=replace(pictures.dataset, items=pictures.dataset.items[:30]))
    assert embedding_map(fewer) != first
    assert placings == [30]


def test_another_recipe_has_a_map_of_its_own(tmp_path: Path) -> None:
    """The same pictures in one cache, seen by two bases, lie in different places."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    other = replace(pictures.base, recipe=replace(pictures.base.recipe, size=64))
    digests = list(pictures.extraction.digests.values())
    rows = np.random.default_rng(1).normal(size=(40, 1, 2, 16)).astype(np.float32)
    other.store.append(other.recipe.fingerprint, other.recipe.canonical, digests, rows)
    assert embedding_map(replace(pictures, base=other)) != first


def test_maps_are_verified_and_cleared_with_the_embeddings(tmp_path: Path) -> None:
    """What has rotted is told of; without embeddings there is nothing to keep a map of."""
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


def test_a_map_that_cannot_be_kept_is_drawn_all_the_same(
    tmp_path: Path, notes: pytest.LogCaptureFixture
) -> None:
    """It is said that it will be drawn anew."""
    pictures = prepared(tmp_path, 20, 20)
    (tmp_path / "maps").write_text("in the way")
    assert embedding_map(pictures) is not None
    assert "drawn anew the next time" in notes.text


def test_a_damaged_record_is_computed_again(tmp_path: Path) -> None:
    """It counts as if it were not there, and the map comes out the same."""
    pictures = prepared(tmp_path, 20, 20)
    first = embedding_map(pictures)
    (record,) = (tmp_path / "maps").glob("*.json")
    record.write_bytes(record.read_bytes().replace(b"0.", b"9.", 1))
    assert embedding_map(pictures) == first


def test_of_many_pictures_those_of_the_test_split_come_first(tmp_path: Path) -> None:
    """All of the test split, and as many others, drawn by the seed, as there is room for."""
    pictures = prepared(tmp_path, POINTS, 200)
    found = embedding_map(pictures, seed=1)
    assert found is not None
    splits = [point.split for point in found.points]
    assert (splits.count("test"), splits.count("train")) == (200, POINTS - 200)
    assert found.n_pictures == POINTS + 200
    other = embedding_map(pictures, seed=2)
    assert other is not None
    assert {p.path for p in other.points} != {p.path for p in found.points}


def test_few_pictures_have_no_map_and_equal_ones_one_place(tmp_path: Path) -> None:
    """Neither is a reason to fail."""
    assert embedding_map(prepared(tmp_path / "few", LEAST - 2, 1)) is None
    assert embedding_map(prepared(tmp_path / "least", LEAST - 2, 2)) is not None
    assert (placed(np.ones((12, 5), np.float32)) == 0.5).all()
    assert np.isfinite(placed(np.arange(12, dtype=np.float32)[:, None])).all()


def test_the_same_rows_have_the_same_places_always() -> None:
    """To the last bit: the record of a run does not change from one time to the next."""
    X = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    np.testing.assert_array_equal(placed(X), placed(X))
