"""What the server of a review answers, as JSON can hold it; every text can be shown as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from classify.experiment.recording import conversion
from classify.serving.web.evidence import EvidenceResponse, evidence_responses
from reports.wording.differences import comparison_sentence
from reports.wording.text import inexact_percent, percent
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from classify.evaluation.relabelled import RelabelledResult
    from classify.reviewing.job import JobState
    from classify.reviewing.queue import QueuedImage
    from classify.reviewing.retraining import Flip, Retrained
    from classify.reviewing.review import Review

CLASSES_WITH_KEYS = 9
"""If there are more classes, those that an image may belong to have keys."""
FLIPS_SHOWN = 60
NAMES = {
    "before": "the classifier of the run",
    "after": "the one with corrected labels",
}


@dataclass(frozen=True)
class DecisionState:
    """What is decided about the image of this number in the queue; labels are numbers of classes.

    `label` is None if the image is left out, `decision` if nothing is decided.
    """

    number: int
    label: int | None
    decision: str | None
    version: int


@dataclass(frozen=True)
class QueueEntry:
    """An image of the queue: why it is looked at, and what is decided."""

    kinds: list[str]
    state: DecisionState


@dataclass(frozen=True)
class QueueAnswer:
    """All images to look at; `revision` counts the decisions."""

    revision: int
    entries: list[QueueEntry]


@dataclass(frozen=True)
class OtherImage:
    """Another image of the run: its number among all of them, and what it shows."""

    image: int
    name: str
    label: str
    relation: str


@dataclass(frozen=True)
class ImageAnswer:
    """An image to look at.

    `image` is its number among all images of the run. `problem` says why nothing can be decided.
    `choices` are the classes that have keys, `label` is that of the run.
    """

    number: int
    image: int
    name: str
    split: str
    label: int
    prediction: str
    reasons: list[str]
    problem: str
    choices: list[int]
    others: list[OtherImage]


@dataclass(frozen=True)
class DecisionAnswer:
    """The state of the image that was decided, and of all that were since the client's revision."""

    revision: int
    state: DecisionState
    changes: list[DecisionState]


@dataclass(frozen=True)
class FlipAnswer:
    """A test image that is predicted otherwise than before."""

    image: int
    name: str
    words: str


@dataclass(frozen=True)
class FlipGroup:
    """Test images that are predicted otherwise, of one kind; the first ones are shown."""

    title: str
    number: int
    flips: list[FlipAnswer]


@dataclass(frozen=True)
class RetrainingAnswer:
    """How far the training is, or what it has shown, in sentences."""

    running: bool
    stage: str
    done: int
    total: int
    problem: str
    sentences: list[str]
    groups: list[FlipGroup]


class Answers:
    """Turns what is known about a review into answers.

    Parameters
    ----------
    review : Review
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._codes = {label: code for code, label in enumerate(review.classes)}
        self._images = {picture.path: i for i, picture in enumerate(review.pictures)}
        self._numbers = {queued.picture.path: i for i, queued in enumerate(review.queue)}

    def queue(self) -> QueueAnswer:
        """Return all images to look at."""
        revision = self._review.corrections.revision
        entries = [
            QueueEntry(
                list(dict.fromkeys(reason.kind for reason in queued.reasons)),
                self.state(queued.picture.path),
            )
            for queued in self._review.queue
        ]
        return QueueAnswer(revision, entries)

    def state(self, path: str) -> DecisionState:
        """Return what is decided about an image of the queue."""
        state = self._review.corrections.state(path)
        code = self._codes[state.label] if state.label else None
        return DecisionState(self._numbers[path], code, state.decision, state.version)

    def decided(self, path: str, revision: int) -> DecisionAnswer:
        """Return the state of an image, and what was decided since a revision."""
        corrections = self._review.corrections
        now = corrections.revision
        changes = [
            self.state(other)
            for other in corrections.decided_since(revision)
            if other in self._numbers
        ]
        return DecisionAnswer(now, self.state(path), changes)

    def image(self, number: int, queued: QueuedImage) -> ImageAnswer:
        """Return an image to look at."""
        picture, prediction = queued.picture, queued.prediction
        predicted = ""
        if prediction is not None:
            share = inexact_percent(prediction.probability)
            predicted = printable(f"{prediction.predicted} ({share})")
        return ImageAnswer(
            number=number,
            image=self._images[picture.path],
            name=printable(picture.path),
            split=picture.split,
            label=self._codes[picture.label],
            prediction=predicted,
            reasons=[printable(reason.words) for reason in queued.reasons],
            problem=printable(self._review.problem(picture)),
            choices=self._choices(queued),
            others=[
                self._other(reason.other, "in training" if reason.kind == "leak" else "copy")
                for reason in queued.reasons
                if reason.other in self._images
            ],
        )

    def neighbours(self, queued: QueuedImage) -> list[OtherImage]:
        """Return the training images that are most similar to an image."""
        return [
            self._other(near.picture.path, f"{near.similarity:.2f}")
            for near in self._review.neighbours(queued.picture)
        ]

    def evidence(self, queued: QueuedImage) -> list[EvidenceResponse]:
        """Return where in an image the evidence lies, with one scale."""
        return evidence_responses(self._review.evidence(queued), self._review.run.data.classes)

    def retraining(self, job: JobState) -> RetrainingAnswer:
        """Return how far a training is, or what it has shown."""
        found = job.retrained
        return RetrainingAnswer(
            running=job.is_running,
            stage=printable(job.stage),
            done=job.done,
            total=job.total,
            problem=printable(job.problem),
            sentences=[] if found is None else sentences(found),
            groups=[] if found is None else self._groups(found),
        )

    def _choices(self, queued: QueuedImage) -> list[int]:
        """Return the classes that have keys: all of a few, or those that the image may be of."""
        if len(self._codes) <= CLASSES_WITH_KEYS:
            return list(self._codes.values())
        likely = [queued.picture.label, *(reason.suggests for reason in queued.reasons)]
        if queued.prediction is not None:
            likely.append(queued.prediction.predicted)
        codes = [self._codes[label] for label in likely if label in self._codes]
        return list(dict.fromkeys(codes))[:CLASSES_WITH_KEYS]

    def _other(self, path: str | None, relation: str) -> OtherImage:
        assert path is not None
        label = self._review.corrections.state(path).label
        shown = printable(label) if label else "left out"
        return OtherImage(self._images[path], printable(path), shown, relation)

    def _groups(self, found: Retrained) -> list[FlipGroup]:
        titles: Mapping[tuple[bool, str], str] = {
            (False, "gained"): "Now correct",
            (False, "lost"): "No longer correct",
            (False, "other"): "Wrong before and after",
            (True, "any"): "Label changed, and predicted otherwise",
        }
        by_title: dict[str, list[Flip]] = {title: [] for title in titles.values()}
        for flip in found.flips:
            kind = "any" if flip.is_relabelled else _kind(flip)
            by_title[titles[flip.is_relabelled, kind]].append(flip)
        return [
            FlipGroup(title, len(flips), [self._flip(flip) for flip in flips[:FLIPS_SHOWN]])
            for title, flips in by_title.items()
            if flips
        ]

    def _flip(self, flip: Flip) -> FlipAnswer:
        words = f"label {flip.label}; predicted {flip.before}, now {flip.after}"
        return FlipAnswer(self._images[flip.path], printable(flip.path), printable(words))


def _kind(flip: Flip) -> str:
    if flip.label == flip.after:
        return "gained"
    return "lost" if flip.label == flip.before else "other"


def sentences(found: Retrained) -> list[str]:
    """Say what corrected labels change; those of test images apart, with a caution.

    Examples
    --------
    >>> from classify.evaluation.relabelled import RelabelledResult
    >>> from classify.reviewing.retraining import Retrained
    >>> before = RelabelledResult(2, 0, 98, 90, 0.85, 0.95)
    >>> after = RelabelledResult(2, 1, 98, 94, 0.90, 0.98)
    >>> for line in sentences(Retrained(12, 1, before, after, None, [])):
    ...     print(line)  # doctest: +NORMALIZE_WHITESPACE
    Trained with 12 corrected labels, without 1 training image.
    Accuracy on the 98 test images whose label was not changed: 95.9% (95% interval 90.0% to 98.0%);
    in the run 91.8% (95% interval 85.0% to 95.0%).
    Of the 2 test images whose label was changed, 1 is predicted correctly, and 0 in the run. They
    are not counted: a label that was changed because the classifier doubts it makes the classifier
    look better than it is.
    """
    first = f"Trained with {plural(found.n_relabelled, 'corrected label')}"
    if found.n_left_out:
        first += f", without {plural(found.n_left_out, 'training image')}"
    lines = [f"{first}."]
    n_others, n_changed = found.after.n_others, found.after.n_relabelled
    if n_others:
        lines.append(
            f"Accuracy on the {plural(n_others, 'test image')} whose label was not changed: "
            f"{_accuracy(found.after)}; in the run {_accuracy(found.before)}."
        )
    if found.comparison is not None:
        [pair] = conversion.comparisons([found.comparison])
        said = comparison_sentence(pair, n_others, NAMES)
        lines.append(f"{said[0].upper()}{said[1:]}.")
    if n_changed:
        n_correct = found.after.n_relabelled_correct
        lines.append(
            f"Of the {plural(n_changed, 'test image')} whose label was changed, {n_correct:,} "
            f"{'is' if n_correct == 1 else 'are'} predicted correctly, and "
            f"{found.before.n_relabelled_correct:,} in the run. They are not counted: a label that "
            "was changed because the classifier doubts it makes the classifier look better than it "
            "is."
        )
    return [printable(line) for line in lines]


def _accuracy(found: RelabelledResult) -> str:
    low, high = found.others_low, found.others_high
    return (
        f"{percent(found.n_others_correct / found.n_others)} (95% interval {percent(low)} to "
        f"{percent(high)})"
    )
