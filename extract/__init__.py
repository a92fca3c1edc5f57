"""Images -> embeddings: a frozen convolutional base, run once over every picture."""

from __future__ import annotations

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
    from extract.embedder import Embedder

__all__ = [
    "ArchiveError",
    "DataError",
    "DownloadError",
    "Embedder",
    "ImageError",
    "Recipe",
    "RecipeError",
    "WeightsError",
]


def __getattr__(name: str) -> Any:
    """Import `Embedder` when it is asked for: scikit-learn takes over a second to import."""
    if name == "Embedder":
        from extract.embedder import Embedder

        return Embedder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
