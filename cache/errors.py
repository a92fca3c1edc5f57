"""Errors of the embedding cache; the whole tree is in `toolkit.errors`."""

from toolkit.errors import ToolkitError


class CacheError(ToolkitError, OSError):
    """The cache folder cannot be used as asked."""


class CorruptCacheError(CacheError):
    """Bytes in the cache are not the bytes that were committed."""


class CacheSchemaError(CacheError):
    """The cache was written by a version of the toolkit with another layout."""
