"""Embeddings on disk: immutable shards, one SQLite index, nothing computed twice."""

from typing import TYPE_CHECKING, Any

from cache.errors import CacheError, CacheSchemaError, CorruptCacheError
from cache.location import cache_folder

if TYPE_CHECKING:
    from cache.store import Store

__all__ = [
    "CacheError",
    "CacheSchemaError",
    "CorruptCacheError",
    "Store",
    "cache_folder",
]


def __getattr__(name: str) -> Any:
    """Import `Store` on first use: it needs NumPy, which a command's ``--help`` does not."""
    if name == "Store":
        from cache.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
