"""Embeddings on disk: immutable shards, one SQLite index, nothing computed twice."""

from cache.errors import CacheError, CacheSchemaError, CorruptCacheError
from cache.location import cache_folder
from cache.store import Store

__all__ = [
    "CacheError",
    "CacheSchemaError",
    "CorruptCacheError",
    "Store",
    "cache_folder",
]
