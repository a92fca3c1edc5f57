"""Errors of the embedding cache; the whole tree is in `toolkit.errors`."""

from toolkit.errors import ToolkitError

REPAIR_HINT = "run python -m cache repair, then the same command again"
"""What to do after a `CorruptCacheError`, for the end of its message."""


class CacheError(ToolkitError, OSError):
    """The cache folder cannot be used as requested."""


class CorruptCacheError(CacheError):
    """Bytes in the cache differ from those that were committed."""


class CacheSchemaError(CacheError):
    """The cache was written by a version of the toolkit with another layout."""
