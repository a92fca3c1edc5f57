"""Recompute stored embeddings with the installed libraries, for `python -m cache verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from extract.frozen import FrozenBase
from extract.images.loading import load_images
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def recompute(
    canonical: str,
    paths: Sequence[Path],
    cache: Path,
    weights: str = "auto",
    progress: Progress = silent,
) -> np.ndarray:
    """Compute embeddings again, without using the stored ones.

    Parameters
    ----------
    canonical : str
        The recipe's JSON.
    paths : sequence of Path, length n
        Image files.
    cache : Path
        The cache folder, which may contain the weights.
    weights : str, default="auto"
        See `extract.backbones.weights.resolve`.
    progress : Progress
        Called with the stage "computing again".

    Returns
    -------
    numpy.ndarray of float32, shape (n, ...)

    Raises
    ------
    ToolkitError
        If the weights are not those that the recipe names, or a file cannot be used.
    """
    base = FrozenBase.from_dict(
        json.loads(canonical), weights=weights, cache=cache, progress=progress
    )
    engine = base.make_engine()
    images = load_images(paths, base.recipe.pixels)
    rows = []
    for done, image in enumerate(images, 1):
        rows.append(engine(image[np.newaxis]))
        progress("computing again", done, len(paths))
    return np.concatenate(rows)
