"""What an export needs of a saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import DecisionRule
    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from extract.frozen import FrozenBase
    from reports.records import Result, Run


class SavedModel(Protocol):
    """A trained classifier of a run with its frozen base; see `classify.serving.model.Model`."""

    run: Run
    result: Result
    rule: DecisionRule
    estimator: Classifier
    base: FrozenBase

    @property
    def folder(self) -> Path:
        """Folder of the run."""

    @property
    def max_pixels(self) -> int:
        """Width times height up to which an image is decoded."""

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, in the order of the columns of the probabilities."""

    def find_familiarity(self, reject: float | None = None) -> Familiarity | None:
        """Return what images are compared with; None if the run has not saved it."""

    def assess(
        self, images: Any, familiarity: Familiarity | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probabilities of images, and how familiar they are."""
