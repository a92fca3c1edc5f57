"""The images of a run to look at, the most doubtful first, each with everything against it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.wording.problems import copy_words, leak_words, suspect_words
from reports.wording.text import inexact_percent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reports.records import Audit, PictureRecord, PredictionRow

MAX_PREDICTIONS = 300
"""Wrong predictions, and uncertain ones, that are looked at."""
UNCERTAIN = 0.95
"""A prediction that is less probable is uncertain."""
KINDS = {
    "suspect": "Suspect labels",
    "conflict": "Copies with different labels",
    "leak": "Test images in training",
    "outlier": "Outliers",
    "copy": "Copies",
    "mistake": "Wrong predictions",
    "uncertain": "Uncertain predictions",
}
"""What can be wrong with an image, in the order of the queue, and what a page calls it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reason:
    """Why an image is looked at.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    words : str
        The same for people, with what makes it certain.
    other : str, optional
        Path of the image that it is a copy of, or resembles.
    suggests : str, optional
        A label that may be right instead.
    """

    kind: str
    words: str
    other: str | None = None
    suggests: str | None = None


@dataclass(frozen=True)
class QueuedImage:
    """An image to look at.

    Parameters
    ----------
    picture : PictureRecord
        With its label and split in the run.
    reasons : tuple of Reason
        The first one has decided its place.
    prediction : PredictionRow or None
        Of the chosen classifier; None for a training image.
    """

    picture: PictureRecord
    reasons: tuple[Reason, ...]
    prediction: PredictionRow | None


def review_queue(
    pictures: Iterable[PictureRecord],
    audit: Audit | None,
    predictions: Sequence[PredictionRow],
) -> list[QueuedImage]:
    """Return the images to look at: each once, with all reasons.

    Parameters
    ----------
    pictures : iterable of PictureRecord
        All images of the run.
    audit : Audit or None
        What the run's audit has found, if there was one.
    predictions : sequence of PredictionRow
        Of one classifier, for the test images.

    Returns
    -------
    list of QueuedImage
        Suspect labels first, the most doubtful one before the others; then the other `KINDS`.

    Examples
    --------
    >>> from reports.records import PictureRecord, PredictionRow
    >>> pictures = [PictureRecord(f"{i}.png", "cat", "test", "0" * 64) for i in range(2)]
    >>> rows = [
    ...     PredictionRow("svm", "0.png", "cat", "cat", 0.6),
    ...     PredictionRow("svm", "1.png", "cat", "dog", 0.9),
    ... ]
    >>> [(one.picture.path, one.reasons[0].words) for one in review_queue(pictures, None, rows)]
    [('1.png', 'predicted as dog (90.0%)'), ('0.png', 'cat with a probability of only 60.0%')]
    """
    by_path = {picture.path: picture for picture in pictures}
    reasons: dict[str, list[Reason]] = {}
    found = [*(_of_audit(audit) if audit else ()), *_of_predictions(predictions)]
    order = {kind: place for place, kind in enumerate(KINDS)}
    for path, reason in sorted(found, key=lambda pair: order[pair[1].kind]):
        reasons.setdefault(path, []).append(reason)
    unknown = [path for path in reasons if path not in by_path]
    if unknown:
        logger.warning(
            "%s of the run's findings are not among its images, for example %s, and not shown",
            plural(len(unknown), "image"),
            unknown[0],
        )
    predicted = {row.path: row for row in predictions}
    return [
        QueuedImage(by_path[path], tuple(of_image), predicted.get(path))
        for path, of_image in reasons.items()
        if path in by_path
    ]


def _of_audit(audit: Audit) -> Iterator[tuple[str, Reason]]:
    for suspect in audit.suspects:
        words = "; ".join(suspect_words(suspect))
        yield suspect.path, Reason("suspect", words, suggests=suspect.likely)
    for leak in audit.leaks:
        problem, detail = leak_words(leak)
        yield (
            leak.test,
            Reason("leak", f"resembles an image in training: {problem}; {detail}", leak.train),
        )
    for copy in audit.copies:
        kind = "copy" if copy.label == copy.of_label else "conflict"
        words = "; ".join(copy_words(copy))
        yield copy.path, Reason(kind, f"copy of another image: {words}", copy.of, copy.of_label)
        if kind == "conflict":  # either label may be the wrong one
            yield copy.of, Reason(kind, f"has a copy: {words}", copy.path, copy.label)
    for outlier in audit.outliers:
        yield outlier.path, Reason("outlier", f"outlier: {outlier.reason}")


def _of_predictions(rows: Sequence[PredictionRow]) -> Iterator[tuple[str, Reason]]:
    """Return the most certain wrong predictions, and the least certain ones of all."""
    wrong = sorted(
        (row for row in rows if row.predicted != row.true), key=lambda row: -row.probability
    )
    for row in wrong[:MAX_PREDICTIONS]:
        share = inexact_percent(row.probability)
        words = f"predicted as {row.predicted} ({share})"
        yield row.path, Reason("mistake", words, suggests=row.predicted)
    uncertain = sorted(
        (row for row in rows if row.probability < UNCERTAIN), key=lambda row: row.probability
    )
    for row in uncertain[:MAX_PREDICTIONS]:
        share = inexact_percent(row.probability)
        yield row.path, Reason("uncertain", f"{row.predicted} with a probability of only {share}")
