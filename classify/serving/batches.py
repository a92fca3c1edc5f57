"""Gather the images that wait for a network into batches."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from extract.engines import begin
from extract.errors import EngineError
from extract.images.loading import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from extract.engines import Engine

    Waiting = tuple[NDArray[np.uint8], Future[NDArray[np.float32]]]

logger = logging.getLogger(__name__)


class Batches:
    """Compute the embeddings of images that many threads bring one at a time.

    If the engine is idle, or has an idle core, an image is computed at once. What arrives meanwhile
    waits, and is the next batch, of at most `extract.images.loading.BATCH_SIZE` images. One thread
    begins batches and another one waits for them, so that no core is idle while others finish,
    and images are decoded meanwhile.

    Parameters
    ----------
    engine : Engine
        One thread begins batches, another one waits for them; see `extract.engines.begin`.

    Notes
    -----
    On a processor, engines compute each image by itself: its embedding is the same to the last bit
    whatever else is in the batch. On a GPU it may differ in the last bits.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, "engine")
        self._results = ThreadPoolExecutor(1, "results")

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embedding of an image; may be called from any thread.

        Parameters
        ----------
        image : ndarray of uint8, shape (size, size, 3)
            RGB.

        Returns
        -------
        ndarray of float32, shape (height, width, channels) or (channels,)

        Raises
        ------
        EngineError
            If the engine fails, for all images of the batch; or after `close`.
        """
        embedding: Future[NDArray[np.float32]] = Future()
        self._waiting.append((image, embedding))
        try:
            # One batch for each image: those that find nothing waiting have nothing to do.
            self._thread.submit(self._compute_batch)
        except RuntimeError:  # the thread has ended
            raise _closed() from None
        return embedding.result()

    def close(self) -> None:
        """Finish the batches that are being computed; all other images get an error."""
        self._thread.shutdown(cancel_futures=True)
        self._results.shutdown()
        while self._waiting:
            self._waiting.popleft()[1].set_exception(_closed())

    def _compute_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_SIZE))]
        if not batch:
            return
        with _reported_to(batch):
            finish = begin(self._engine, np.stack([image for image, _ in batch]))
            self._results.submit(self._finish, batch, finish)

    @staticmethod
    def _finish(batch: list[Waiting], finish: Callable[[], NDArray[np.float32]]) -> None:
        with _reported_to(batch):
            # All rows are there before the first is passed on.
            for (_, embedding), row in list(zip(batch, finish(), strict=True)):
                embedding.set_result(row)


@contextlib.contextmanager
def _reported_to(batch: Sequence[Waiting]) -> Iterator[None]:
    """Pass an error on to all that wait for a batch."""
    try:
        yield
    except Exception as error:
        logger.exception("the network could not be run")
        for _, embedding in batch:
            embedding.set_exception(EngineError(f"the network could not be run: {error}"))


def _closed() -> EngineError:
    return EngineError("the model has been closed; load it again")
