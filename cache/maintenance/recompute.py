"""Compute some embeddings again with today's libraries, and compare them with the stored ones.

The cache knows nobody above it, so the package that can compute is found as a plug-in: the entry
point `recompute` of the group `frozen_features`.
"""

from __future__ import annotations

import random
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError
from toolkit.progress import Progress, silent

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
    """Compute up to `n` rows again, drawn from all recipes.

    Parameters
    ----------
    store : Store
        The cache.
    n : int
        How many rows; those whose image files are no longer where they were last seen are left out.
    weights : str
        Where the pretrained weights are, as for ``--weights``.
    progress : Progress
        Told of the computing.
    seed : int, optional
        Draws the same rows again.

    Returns
    -------
    str
        A sentence with the largest relative difference.

    Raises
    ------
    CacheError
        If nothing that can compute is installed, or no image file is left.
    """
    (found,) = entry_points(group="frozen_features", name="recompute") or (None,)
    if found is None:
        raise CacheError(
            "--sample needs the package extract installed: run pip install . in the repository"
        )
    compute: Recompute = found.load()
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
            "none of the image files is where it was last seen, so nothing is compared"
        )
    canonical = {recipe.fingerprint: recipe.canonical for recipe in store.recipes()}
    worst = 0.0
    for fingerprint, paths in chosen.items():
        stored = store.read(fingerprint, list(paths))
        fresh = compute(
            canonical[fingerprint], list(paths.values()), store.folder, weights, progress
        )
        worst = max(worst, relative_difference(stored, fresh))
    count = sum(map(len, chosen.values()))
    return f"{count} embeddings computed again: largest relative difference {worst:.1e}"


def relative_difference(stored: np.ndarray, fresh: np.ndarray) -> float:
    """Return the largest difference between two rows, relative to the norm of the stored one.

    Parameters
    ----------
    stored, fresh : numpy.ndarray of float32, shape (n, ...)

    Returns
    -------
    float

    Examples
    --------
    >>> relative_difference(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]))
    0.1
    """
    flat = stored.reshape(len(stored), -1).astype(np.float64)
    gaps = np.linalg.norm(fresh.reshape(flat.shape) - flat, axis=1)
    norms = np.maximum(np.linalg.norm(flat, axis=1), np.finfo(np.float32).tiny)
    return float((gaps / norms).max())
