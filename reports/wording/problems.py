"""What is wrong with an image, or with a pair of images, in words: a problem and its details."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.records import SAME_FILE
from reports.wording.text import count, inexact_percent, percents_apart

if TYPE_CHECKING:
    from reports.records import Copy, Leak, Suspect


def suspect_words(suspect: Suspect) -> tuple[str, str]:
    """Say which label is more probable, and why.

    Examples
    --------
    >>> from reports.records import Suspect
    >>> suspect_words(Suspect("1.jpg", "train", "cat", "dog", 0.02, wrong=True))
    ('cat? Rather dog', 'probably wrong, probability that its label is right 2.0%, in train')
    """
    return (
        f"{suspect.label}? Rather {suspect.likely}",
        f"{_why_suspect(suspect)}, in {suspect.split}",
    )


def _why_suspect(suspect: Suspect) -> str:
    """Say what makes a label suspect, with the probabilities that decided it."""
    label, likely = suspect.label_by_image, suspect.likely_by_image
    if suspect.wrong or label is None or likely is None:
        marked = "probably wrong, " if suspect.probability < 0.5 else "among the most suspect, "
        return (
            f"{marked if suspect.wrong else ''}probability that its label is right "
            f"{inexact_percent(suspect.probability)}"
        )
    shown_likely, shown_label = percents_apart(likely, label)
    return f"by the image alone {suspect.likely} {shown_likely}, {suspect.label} {shown_label}"


def leak_words(leak: Leak) -> tuple[str, str]:
    """Say how a test image is related to a training image, and why that is certain.

    Examples
    --------
    >>> from reports.records import Leak
    >>> leak_words(Leak("a.jpg", "b.jpg", 0.9, False, "cropped", 40))
    ('cropped', 'test and training, 40 points in the same places')
    """
    if leak.exact:
        return SAME_FILE, "test and training"
    if not leak.relation:  # of an earlier version
        return f"cosine similarity {leak.cosine:.2f}", "test and training"
    return leak.relation, f"test and training{_evidence(leak.inliers)}"


def copy_words(copy: Copy) -> tuple[str, str]:
    """Say how an image is related to another one, and which labels they have.

    Examples
    --------
    >>> from reports.records import Copy
    >>> copy_words(Copy("a.jpg", "train", "cat", "b.jpg", "dog"))
    ('the same file, labelled cat and dog', 'in train')
    >>> copy_words(Copy("a.jpg", "train", "cat", "b.jpg", "cat", of_split="test"))
    ('the same file', 'in train, the other in test')
    """
    problem = copy.relation
    if copy.label != copy.of_label:
        problem += f", labelled {copy.label} and {copy.of_label}"
    where = f"in {copy.split}"
    if copy.of_split not in ("", copy.split):
        where += f", the other in {copy.of_split}"
    return problem, f"{where}{_evidence(copy.inliers)}"


def _evidence(inliers: int) -> str:
    return f", {count(inliers)} points in the same places" if inliers else ""
