"""Data sets whose embeddings are in a cache, without images and without a network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.store import Store
from extract.backbones.weights import Weights
from extract.datasets.dataset import Dataset, Item
from extract.frozen import FrozenBase
from extract.pipeline import ExtractionResult
from extract.prepare import Prepared
from extract.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IDENTITY = "ab" * 32
NAMES = ("plain.jpg", "new\nline.jpg", "=cmd().jpg", "caf\udce9.jpg", "Größe, 2.jpg")
"""What people and attackers call files."""


def prepared_of(
    folder: Path,
    n_rows: int = 12,
    shape: Sequence[int] = (2, 2, 3),
    *,
    names: Sequence[str] = (),
    **fields: Any,
) -> Prepared:
    """Return a data set of two classes, every third image in the test split.

    Parameters
    ----------
    folder : Path
        Gets a cache with the embeddings, which are random.
    n_rows : int
        Number of images.
    shape : sequence of int
        Of an embedding.
    names : sequence of str
        Of the first images; the others have numbers.
    **fields
        Of the data set.
    """
    recipe = Recipe(weights=IDENTITY, preprocessing="torch", size=32)
    store = Store(folder / "cache")
    root = (folder / "pictures").absolute()
    named = [*names, *(f"{i:06}.jpg" for i in range(len(names), n_rows))]
    items = tuple(
        Item(
            root / "ab"[i % 2] / name,
            "ab"[i % 2],
            "test" if i % 3 == 0 else "train",
            f"patient {i // 4}" if i % 5 else None,
        )
        for i, name in enumerate(named)
    )
    digests = {
        item.path: hashlib.sha256(f"{i}".encode("ascii")).hexdigest()
        for i, item in enumerate(items)
    }
    rng, keys = np.random.default_rng(0), list(digests.values())
    for start in range(0, n_rows, 4096):
        part = keys[start : start + 4096]
        rows = rng.random((len(part), *shape), dtype=np.float32)
        store.append(recipe.fingerprint, recipe.canonical, part, rows)
    base = FrozenBase(recipe, Weights("given", IDENTITY, "torch", None), store)
    dataset = Dataset("pictures", root, items, **{"group_origin": "column patient", **fields})
    return Prepared(dataset, base, ExtractionResult(digests, {}, n_rows, 0, 0.0), None)


class Guess:
    """Predicts class b with certainty, but cannot use the first file."""

    def __init__(self) -> None:
        self.classes = ["a", "b"]
        self.about = {"run": "run", "classifier": "guess"}
        self.embedded: list[Path] = []

    def embed(self, files: Sequence[Path]) -> None:
        self.embedded = list(files)

    def predict(self, files: Sequence[Path]) -> tuple[list[str | None], np.ndarray]:
        labels: list[str | None] = ["b"] * len(files)
        probabilities = np.tile([0.25, 0.75], (len(files), 1))
        if files[0] == self.embedded[0]:
            labels[0], probabilities[0] = None, np.nan
        return labels, probabilities
