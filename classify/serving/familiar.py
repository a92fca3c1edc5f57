"""How familiar new images are to a saved model, from the file in the folder of its run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from classify import persistence
from classify.errors import ModelError
from classify.evaluation.unfamiliar.rejection import fewest_samples

if TYPE_CHECKING:
    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from reports.records import Result, Run

ANY_SHARE = 0.5
"""To refuse so many takes one training image; for whoever only wants to know the familiarity."""

logger = logging.getLogger(__name__)


def find_familiarity(
    run: Run, result: Result, folder: Path, reject: float | None = None
) -> Familiarity | None:
    """Return what new images are compared with; None if the run has not saved it.

    Parameters
    ----------
    run : Run
    result : Result
        Of the classifier that predicts.
    folder : Path
        Of the run.
    reject : float, optional
        Share of familiar images that may be refused. If images are to be refused, it is an error
        that they cannot be; else there is a warning if the file is missing or damaged.

    Raises
    ------
    ClassifierError
        If `reject` is not a share.
    ModelError
        If images cannot be refused.
    """
    needed = 0 if reject is None else fewest_samples(reject)
    base = run.base_of(result)
    if base.familiarity is None:
        if reject is None:
            return None
        raise ModelError(_reason(base.backbone, run, result, folder), setting="reject")
    if base.familiarity.n_images < needed:
        raise ModelError(
            f"to refuse at most {reject:.2%} of familiar images takes at least {needed:,} training "
            f"images, and {folder} was fitted on {base.familiarity.n_images:,}; choose a larger "
            "share, or train on more images",
            setting="reject",
        )
    # Only the name counts: a record cannot have a file outside of its folder read.
    file = folder / Path(base.familiarity.file).name
    try:
        return persistence.load_familiarity(file, base.familiarity.sha256)
    except ModelError as error:
        if reject is not None:
            raise
        logger.warning("%s; it is not said how familiar images are", error)
        return None


def _reason(backbone: str, run: Run, result: Result, folder: Path) -> str:
    """Say why a run cannot refuse images, and what to do."""
    if any(base.familiarity is not None for base in run.bases):
        others = [
            other.classifier for other in run.results if run.base_of(other).familiarity is not None
        ]
        advice = f"choose one of: {', '.join(others)}" if others else "train another classifier"
        return (
            f"{result.classifier!r} cannot refuse images: how familiar an image is, is not known "
            f"for {backbone}; {advice}"
        )
    return (
        f"{folder} has not saved how familiar images are, because an earlier version made the run "
        "or it has too few training images; train again, with more images if they are few"
    )
