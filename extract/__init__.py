"""Images -> embeddings: a frozen convolutional base, run once over every picture."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from extract.errors import (
    ArchiveError,
    DataError,
    DownloadError,
    ImageError,
    RecipeError,
    WeightsError,
)
from extract.recipe import Recipe

if TYPE_CHECKING:
    from extract.datasets.dataset import Dataset
    from extract.datasets.load import load_dataset
    from extract.embedder import Embedder
    from extract.embedding_files.load import load_embeddings

__all__ = [
    "ArchiveError",
    "DataError",
    "Dataset",
    "DownloadError",
    "Embedder",
    "ImageError",
    "Recipe",
    "RecipeError",
    "WeightsError",
    "load_dataset",
    "load_embeddings",
]


_LAZY = {
    "Dataset": "extract.datasets.dataset",
    "Embedder": "extract.embedder",
    "load_dataset": "extract.datasets.load",
    "load_embeddings": "extract.embedding_files.load",
}
"""Imported on first use, because scikit-learn and OpenCV take over a second to import."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
