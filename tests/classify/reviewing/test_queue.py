"""Which images are looked at, in which order, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classify.reviewing.queue import KINDS, MAX_PREDICTIONS, review_queue
from reports.records import Audit, Copy, Leak, Outlier, PictureRecord, PredictionRow, Suspect

if TYPE_CHECKING:
    import pytest

    from classify.reviewing.queue import QueuedImage


def pictures(n: int) -> list[PictureRecord]:
    return [PictureRecord(f"{i}.png", "cat", "train", f"{i:064x}") for i in range(n)]


def row(i: int, predicted: str, probability: float) -> PredictionRow:
    return PredictionRow("svm", f"{i}.png", "cat", predicted, probability)


def order(queue: list[QueuedImage]) -> list[str]:
    return [f"{queued.picture.path[0]} {queued.reasons[0].kind}" for queued in queue]


AUDIT = Audit(
    leaks=[Leak("3.png", "4.png", 1.0, exact=True), Leak("0.png", "4.png", 0.9, exact=False)],
    suspects=[
        Suspect("0.png", "train", "cat", "dog", 0.02, wrong=True),
        Suspect("1.png", "train", "cat", "fox", 0.4),
    ],
    outliers=[Outlier("5.png", "train", "cat", "tiny"), Outlier("1.png", "train", "cat", "dark")],
    accuracies_without_leaks={},
    seconds=1.0,
    copies=[
        Copy("2.png", "train", "cat", "6.png", "dog", "mirrored", 30),
        Copy("7.png", "train", "cat", "8.png", "cat"),
    ],
)


def test_findings_are_in_the_order_of_their_kinds() -> None:
    """Each image once; both images of a pair with different labels, and only the copy of others."""
    found = review_queue(pictures(10), AUDIT, [row(9, "cat", 0.6), row(3, "dog", 0.7)])
    assert order(found) == [
        *("0 suspect", "1 suspect", "2 conflict", "6 conflict", "3 leak"),
        *("5 outlier", "7 copy", "9 uncertain"),
    ]
    assert [reason.kind for reason in found[0].reasons] == ["suspect", "leak"]
    assert [reason.kind for reason in found[4].reasons] == ["leak", "mistake", "uncertain"]
    assert {reason.kind for queued in found for reason in queued.reasons} == set(KINDS)


def test_reasons_say_what_is_known() -> None:
    """In words, with the other image and the label that it may rather be."""
    found = {queued.picture.path: queued for queued in review_queue(pictures(10), AUDIT, [])}
    first = found["0.png"].reasons[0]
    assert "cat? Rather dog" in first.words
    assert first.suggests == "dog"
    copy = found["2.png"].reasons[0]
    assert copy.words.startswith("copy of another image: mirrored, labelled cat and dog")
    assert (copy.other, copy.suggests) == ("6.png", "dog")
    assert (found["6.png"].reasons[0].other, found["6.png"].reasons[0].suggests) == ("2.png", "cat")
    assert found["3.png"].reasons[0].other == "4.png"


def test_without_an_audit_predictions_are_looked_at() -> None:
    """The most certain mistake first, then the least certain answer; sure ones are left out."""
    rows = [row(0, "cat", 0.99), row(1, "cat", 0.8), row(2, "cat", 0.6), row(3, "dog", 0.7)]
    rows += [row(4, "dog", 0.9), row(5, "cat", 0.94999)]
    found = review_queue(pictures(6), None, rows)
    assert order(found) == ["4 mistake", "3 mistake", "2 uncertain", "1 uncertain", "5 uncertain"]
    assert found[0].prediction == rows[4]


def test_predictions_to_look_at_are_limited() -> None:
    rows = [row(i, "cat", 0.5 + i / 10_000) for i in range(1000)]
    found = review_queue(pictures(1000), None, rows)
    assert [queued.picture.path for queued in found] == [f"{i}.png" for i in range(MAX_PREDICTIONS)]


def test_findings_about_other_images_are_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert len(review_queue(pictures(1), AUDIT, [])) == 1
    assert "6 images of the run's findings are not among its images" in caplog.text
