"""Recompute stored embeddings with the installed libraries, for `python -m cache verify`."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import numpy as np

from extract.errors import WeightsError
from extract.frozen import FrozenBase
from extract.images.loading import load_images
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
        See `extract.backbones.weights.resolve`. Of several, with commas between them, the first
        that the recipe names are taken.
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
    base = _base_of(
        json.loads(canonical), list(dict.fromkeys([weights, *weights.split(",")])), cache, progress
    )
    engine = base.make_engine()
    images = load_images(paths, base.recipe.pixels)
    rows = []
    for done, image in enumerate(images, 1):
        rows.append(engine(image[np.newaxis]))
        progress("computing again", done, len(paths))
    return np.concatenate(rows)


def _base_of(
    recipe: Mapping[str, object], sources: Sequence[str], cache: Path, progress: Progress
) -> FrozenBase:
    for source in sources[:-1]:
        with contextlib.suppress(WeightsError):
            return FrozenBase.from_dict(recipe, weights=source, cache=cache, progress=progress)
    return FrozenBase.from_dict(recipe, weights=sources[-1], cache=cache, progress=progress)
