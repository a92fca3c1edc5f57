"""How many images a network computes together: as many as are fastest on this machine.

On processors with matrix instructions (AMX), images in small batches take two thirds of the time;
on others it makes no difference, or batches are slower.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np

from cache import file_records
from cache.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = (1, 4, 16)
SECONDS = 2.0
"""How long the sizes are compared, on images that are to be embedded anyway."""
_TURNS = 2
_GAIN = 1.02
"""A larger batch takes more memory, so it must be faster by this factor."""


class BatchedNetwork:
    """Computes in batches of the fastest size, which it finds out while it works.

    The sizes take turns until `SECONDS` are spent. A size is used only if it gives the same
    embeddings as images one by one, to the last bit.

    Parameters
    ----------
    compute : callable
        Takes images, uint8 ``(n, height, width, 3)``, and the size of a batch; returns their
        embeddings, or None if the network cannot compute in such batches.
    record : Path, default=None
        Where the size is kept for the next time. None keeps it nowhere.

    Attributes
    ----------
    size : int or None
        The fastest size; None until it is known.
    """

    def __init__(
        self, compute: Callable[[np.ndarray, int], np.ndarray | None], record: Path | None = None
    ) -> None:
        self._compute, self._record = compute, record
        self.size = None if record is None else _read(record)
        self._rates: dict[int, list[float]] = {size: [] for size in SIZES}
        self._checked = {1}
        self._spent = 0.0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the embeddings of images."""
        if self.size is None and len(images) >= max(SIZES):
            return self._timed(images)
        return self._in_batches(images, self.size or 1)

    def _in_batches(self, images: np.ndarray, size: int) -> np.ndarray:
        embeddings = self._compute(images, size)
        if embeddings is None:  # a size that was kept by another version of the network's runtime
            self.size = size = 1
            embeddings = self._compute(images, size)
        assert embeddings is not None
        return embeddings

    def _timed(self, images: np.ndarray) -> np.ndarray:
        """Compute with the size that had the fewest turns, and decide if that was long enough."""
        size = min(self._rates, key=lambda size: len(self._rates[size]))
        if size not in self._checked:
            self._checked.add(size)
            if not self._is_exact(images[:size], size):
                del self._rates[size]
                return self._timed(images)
        started = time.perf_counter()
        embeddings = self._in_batches(images, size)
        seconds = time.perf_counter() - started
        self._rates[size].append(len(images) / seconds)
        self._spent += seconds
        if self._spent >= SECONDS and min(map(len, self._rates.values())) >= _TURNS:
            self._decide()
        return embeddings

    def _is_exact(self, images: np.ndarray, size: int) -> bool:
        together = self._compute(images, size)
        return together is not None and np.array_equal(together, self._in_batches(images, 1))

    def _decide(self) -> None:
        rates = {size: max(rates) for size, rates in self._rates.items()}
        fastest = max(rates, key=lambda size: rates[size])
        self.size = fastest if rates[fastest] > _GAIN * rates[1] else 1
        if self._record is not None:
            with contextlib.suppress(CacheError):  # it is found out again the next time
                file_records.write_record(self._record, batch=str(self.size))


def _read(record: Path) -> int | None:
    text = (file_records.read_record(record) or {}).get("batch", "")
    return int(text) if text in map(str, SIZES) else None
