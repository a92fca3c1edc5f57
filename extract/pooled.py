"""Embeddings as one vector per image: the mean over height and width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase

_ROWS_PER_READ = 128
"""Embeddings that are read together: 50 MB for a ResNet at 224 pixels."""


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
