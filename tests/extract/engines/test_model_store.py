"""Models in the cache: found by their recipe, read by their SHA-256, and verified."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
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

RECIPE = Recipe(weights="ab" * 32, preprocessing="torch")
INT8 = dataclasses.replace(RECIPE, precision="int8")
IMAGES = [f"{i:064x}" for i in range(8)]


def test_a_converted_model_is_found_by_its_recipe(tmp_path: Path) -> None:
    """With or without flipping, and whatever is black and white; not by other recipes."""
    models = ModelStore(tmp_path / "models")
    assert models.find(RECIPE) is None
    sha256 = models.add(RECIPE, b"a model")
    assert sha256 == hashlib.sha256(b"a model").hexdigest()
    for same in (RECIPE, dataclasses.replace(RECIPE, flip=True, bits=12)):
        assert models.find(same) == sha256
    assert models.find(dataclasses.replace(RECIPE, size=151)) is None
    assert models.read(sha256) == b"a model"


def test_a_data_set_goes_on_with_the_calibration_that_shares_most_images(tmp_path: Path) -> None:
    """It must share at least half; more of two that do."""
    models = ModelStore(tmp_path)
    first = models.add_calibrated(INT8, b"on the first four", IMAGES[:4], "few")
    second = models.add_calibrated(INT8, b"on the last six", IMAGES[2:], "many")
    assert models.find_calibration(INT8, IMAGES[:4]) == first
    assert models.find_calibration(INT8, IMAGES) == second
    assert models.find_calibration(INT8, IMAGES[2:]) == second
    assert models.find_calibration(INT8, [*IMAGES[:2], "aa" * 32, "bb" * 32]) == first
    assert models.find_calibration(INT8, [IMAGES[0], "aa" * 32, "bb" * 32, "cc" * 32]) is None
    assert models.find_calibration(INT8, IMAGES[:1]) is None


def test_a_calibration_is_of_its_recipe_and_its_pixels(tmp_path: Path) -> None:
    """Flipping needs no other network; another size does, and so do other values of pixels."""
    models = ModelStore(tmp_path)
    calibration = models.add_calibrated(INT8, b"a network", IMAGES, "pets")
    for same in ({"flip": True}, {"mirrored": True}, {"quantised": calibration.quantised}):
        found = models.find_calibration(dataclasses.replace(INT8, **same), IMAGES)
        assert found == calibration
    for other in ({"size": 151}, {"bits": 12}, {"black": 0.0, "white": 9.0}):
        assert models.find_calibration(dataclasses.replace(INT8, **other), IMAGES) is None


def test_a_calibration_is_copied_with_its_images(tmp_path: Path) -> None:
    models, copies = ModelStore(tmp_path / "models"), ModelStore(tmp_path / "networks")
    calibration = models.add_calibrated(INT8, b"a network", IMAGES, "pets")
    models.copy(INT8, calibration, copies)
    shutil.rmtree(models.folder)
    assert copies.read(calibration.quantised) == b"a network"
    assert copies.find_calibration(INT8, IMAGES) == calibration
    models.copy(INT8, calibration, copies)  # nothing to do


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
    models.add(RECIPE, b"a model")
    assert main(["ls", "--cache", str(tmp_path)]) == 0
    assert "models        vgg16, 150 pixels, float32, 0.0 MB" in capsys.readouterr().out
    assert main(["clear", "--models", "--cache", str(tmp_path)]) == 0
    assert models.find(RECIPE) is None
