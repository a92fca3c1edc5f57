"""What can go wrong when classifiers are trained, kept and used; the tree is in `cache.errors`."""

from cache.errors import ToolkitError


class ClassifierError(ToolkitError, ValueError):
    """A classifier cannot be trained on this data, or with these parameters."""


class ModelError(ToolkitError, ValueError):
    """A saved model is missing, damaged, or holds something that is not ours."""
