"""Errors of training, saving and using classifiers; the tree is in `toolkit.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from pathlib import Path

    from reports.record import Run


class ClassifierError(ToolkitError, ValueError):
    """A classifier cannot be trained on this data, or with these parameters."""


class ModelError(ToolkitError, ValueError):
    """A saved model is missing, damaged, or holds something that is not ours."""


class RunStopped(KeyboardInterrupt):
    """Ctrl-C has stopped a run that has written what was finished by then.

    Parameters
    ----------
    message : str
    folder : Path
        Of the run.
    run : reports.record.Run
        The content of its run.json; `run.not_done` is what is left to do.
    """

    def __init__(self, message: str, folder: Path, run: Run) -> None:
        super().__init__(message)
        self.folder, self.run = folder, run
