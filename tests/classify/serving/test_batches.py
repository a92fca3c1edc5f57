"""Images that wait for the engine are gathered, and nothing that happens to one harms another."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify.serving.batches import Batches
from extract.errors import EngineError
from extract.images.loading import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 60
"""Longer than anything here takes."""


class HeldEngine:
    """Averages images, as soon as it may; fails if it is told to."""

    def __init__(self) -> None:
        self.may_compute, self.has_begun = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.sizes: list[int] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        self.has_begun.set()
        assert self.may_compute.wait(SECONDS)
        if self.error:
            raise self.error
        means: np.ndarray = images.mean(axis=(1, 2), dtype=np.float32)
        return means


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def batches(engine: HeldEngine) -> Iterator[Batches]:
    batches = Batches(engine)
    yield batches
    engine.may_compute.set()
    batches.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as threads:
        yield threads


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


def wait_for(batches: Batches, n_waiting: int) -> None:
    """Return when so many images wait for the engine."""
    paused = threading.Event()
    while len(batches._waiting) < n_waiting:
        paused.wait(0.001)


def bring(
    engine: HeldEngine, batches: Batches, threads: ThreadPoolExecutor, n_images: int
) -> list[Future[Any]]:
    """Have one image computed and all others wait meanwhile."""
    first = threads.submit(batches, image(0))
    assert engine.has_begun.wait(SECONDS)
    others = [threads.submit(batches, image(i)) for i in range(1, n_images)]
    wait_for(batches, n_images - 1)
    return [first, *others]


def test_what_waits_for_the_engine_is_the_next_batch(
    engine: HeldEngine, batches: Batches, threads: ThreadPoolExecutor
) -> None:
    """Up to a limit; the first image does not wait for others; each gets its own embedding."""
    embeddings = bring(engine, batches, threads, 1 + BATCH_SIZE + 2)
    engine.may_compute.set()
    for i, embedding in enumerate(embeddings):
        np.testing.assert_array_equal(embedding.result(SECONDS), [i, i, i])
    assert engine.sizes == [1, BATCH_SIZE, 2]


def test_an_error_of_the_engine_is_that_of_every_image_of_the_batch(
    engine: HeldEngine,
    batches: Batches,
    threads: ThreadPoolExecutor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the reason, and where it comes from in the log; the next images are computed."""
    engine.error = RuntimeError("out of memory")
    embeddings = bring(engine, batches, threads, 4)
    engine.may_compute.set()
    for embedding in embeddings:
        with pytest.raises(EngineError, match="the network could not be run: out of memory"):
            embedding.result(SECONDS)
    assert "raise self.error" in caplog.text
    engine.error = None
    np.testing.assert_array_equal(batches(image(7)), [7, 7, 7])


def test_closing_finishes_one_batch_and_ends_what_waits(
    engine: HeldEngine, batches: Batches, threads: ThreadPoolExecutor
) -> None:
    """Nobody waits for ever, also who comes later."""
    first, *others = bring(engine, batches, threads, 4)
    closing = threads.submit(batches.close)
    while not batches._thread._shutdown:
        pass
    engine.may_compute.set()
    closing.result(SECONDS)
    np.testing.assert_array_equal(first.result(SECONDS), [0, 0, 0])
    for embedding in others:
        with pytest.raises(EngineError, match="has been closed"):
            embedding.result(SECONDS)
    with pytest.raises(EngineError, match="has been closed"):
        batches(image(8))
    assert engine.sizes == [1]


class OverlappingEngine:
    """Begins at once, and computes as soon as it may when it is waited for."""

    def __init__(self) -> None:
        self.may_finish = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.begin(images)()

    def begin(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        self.begun.release()

        def finish() -> np.ndarray:
            assert self.may_finish.wait(SECONDS)
            means: np.ndarray = images.mean(axis=(1, 2), dtype=np.float32)
            return means

        return finish


def test_the_next_batch_begins_before_the_last_one_is_finished(
    threads: ThreadPoolExecutor,
) -> None:
    """Closing waits for all that have begun; each image gets its own embedding."""
    engine = OverlappingEngine()
    batches = Batches(engine)
    embeddings = []
    for i in range(4):
        embeddings.append(threads.submit(batches, image(i)))
        assert engine.begun.acquire(timeout=SECONDS)
    assert not any(embedding.done() for embedding in embeddings)
    closing = threads.submit(batches.close)
    with pytest.raises(TimeoutError):
        closing.result(0.2)
    engine.may_finish.set()
    for i, embedding in enumerate(embeddings):
        np.testing.assert_array_equal(embedding.result(SECONDS), [i, i, i])
    closing.result(SECONDS)
