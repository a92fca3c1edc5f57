"""Embeddings as one vector for each picture: the mean over height and width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.frozen import FrozenBase

_BLOCK = 128
"""Embeddings that are read together: 50 MB of a ResNet's at 224 pixels."""


def pooled(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over height and width of every embedding that has these.

    >>> pooled(np.ones((5, 4, 4, 512), np.float32)).shape
    (5, 512)
    """
    means: NDArray[np.float32] = embeddings.mean(
        axis=tuple(range(1, embeddings.ndim - 1)), dtype=np.float32
    )
    return means


def read_pooled(base: FrozenBase, digests: Sequence[str]) -> NDArray[np.float32]:
    """Read embeddings from a base's store, a few at a time, and return their means.

    Raises
    ------
    CacheError
        If one is not there, or not as it was committed.
    """
    blocks = [
        pooled(base.store.read(base.recipe.fingerprint, digests[start : start + _BLOCK]))
        for start in range(0, len(digests), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32)
