"""Compute some embeddings again with the current libraries, and compare them with the stored ones.

The cache does not import the packages above it. It finds the one that computes embeddings as a
plug-in: the entry point `recompute` of the group `frozen_features`.
"""

from __future__ import annotations

import random
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cache.store import Store

    Recompute = Callable[[str, Sequence[Path], Path, str, Progress], np.ndarray]


def recompute(
    store: Store,
    n: int,
    weights: str = "auto",
    progress: Progress = silent,
    seed: int | None = None,
) -> str:
    """Compute up to `n` embeddings again, drawn at random from all recipes.

    Parameters
    ----------
    store : Store
        The cache.
    n : int
        The number of embeddings. Those whose image files have moved or changed are left out.
    weights : str, default="auto"
        The pretrained weights, see `extract.backbones.weights.resolve`.
    progress : Progress, default=silent
        Is called while computing.
    seed : int, default=None
        Draws the same embeddings again.

    Returns
    -------
    str
        A sentence with the largest relative difference.

    Raises
    ------
    CacheError
        If the package that computes embeddings is not installed, or no image file is left.
    """
    (entry_point,) = entry_points(group="frozen_features", name="recompute") or (None,)
    if entry_point is None:
        raise CacheError(
            "only an installed package extract can compute embeddings again: run pip install . in "
            "the repository",
            setting="sample",
        )
    compute: Recompute = entry_point.load()
    rows = [row for shard in store.index.shards() for row in store.index.rows_of(shard)]
    random.Random(seed).shuffle(rows)  # noqa: S311 - a sample, not a secret
    chosen: dict[str, dict[str, Path]] = {}
    for row in rows:
        path = store.path_of(row.digest)
        if path is not None:
            chosen.setdefault(row.fingerprint, {})[row.digest] = path
        if sum(map(len, chosen.values())) == n:
            break
    if not chosen:
        raise CacheError(
            "none of the image files is where it was last seen, so there is nothing to compare; "
            "run python -m extract on them first"
        )
    canonical = {recipe.fingerprint: recipe.canonical for recipe in store.recipes()}
    worst = 0.0
    for fingerprint, paths in chosen.items():
        stored = store.read(fingerprint, list(paths))
        fresh = compute(
            canonical[fingerprint], list(paths.values()), store.folder, weights, progress
        )
        worst = max(worst, relative_difference(stored, fresh))
    count = plural(sum(map(len, chosen.values())), "embedding")
    return f"{count} computed again: largest relative difference {worst:.1e}"


def relative_difference(stored: np.ndarray, fresh: np.ndarray) -> float:
    """Return the largest difference between two rows, relative to the norm of the stored one.

    Parameters
    ----------
    stored, fresh : numpy.ndarray of float32, shape (n, ...)
        Embeddings of the same images.

    Returns
    -------
    float
        0 if they are equal.

    Examples
    --------
    >>> relative_difference(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]))
    0.1
    """
    flat = stored.reshape(len(stored), -1).astype(np.float64)
    gaps = np.linalg.norm(fresh.reshape(flat.shape) - flat, axis=1)
    norms = np.maximum(np.linalg.norm(flat, axis=1), np.finfo(np.float32).tiny)
    return float((gaps / norms).max())
