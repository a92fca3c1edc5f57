"""Errors between a data set's name and its embeddings; the tree is in `toolkit.errors`."""

from toolkit.errors import ToolkitError


class DataError(ToolkitError, ValueError):
    """The data set is not one that can be worked on."""


class ImageError(DataError):
    """A file cannot be used as an image; the message is the reason alone."""


class ArchiveError(DataError):
    """An archive was refused; nothing of it was unpacked."""


class DownloadError(ToolkitError, OSError):
    """A file could not be fetched, or is not the file that was expected."""


class WeightsError(ToolkitError, ValueError):
    """Pretrained weights are missing, or do not fit the backbone."""


class RecipeError(ToolkitError, ValueError):
    """A recipe asks for something that no backbone can give."""


class EngineError(ToolkitError, ImportError):
    """The engine that a computation needs is not installed, or cannot do it on this machine."""


class ClusterError(ToolkitError, OSError):
    """The machines that were to compute cannot, or are gone."""
