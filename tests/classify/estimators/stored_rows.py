"""Rows of overlapping classes, and stores that have them on disk."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from cache.store import Store
from classify.estimators.rows import RowsOnDisk
from extract.frozen import FrozenBase
from extract.recipe import Recipe

RECIPE = Recipe(weights="0" * 64, preprocessing="torch", pooling="avg")
NAMES = ["ant", "bee", "cow", "dog", *(f"species {i:02}" for i in range(96))]


def blobs(n_classes, n_samples=2000, n_features=64, noise=0.8, seed=0):
    """Return overlapping classes of positive features, sorted by class as on disk."""
    y = np.sort(np.arange(n_samples) % n_classes)
    centres = np.random.default_rng(5).random((n_classes, n_features))
    noises = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    X = 20 * np.maximum(centres[y] + noise * noises, 0)
    return X.astype(np.float32), np.array(NAMES)[y]


def digest(i):
    return hashlib.sha256(b"%d" % i).hexdigest()


def stored(folder, X, kind=RowsOnDisk):
    """Commit rows to a store, 64 in a shard, and return them as they lie there."""
    base = FrozenBase(RECIPE, None, Store(folder))
    names = [digest(i) for i in range(len(X))]
    for start in range(0, len(X), 64):
        some = slice(start, start + 64)
        base.store.append(RECIPE.fingerprint, RECIPE.canonical, names[some], X[some])
    return kind(base.embeddings, names)


@dataclass(frozen=True)
class Watched(RowsOnDisk):
    """Rows on disk that note which of them were read, and how many together."""

    batches_read: list = field(default_factory=list)

    def __getitem__(self, positions):
        self.batches_read.append([self.keys[i] for i in positions])
        return super().__getitem__(positions)
