"""A network computes in batches of the size that is fastest here, with the same numbers in all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from extract.engines import batching, openvino
from extract.engines.batching import SIZES, BatchedNetwork
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from tests.extract.engines.networks import random_network, some_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


IMAGES = some_images(20, 2)


def sums(images: np.ndarray) -> np.ndarray:
    """Return what stands for the embeddings of images."""
    return images.reshape(len(images), -1).sum(axis=1, dtype=np.float32)


def network(
    seconds: dict[int, float], used: list[int] | None = None
) -> Callable[[np.ndarray, int], np.ndarray | None]:
    """Return what computes 20 images in batches of a size in so many seconds."""

    def compute(images: np.ndarray, size: int) -> np.ndarray | None:
        if used is not None:
            used.append(size)
        if size not in seconds:
            return None
        time.sleep(seconds[size] * len(images) / 20)
        return sums(images)

    return compute


def run_until_known(batched: BatchedNetwork) -> None:
    for _ in range(50):
        np.testing.assert_array_equal(batched(IMAGES), sums(IMAGES))
        if batched.size is not None:
            return
    pytest.fail("no size was chosen")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "SECONDS", 0.2)


@pytest.mark.parametrize("fastest", SIZES)
def test_the_fastest_size_is_chosen_and_kept(fastest: int, tmp_path: Path) -> None:
    """The next process takes it from the record, and measures nothing."""
    seconds = {size: 0.02 if size == fastest else 0.06 for size in SIZES}
    record = tmp_path / "batch.json"
    batched = BatchedNetwork(network(seconds), record)
    run_until_known(batched)
    assert batched.size == fastest
    used: list[int] = []
    again = BatchedNetwork(network(seconds, used), record)
    again(IMAGES)
    assert again.size == fastest
    assert used == [fastest]


def test_no_size_is_chosen_that_changes_an_embedding() -> None:
    """However fast it is; and one that the network cannot compute in is left out, too."""

    def compute(images: np.ndarray, size: int) -> np.ndarray | None:
        time.sleep(0.03 if size == 1 else 0.001)
        return None if size == 16 else sums(images) + np.float32(1e-3) * (size > 1)

    batched = BatchedNetwork(compute)
    run_until_known(batched)
    assert batched.size == 1


def test_few_images_are_computed_one_by_one() -> None:
    """A comparison would take longer than they do."""
    used: list[int] = []
    batched = BatchedNetwork(network(dict.fromkeys(SIZES, 0.0), used))
    for _ in range(20):
        batched(IMAGES[: max(SIZES) - 1])
    assert set(used) == {1}
    assert batched.size is None


@pytest.mark.parametrize("text", ["", "damaged", '{"batch": "64"}'])
def test_a_damaged_record_is_made_again(text: str, tmp_path: Path) -> None:
    """So is one with a size that is not among those that are compared."""
    record = tmp_path / "batch.json"
    record.write_text(text, encoding="ascii")
    batched = BatchedNetwork(network({1: 0.05, 4: 0.02, 16: 0.05}), record)
    assert batched.size is None
    run_until_known(batched)
    assert BatchedNetwork(network({}), record).size == 4


def test_a_kept_size_that_has_become_impossible_is_given_up(tmp_path: Path) -> None:
    """As after an update of the program that runs the network."""
    record = tmp_path / "batch.json"
    run_until_known(BatchedNetwork(network({1: 0.05, 4: 0.02, 16: 0.05}), record))
    batched = BatchedNetwork(network({1: 0.0}), record)
    np.testing.assert_array_equal(batched(IMAGES), sums(IMAGES))
    assert batched.size == 1


def test_a_cache_that_cannot_be_written_loses_only_the_record(tmp_path: Path) -> None:
    """The embeddings are computed all the same."""
    (tmp_path / "file").write_bytes(b"")
    batched = BatchedNetwork(network(dict.fromkeys(SIZES, 0.02)), tmp_path / "file" / "batch.json")
    run_until_known(batched)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "mobilenet", "efficientnetb0"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_embedding_does_not_depend_on_its_batch(
    name: str, precision: str, tmp_path: Path
) -> None:
    """Whatever size is chosen, and wherever in a batch the image is."""
    weights, recipe = random_network(name, tmp_path)
    images = some_images(19, recipe.size)
    models = ModelStore(tmp_path)
    model = models.read(openvino.convert(recipe, weights, models))
    alone = np.concatenate([OpenVINOEngine(model, precision)(images[i : i + 1]) for i in range(19)])
    for size in SIZES:
        engine = OpenVINOEngine(model, precision)
        engine._batched.size = size
        np.testing.assert_array_equal(engine(images), alone)
        np.testing.assert_array_equal(engine(images[::-1])[::-1], alone)
        assert engine._batched.size == size
