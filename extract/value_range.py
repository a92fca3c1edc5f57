"""What is black and what is white in images of more than eight bits: decided over many, by rule.

How many bits a detector uses is not in its files. It is decided over the training images of a data
set, becomes part of the recipe, and holds for every image that comes later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract.images.decoders.pool import DecoderPool
from extract.images.depth import Values, bits_in_use, black_and_white
from extract.images.hashing import DEEP, DEPTH, hash_images
from extract.images.loading import BATCH_SIZE, ReadSettings, ahead
from toolkit.addresses import is_remote
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cache.store import Store
    from extract.recipe import Recipe

logger = logging.getLogger(__name__)

_DEEP_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".pgm", ".ppm", ".jp2", ".j2k"})
_VALUES = "values"


def find_deep(
    paths: Iterable[Path],
    store: Store,
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> dict[Path, str]:
    """Return the files of more than eight bits with their SHA-256.

    Only headers are read. Of the files at addresses, only those that are called like a format of
    more than eight bits are fetched.

    Parameters
    ----------
    paths : iterable of Path
        Image files.
    store : Store
        Remembers what was found.
    reading : ReadSettings, optional
        How many threads read.
    progress : Progress
        Called with the stage "hashing images".
    """
    candidates = [
        path for path in paths if not is_remote(path) or path.suffix.lower() in _DEEP_SUFFIXES
    ]
    digests, _ = hash_images(candidates, store, reading=reading, progress=progress)
    depths = store.notes.recall(DEPTH, list(digests.values()))
    return {path: digest for path, digest in digests.items() if depths.get(digest) == DEEP}


def with_value_range(
    recipe: Recipe,
    deep: Mapping[Path, str],
    store: Store,
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> Recipe:
    """Return a recipe that says what is black and white, as far as it does not say so already.

    Parameters
    ----------
    recipe : Recipe
        With the interpolation ``"lanczos4"``, it is returned as it is.
    deep : mapping from Path to str
        Files of more than eight bits with their SHA-256, as from `find_deep`. They are decoded if
        the store does not remember their values.
    store : Store
        Remembers the values.
    reading : ReadSettings, optional
        How files are read.
    progress : Progress
        Called with the stage "measuring values".
    """
    if recipe.interpolation == "lanczos4" or not deep:
        return recipe
    measured = _measure(deep, store, reading, progress)
    integers = [values for values in measured if values.integers]
    bits, black, white = recipe.bits, recipe.black, recipe.white
    others = [values for values in measured if not values.integers]
    if bits is None and integers:
        if all(values.fits_bits for values in integers):
            bits = bits_in_use(integers)
        else:
            others = measured
    if black is None and others:
        black, white = black_and_white(others)
    return dataclasses.replace(recipe, bits=bits, black=black, white=white)


def adapted(
    recipe: Recipe,
    paths: Iterable[Path],
    store: Store,
    *,
    origin: str = "over them together, because the training images say nothing of such values",
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> Recipe:
    """Return a recipe for images that come later: as it is, unless it says nothing of their values.

    What it does not say is decided over these images together, and logged.

    Parameters
    ----------
    recipe : Recipe
        Of the training.
    paths : iterable of Path
        Image files.
    store, reading, progress
        As for `with_value_range`.
    origin : str, optional
        For the log: over what it was decided.
    """
    if recipe.interpolation == "lanczos4":
        return recipe
    deep = find_deep(paths, store, reading=reading, progress=progress)
    changed = with_value_range(recipe, deep, store, reading=reading, progress=progress)
    if changed != recipe:
        logger.warning("%s", describe(changed, len(deep), origin))
    return changed


def describe(recipe: Recipe, n_deep: int, origin: str) -> str:
    """Say in a sentence what is black and white in images of more than eight bits.

    Parameters
    ----------
    recipe : Recipe
        From `with_value_range`.
    n_deep : int
        Number of such images.
    origin : str
        Over what it was decided, as ``"over the training images"``.
    """
    rules = []
    if recipe.bits is not None:
        rules.append(f"{recipe.bits} bits are in use, so {2**recipe.bits - 1:,} is white")
    if recipe.black is not None and recipe.white is not None:
        rules.append(
            f"floating-point or signed values from {recipe.black:.4g} (black) to "
            f"{recipe.white:.4g} (white)"
        )
    have = plural(n_deep, "image has", "images have")
    return f"{have} more than 8 bits, scaled as decided {origin}: {'; '.join(rules)}"


def _measure(
    deep: Mapping[Path, str], store: Store, reading: ReadSettings, progress: Progress
) -> list[Values]:
    """Return the values of each image, remembered or measured in the decoding processes."""
    measured: dict[str, Values] = {}
    for digest, text in store.notes.recall(_VALUES, list(deep.values())).items():
        with contextlib.suppress(ValueError):
            measured[digest] = Values.from_json(text)
    todo = [path for path, digest in deep.items() if digest not in measured]
    fresh: dict[str, Values] = {}
    if todo:
        with (
            ThreadPoolExecutor(reading.threads(todo), "measure") as pool,
            DecoderPool(1, reading.max_pixels, reading.processes) as decoders,
        ):
            results = ahead(pool, decoders.measure, todo, 2 * BATCH_SIZE)
            for done, (path, decoded) in enumerate(zip(todo, results, strict=True), 1):
                if decoded.values is not None and decoded.digest == deep[path]:
                    fresh[deep[path]] = decoded.values
                progress("measuring values", done, len(todo))
        store.notes.remember(_VALUES, {digest: v.to_json() for digest, v in fresh.items()})
    return list((measured | fresh).values())
