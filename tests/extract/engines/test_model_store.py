"""Models in the cache: found by their recipe, read by their SHA-256, and verified."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from cache import Store
from cache.cli import main
from cache.maintenance.upkeep import verify
from extract.engines.model_store import ModelStore
from extract.errors import WeightsError
from extract.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(weights="ab" * 32, preprocessing="torch", precision="int8")


def test_a_model_is_found_by_its_recipe(tmp_path: Path) -> None:
    """With or without flipping, and whether or not the recipe names it; not by other recipes."""
    models = ModelStore(tmp_path / "models")
    assert models.find(RECIPE) is None
    sha256 = models.add(RECIPE, b"a model", calibrated_on="3 images")
    assert sha256 == hashlib.sha256(b"a model").hexdigest()
    for same in (RECIPE, dataclasses.replace(RECIPE, quantised=sha256, flip=True)):
        assert models.find(same) == sha256
    assert models.find(dataclasses.replace(RECIPE, size=151)) is None
    assert models.read(sha256) == b"a model"
    (record,) = models.folder.glob("*.json")
    assert json.loads(record.read_text())["calibrated_on"] == "3 images"


def test_a_model_whose_file_is_gone_is_not_found(tmp_path: Path) -> None:
    """The record alone is not enough: another model is made."""
    models = ModelStore(tmp_path)
    sha256 = models.add(RECIPE, b"a model")
    (tmp_path / f"{sha256}.zip").unlink()
    assert models.find(RECIPE) is None
    with pytest.raises(WeightsError, match="no longer in"):
        models.read(sha256)


def test_a_damaged_model_is_not_read_and_verify_drops_it(tmp_path: Path) -> None:
    """`cache verify` finds it; --repair deletes it, so that another one is made."""
    models = ModelStore(tmp_path / "models")
    sha256 = models.add(RECIPE, b"a model")
    (tmp_path / "models" / f"{sha256}.zip").write_bytes(b"a mode1")
    with pytest.raises(WeightsError, match="has changed"):
        models.read(sha256)
    (problem,) = verify(Store(tmp_path)).problems
    assert sha256 in problem
    verify(Store(tmp_path), repair=True)
    assert models.find(RECIPE) is None
    assert verify(Store(tmp_path)).problems == []


def test_models_are_listed_and_can_be_cleared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They take space: `cache ls` lists them, and `cache clear --models` deletes them."""
    models = ModelStore(tmp_path / "models")
    sha256 = models.add(RECIPE, b"a model")
    assert main(["ls", "--cache", str(tmp_path)]) == 0
    assert f"models        {sha256}.zip" in capsys.readouterr().out
    assert main(["clear", "--models", "--cache", str(tmp_path)]) == 0
    assert models.find(RECIPE) is None
