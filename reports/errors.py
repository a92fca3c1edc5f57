"""What can go wrong when a run is read or rendered; the tree is in `toolkit.errors`."""

from toolkit.errors import ToolkitError


class RecordError(ToolkitError, ValueError):
    """A run folder does not hold a readable record."""
