"""Read stored embeddings: as they are, on any machine that has the cache; or one mean per image."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError
from cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase

_ROWS_PER_READ = 128
"""Embeddings that are read together: 50 MB for a ResNet at 224 pixels."""


@dataclass(frozen=True)
class StoredEmbeddings:
    """Reads embeddings of one recipe; can be sent to a machine that may have the same cache folder.

    Parameters
    ----------
    folder : Path
        The cache folder, absolute.
    fingerprint : str
        Of the recipe.
    """

    folder: Path
    fingerprint: str

    def __call__(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """Read embeddings; see `extract.frozen.FrozenBase.embeddings`."""
        rows = _store(self.folder).read(self.fingerprint, digests)
        return rows.reshape(len(rows), -1)

    def can_read(self, digest: str) -> bool:
        """Return whether this machine has the cache folder, and an embedding in it."""
        with contextlib.suppress(CacheError):
            if (self.folder / "index.sqlite").is_file():  # opening creates what is missing
                return not _store(self.folder).missing(self.fingerprint, [digest])
        return False


@functools.lru_cache(maxsize=4)
def _store(folder: Path) -> Store:
    return Store(folder)


def pool_embeddings(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average embeddings over height and width; rows of one dimension stay as they are.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, height, width, channels) or (n, channels)

    Returns
    -------
    ndarray of float32, shape (n, channels)

    Examples
    --------
    >>> pool_embeddings(np.ones((5, 4, 4, 512), np.float32)).shape
    (5, 512)
    """
    means: NDArray[np.float32] = embeddings.mean(
        axis=tuple(range(1, embeddings.ndim - 1)), dtype=np.float32
    )
    return means


def read_pooled(base: FrozenBase, digests: Sequence[str]) -> NDArray[np.float32]:
    """Read embeddings from a base's store and pool them, a few at a time.

    Parameters
    ----------
    base : FrozenBase
    digests : sequence of str, length n
        SHA-256 of the images.

    Returns
    -------
    ndarray of float32, shape (n, channels)
        Of shape (0, 0) if there are no digests.

    Raises
    ------
    CacheError
        If an embedding is missing, or not as it was committed.
    """
    blocks = [
        pool_embeddings(
            base.store.read(base.recipe.fingerprint, digests[start : start + _ROWS_PER_READ])
        )
        for start in range(0, len(digests), _ROWS_PER_READ)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32)
