"""The error of reading or rendering a run; `toolkit.errors` shows all errors."""

from toolkit.errors import ToolkitError


class RecordError(ToolkitError, ValueError):
    """A run folder does not hold a readable record."""
