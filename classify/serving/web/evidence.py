"""Evidence for what an image shows, as JSON can hold it; every text can be shown as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.pages.evidence.section import overlays
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import EvidenceRow


@dataclass(frozen=True)
class EvidenceResponse:
    """What each place of an image adds to the score of a class.

    `map` is row by row from the top and adds up, with `intercept`, to `score`; the places begin and
    end at `start` and `end`, as shares of the sides of what the network sees. `overlay` is the map
    as a transparent PNG in Base64; what counts against the class is blue and, of two classes,
    counts for the `other`. `caution` is empty unless what belongs to no place outweighs the places.
    """

    label: str
    other: str | None
    score: float
    intercept: float
    exact: bool
    start: float
    end: float
    map: list[list[float]]
    sentence: str
    sum: str
    caution: str
    overlay: str


def evidence_responses(
    rows: Sequence[EvidenceRow], classes: Sequence[str]
) -> list[EvidenceResponse]:
    """Return the evidence for some classes, with one scale.

    Parameters
    ----------
    rows : sequence of EvidenceRow
        Of one image.
    classes : sequence of str
        Those of the classifier.
    """
    shown = overlays(rows, classes) if rows else []
    return [
        EvidenceResponse(
            label=printable(row.label),
            other=None if overlay.other is None else printable(overlay.other),
            score=row.score,
            intercept=row.intercept,
            exact=row.exact,
            start=row.start,
            end=row.end,
            map=row.map,
            sentence=printable(overlay.sentence),
            sum=printable(overlay.sum),
            caution=printable(overlay.caution),
            overlay=overlay.image,
        )
        for row, overlay in zip(rows, shown, strict=True)
    ]
