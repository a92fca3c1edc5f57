"""Errors of the extraction; `toolkit.errors` shows the whole tree."""

from toolkit.errors import ToolkitError


class DataError(ToolkitError, ValueError):
    """The data set cannot be used."""


class ImageError(DataError):
    """An image cannot be used; for a file, the message is only the reason."""


class ArchiveError(DataError):
    """An archive was rejected, and nothing of it was unpacked."""


class DownloadError(ToolkitError, OSError):
    """A file could not be downloaded, or is not the expected file."""


class WeightsError(ToolkitError, ValueError):
    """Pretrained weights are missing, or do not fit the backbone."""


class RecipeError(ToolkitError, ValueError):
    """A setting of the frozen base is not known or does not fit the backbone."""


class EngineError(ToolkitError, ImportError):
    """The engine for a computation is not installed, or cannot do it on this machine."""


class ClusterError(ToolkitError, OSError):
    """The machines of a cluster cannot compute, or were lost."""
