"""Evidence as the record of a run, and the tables of predictions, hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.records import EvidenceRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from classify.explaining.evidence import Evidence


def evidence_row(
    evidence: Evidence,
    members: Sequence[int] | NDArray[np.intp],
    names: Sequence[str],
    label: str,
    *,
    classifier: str,
    path: str = "",
) -> EvidenceRow:
    """Return the evidence of an image, or the mean over several, as a record.

    Parameters
    ----------
    evidence : Evidence
    members : sequence of int
        Positions of the images, at least one; all of them have the class explained.
    names : sequence of str
        The classes of the classifier.
    label : str
        The class that is explained. Of two classes, the second was: what counts against it counts
        for the first.
    classifier : str
        Its name in the run.
    path : str, default=""
        Of the image.
    """
    sign = -1.0 if len(names) == 2 and label == names[0] else 1.0
    start, end = evidence.extent
    return EvidenceRow(
        classifier=classifier,
        path=path,
        label=label,
        n_images=len(members),
        score=sign * float(evidence.scores[members].mean()),
        intercept=sign * float(evidence.intercept[members].mean()),
        exact=evidence.exact,
        start=float(start),
        end=float(end),
        map=(sign * evidence.maps[members].mean(axis=0)).tolist(),
    )
