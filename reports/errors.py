"""What can go wrong when a run is read or rendered; the tree is in `cache.errors`."""

from cache.errors import ToolkitError


class RecordError(ToolkitError, ValueError):
    """A run folder does not hold a readable record."""
