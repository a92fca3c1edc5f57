"""A network computes in batches of the size that is fastest here, with the same numbers in all."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest

from extract.engines import _FlippingEngine, batching, begin, images_at_once, openvino
from extract.engines.batching import SIZES, fastest_size, kept_size
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from tests.extract.engines.networks import random_network, some_images
from toolkit.libraries import import_openvino

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


IMAGES = some_images(20, 2)


def sums(images: np.ndarray) -> np.ndarray:
    """Return what stands for the embeddings of images."""
    return images.reshape(len(images), -1).sum(axis=1, dtype=np.float32)


class Clock:
    """Time that passes only where a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock by which sizes are compared."""
    clock = Clock()
    monkeypatch.setattr(batching, "time", clock)
    return clock


def network(clock: Clock, seconds: dict[int, float]) -> Callable[[np.ndarray, int], Any]:
    """Return what computes in batches of these sizes, in so many seconds; else it returns None."""

    def compute(images: np.ndarray, size: int) -> np.ndarray | None:
        if size not in seconds:
            return None
        clock.now += seconds[size]
        return sums(images)

    return compute


@pytest.mark.parametrize("fastest", SIZES)
def test_the_fastest_size_is_chosen_and_kept(fastest: int, clock: Clock, tmp_path: Path) -> None:
    """The next process reads it, and compares nothing."""
    record = tmp_path / "batch.json"
    seconds = {size: 0.01 if size == fastest else 0.05 for size in SIZES}
    assert kept_size(record) is None
    assert fastest_size(network(clock, seconds), IMAGES, record) == fastest
    assert kept_size(record) == fastest


def test_a_batch_must_be_worth_its_memory(clock: Clock) -> None:
    """As fast as images one by one is not enough."""
    assert fastest_size(network(clock, {1: 0.050, 4: 0.0499, 16: 0.05}), IMAGES, None) == 1
    assert fastest_size(network(clock, {1: 0.050, 4: 0.0480, 16: 0.05}), IMAGES, None) == 4


def test_no_size_is_chosen_that_changes_an_embedding(clock: Clock) -> None:
    """However fast it is; one that the network cannot compute in is left out, too."""

    def compute(images: np.ndarray, size: int) -> np.ndarray | None:
        clock.now += 0.03 if size == 1 else 0.001
        return None if size == 16 else sums(images) + np.float32(1e-3) * (size > 1)

    assert fastest_size(compute, IMAGES, None) == 1


@pytest.mark.parametrize("text", ["", "damaged", '{"batch": "64"}', '{"batch": 4}'])
def test_a_damaged_record_is_made_again(text: str, clock: Clock, tmp_path: Path) -> None:
    """So is one with a size that is not among those that are compared."""
    record = tmp_path / "batch.json"
    record.write_text(text, encoding="ascii")
    assert kept_size(record) is None
    fastest_size(network(clock, {1: 0.05, 4: 0.01}), IMAGES, record)
    assert kept_size(record) == 4


def test_a_cache_that_cannot_be_written_loses_only_the_record(clock: Clock, tmp_path: Path) -> None:
    """The embeddings are computed all the same."""
    (tmp_path / "file").write_bytes(b"")
    record = tmp_path / "file" / "batch.json"
    assert fastest_size(network(clock, {1: 0.05, 4: 0.01}), IMAGES, record) == 4


@pytest.mark.slow
def test_sizes_are_compared_once_for_each_network_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for a few images, which would be done before, and not in float32."""
    compared: list[int] = []

    def compare(
        compute: Callable[[np.ndarray, int], np.ndarray | None], images: np.ndarray, record: Path
    ) -> int:
        compared.append(len(images))
        return fastest_size(compute, images, record)

    monkeypatch.setattr(batching, "SECONDS", 0.3)
    monkeypatch.setattr(openvino, "fastest_size", compare)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: True)
    weights, recipe = random_network("mobilenet", tmp_path)
    models, images = ModelStore(tmp_path / "models"), some_images(20, recipe.size)
    OpenVINOEngine.from_recipe(recipe, weights, models)(images)
    assert compared == []
    bfloat16 = dataclasses.replace(recipe, precision="bfloat16")
    first = OpenVINOEngine.from_recipe(bfloat16, weights, models)
    few = first(images[:3])
    assert compared == []
    np.testing.assert_array_equal(first(images)[:3], few)
    assert compared == [16]
    np.testing.assert_array_equal(
        OpenVINOEngine.from_recipe(bfloat16, weights, models)(images), first(images)
    )
    assert compared == [16]
    monkeypatch.setattr(openvino, "machine", lambda: "another processor")
    OpenVINOEngine.from_recipe(bfloat16, weights, models)(images)
    assert compared == [16, 16]


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
        engine._size = size
        np.testing.assert_array_equal(engine(images), alone)
        np.testing.assert_array_equal(engine(images[::-1])[::-1], alone)
        assert engine._queue(size) is not None


def small_network() -> Any:
    """Return a convolution as an `openvino.Model` of one image."""
    ops = import_openvino().opset13
    image = ops.parameter([1, 8, 8, 3], np.uint8)
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    floats = ops.transpose(ops.convert(image, "f32"), [0, 3, 1, 2])
    found = ops.convolution(floats, ops.constant(kernel), [1, 1], [0, 0], [0, 0], [1, 1])
    return import_openvino().Model([found], [image])


def test_an_engine_says_how_many_images_it_computes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch for each core; flipping changes nothing, and others compute before they return."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    engine = OpenVINOEngine(openvino.pack(small_network()))
    assert images_at_once(engine) == 3
    engine._size = 4
    assert images_at_once(engine) == images_at_once(_FlippingEngine(engine, mean=True)) == 12
    assert images_at_once(_FlippingEngine(sums, mean=False)) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("last_first", [False, True])
def test_batches_can_begin_before_others_are_finished(size: int, last_first: bool) -> None:
    """Each is given its own embeddings, in whatever order they are waited for."""
    engine = OpenVINOEngine(openvino.pack(small_network()))
    batches = np.split(some_images(200, 8), [7, 7, 8, 40, 72, 104, 190])
    expected = [engine(images) for images in batches]
    engine._size = size
    begun = [begin(engine, images) for images in batches]
    order = range(len(batches))
    for i in reversed(order) if last_first else order:
        np.testing.assert_array_equal(begun[i](), expected[i])


def test_an_output_that_cannot_be_kept_is_an_error_of_its_batch_alone() -> None:
    """The batches before and after it are computed."""
    engine, images = OpenVINOEngine(openvino.pack(small_network())), some_images(5, 8)
    expected, shape = engine(images), engine._shape
    before = begin(engine, images)
    engine._shape = (1, 2, 3)
    failing = begin(engine, images)
    engine._shape = shape
    after = begin(engine, images)
    with pytest.raises(ValueError, match="could not broadcast"):
        failing()
    np.testing.assert_array_equal(before(), expected)
    np.testing.assert_array_equal(after(), expected)


def failing_network() -> Any:
    """Return an `openvino.Model` that cannot compute images with a value above 9."""
    ops = import_openvino().opset13
    image = ops.parameter([1, 8, 8, 3], np.uint8)
    where = ops.reduce_max(ops.convert(image, "i64"), [1, 2, 3], False)
    found = ops.gather_elements(ops.constant(np.arange(10, dtype=np.float32)), where, 0)
    return import_openvino().Model([ops.unsqueeze(found, 0)], [image])


@pytest.mark.parametrize("at", [0, 3, 7])
@pytest.mark.parametrize("last_first", [False, True])
def test_an_error_of_the_network_is_one_of_its_batch_alone(
    at: int, last_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the caller soon; the batches before and after it are computed."""
    monkeypatch.setattr(openvino, "SECONDS_BETWEEN_CHECKS", 0.01)
    engine = OpenVINOEngine(openvino.pack(failing_network()))
    values = np.arange(8).reshape(8, 1, 1, 1)
    good = np.broadcast_to(values, (8, 8, 8, 3)).astype(np.uint8)
    bad = good.copy()
    bad[at] = 10
    for _ in range(3):
        begun = []
        for images in (good, bad, good):
            with contextlib.suppress(RuntimeError):
                begun.append((images is bad, begin(engine, images)))
        assert sum(not failing for failing, _ in begun) == 2
        for failing, finish in reversed(begun) if last_first else begun:
            if failing:
                with pytest.raises(RuntimeError, match="exceed data size"):
                    finish()
            else:
                np.testing.assert_array_equal(finish()[:, 0], np.arange(8))


def test_a_batch_waits_for_its_own_images_when_another_one_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are being computed in the queue that has the other one's error."""
    monkeypatch.setattr(openvino, "SECONDS_BETWEEN_CHECKS", 0.01)
    begun = openvino._Begun(np.zeros((2, 3), dtype=np.float32))

    class Inference:
        def wait(self) -> None:
            begun.keep(slice(0, 2), lambda: np.ones((2, 3)))

    class Queue(list[Inference]):
        __hash__ = object.__hash__

        def wait_all(self) -> None:
            raise RuntimeError("no memory")

    found = begun.finish({Queue([Inference()])})
    np.testing.assert_array_equal(found, np.ones((2, 3)))


def test_an_engine_that_is_not_used_any_more_is_freed() -> None:
    """With the network that was compiled for it, and its threads."""
    engine = OpenVINOEngine(openvino.pack(small_network()))
    finish = begin(engine, some_images(5, 8))
    finish()
    queue = weakref.ref(engine._queue(1))
    assert queue() is not None
    del engine, finish
    gc.collect()
    assert queue() is None


def test_a_size_can_be_compiled_while_another_thread_waits() -> None:
    """As in `classify.serve`: one thread begins batches, another one waits for them."""
    images = some_images(17, 8)
    expected = OpenVINOEngine(openvino.pack(small_network()))(images)
    with ThreadPoolExecutor(1) as results:
        for _ in range(20):
            engine = OpenVINOEngine(openvino.pack(small_network()))
            engine._size = 16
            many = results.submit(begin(engine, images[:16]))
            one = results.submit(begin(engine, images[16:]))
            np.testing.assert_array_equal(many.result(60), expected[:16])
            np.testing.assert_array_equal(one.result(60), expected[16:])
