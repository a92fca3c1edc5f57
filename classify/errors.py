"""Errors of training, saving and using classifiers; the tree is in `toolkit.errors`."""

from toolkit.errors import ToolkitError


class ClassifierError(ToolkitError, ValueError):
    """A classifier cannot be trained on this data, or with these parameters."""


class ModelError(ToolkitError, ValueError):
    """A saved model is missing, damaged, or holds something that is not ours."""


class ReviewError(ToolkitError, OSError):
    """The labels of a run cannot be reviewed, or a decision cannot be saved."""
