"""What is black and white in images of more than eight bits: decided once, over many images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from cache import Store
from extract.images.decoders import pool as decoder_pool
from extract.images.hashing import DEEP, DEPTH
from extract.recipe import Recipe
from extract.value_range import adapted, describe, find_deep, with_value_range

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", size=32)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def write(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, values)[1].tobytes())
    return path


@pytest.fixture
def microscope(tmp_path: Path) -> list[Path]:
    """Return images of 12 bits, of which only one uses all of them, and one of 8 bits."""
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8)
    folder = tmp_path / "pictures"
    return [
        write(folder / "a.png", ramp * 10),
        write(folder / "b.png", ramp * 65),
        write(folder / "c.tiff", ramp * 20),
        write(folder / "d.png", ramp.astype(np.uint8)),
    ]


def test_images_of_more_than_eight_bits_are_found_by_their_headers(
    store: Store, microscope: list[Path]
) -> None:
    assert list(find_deep(microscope, store)) == microscope[:3]


def test_the_bits_in_use_are_those_of_all_training_images_together(
    store: Store, microscope: list[Path]
) -> None:
    deep = find_deep(microscope, store)
    recipe = with_value_range(RECIPE, deep, store)
    assert (recipe.bits, recipe.black, recipe.white) == (12, None, None)
    assert with_value_range(RECIPE, {microscope[0]: deep[microscope[0]]}, store).bits == 10
    assert describe(recipe, 3, "over the training images") == (
        "3 images have more than 8 bits, scaled as decided over the training images: 12 bits are "
        "in use, so 4,095 is white"
    )


def test_floating_point_numbers_are_scaled_from_percentiles_of_all(
    store: Store, tmp_path: Path
) -> None:
    """Of the values of two images, 0.5% are at or below black, and as many above white."""
    folder = tmp_path / "floats"
    low = write(folder / "a.tiff", np.linspace(-1, 0, 1000, dtype=np.float32).reshape(20, 50))
    high = write(folder / "b.tiff", np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50))
    recipe = with_value_range(RECIPE, find_deep([low, high], store), store)
    assert recipe.bits is None
    assert recipe.black == pytest.approx(-0.99, abs=0.01)
    assert recipe.white == pytest.approx(0.99, abs=0.01)


def test_data_of_eight_bits_and_lanczos_keep_their_recipe(
    store: Store, microscope: list[Path]
) -> None:
    assert adapted(RECIPE, microscope[3:], store) is RECIPE
    earlier = Recipe(weights="0" * 64, preprocessing="torch", size=32, interpolation="lanczos4")
    assert adapted(earlier, microscope, store) is earlier


def test_nothing_is_decoded_twice(
    store: Store, microscope: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values of an image are remembered with its SHA-256, wherever the file is."""
    first = adapted(RECIPE, microscope, store)
    monkeypatch.setattr(decoder_pool, "_start", None)
    copies = [path.rename(path.with_stem(f"moved-{path.stem}")) for path in microscope]
    assert adapted(RECIPE, copies, store) == first


def test_what_a_training_has_decided_holds_for_later_images(
    store: Store, microscope: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    """What it has not decided is decided over the images given together, and logged."""
    trained = Recipe(weights="0" * 64, preprocessing="torch", size=32, bits=16)
    assert adapted(trained, microscope, store) == trained
    assert not caplog.records
    assert adapted(RECIPE, microscope, store).bits == 12
    assert "decided over them together, because the training images say nothing" in caplog.text


def test_a_cache_of_an_earlier_version_learns_the_depth_of_known_files(
    store: Store, microscope: list[Path]
) -> None:
    """Its files are remembered, but nobody has noted how many bits they have."""
    digests = find_deep(microscope, store)
    (store.folder / "notes.sqlite").unlink()
    assert find_deep(microscope, store) == digests
    assert set(store.notes.recall(DEPTH, list(digests.values())).values()) == {DEEP}
