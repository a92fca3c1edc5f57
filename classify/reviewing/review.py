"""A run whose labels are reviewed: its images, why they are doubtful, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from classify.errors import ReviewError
from classify.reviewing.commands import corrected_command
from classify.reviewing.corrections import CORRECTIONS_NAME, Corrections
from classify.reviewing.evidence import ImageEvidence
from classify.reviewing.job import RetrainingJob
from classify.reviewing.neighbours import Neighbours, cached_base
from classify.reviewing.queue import review_queue
from classify.reviewing.retraining import retrain
from classify.serving.classifier import SavedClassifier
from classify.serving.prediction import find_result
from extract.images.decoders.pool import DecoderPool
from extract.images.hashing import hash_file
from extract.images.loading import ReadSettings, default_workers
from extract.images.thumbnails import Thumbnails
from reports import tables
from reports.reading import read_record
from toolkit.addresses import as_path, file_state
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from classify.reviewing.queue import QueuedImage
    from classify.reviewing.retraining import Retrained
    from classify.serving.similar import Neighbour
    from reports.records import EvidenceRow, PictureRecord
    from toolkit.addresses import FileState

LARGE, SMALL = 1024, 128
"""Longest sides of the images that are shown, in pixels."""
STAGE = "loading the run"


class Review:
    """The labels of a run under review; use it as a context manager.

    Its methods may be called from any number of threads. Only ``corrections.csv`` is written.

    Parameters
    ----------
    folder : Path
        Of the run.
    classifier : str, default=None
        Name of one of the run's classifiers; None is the best one in validation.
    cache : str, default=None
        Cache folder with the run's embeddings; None is the default one.
    reading : ReadSettings, optional
        How large an image may be.
    progress : Progress, optional
        Called with the stage "loading the run".

    Attributes
    ----------
    run : reports.records.Run
    result : reports.records.Result
        The classifier's entry in it.
    pictures : list of PictureRecord
        All images of the run.
    queue : list of QueuedImage
        Those to look at.
    classes : list of str
        Sorted.
    corrections : Corrections
    retraining : RetrainingJob
    command : str
        What trains the run again with the corrections.

    Raises
    ------
    ReviewError
        If the run has no images, or another process is reviewing it.
    ToolkitError
        If the run, the cache or the file of corrections cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        classifier: str | None = None,
        *,
        cache: str | None = None,
        reading: ReadSettings = ReadSettings(),
        progress: Progress = silent,
    ) -> None:
        progress(STAGE, 0, 3)
        self.folder, self._classifier = folder, classifier
        self.run = read_record(folder)
        self.result = find_result(self.run, folder, classifier)
        self.pictures = self._read_pictures()
        self._predictions = [
            row
            for row in tables.read_predictions(folder / tables.PREDICTIONS_NAME)
            if row.classifier == self.result.classifier
        ]
        self.queue = review_queue(self.pictures, self.run.audit, self._predictions)
        labels = {picture.path: picture.label for picture in self.pictures}
        path = folder / CORRECTIONS_NAME
        self._base = cached_base(self.run, self.result, cache)
        self.corrections = Corrections(path, labels, self.run.data.classes)
        self.classes = sorted({*self.run.data.classes, *self.corrections.changes().values()} - {""})
        self.command = corrected_command(self.run.command, self.run.data.name, path)
        self.retraining = RetrainingJob(self._retrain)
        self._states: dict[str, tuple[FileState | None, str]] = {}
        # All of this at once: what is loaded later keeps a page waiting.
        progress(STAGE, 1, 3)
        self._neighbours = Neighbours(self._base, self.pictures, self.run.seed)
        progress(STAGE, 2, 3)
        self._evidence = ImageEvidence(folder, classifier, self._base, cache)
        for queued in self.queue[:1]:
            self.evidence(queued)
        progress(STAGE, 3, 3)
        self._decoders = DecoderPool(1, reading.max_pixels, default_workers())
        self._thumbnails = Thumbnails(self._decoders)

    def __enter__(self) -> Self:
        for queued in self.queue[:1]:  # it takes longer, because a process that decodes must start
            self.image(queued.picture, LARGE)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._decoders.__exit__(*exc_info)
        self.corrections.close()

    def image(self, picture: PictureRecord, size: int) -> bytes | None:
        """Return an image of the run as a JPEG, shrunk to a longest side; None if it is gone."""
        return self._thumbnails(self._path(picture), size)

    def problem(self, picture: PictureRecord) -> str:
        """Say why nothing can be decided about an image; "" if it is the one that the run had.

        Its bytes are read again only if the file seems to have changed.
        """
        path = self._path(picture)
        state = file_state(path)
        known = self._states.get(picture.path)
        if known is None or state is None or known[0] != state:
            known = state, self._compared(picture, path)
            self._states[picture.path] = known
        return known[1]

    def neighbours(self, picture: PictureRecord) -> list[Neighbour]:
        """Return the most similar training images besides the image itself."""
        return self._neighbours(picture)

    def evidence(self, queued: QueuedImage) -> list[EvidenceRow]:
        """Return where in an image the evidence lies: for what it may be, and for its label."""
        likely = [reason.suggests for reason in queued.reasons if reason.suggests]
        if queued.prediction is not None:
            likely.append(queued.prediction.predicted)
        labels = dict.fromkeys([*likely[:1], queued.picture.label])
        return self._evidence(queued.picture, list(labels))

    def _path(self, picture: PictureRecord) -> Path:
        return as_path(self.run.data.root, picture.path)

    def _compared(self, picture: PictureRecord, path: Path) -> str:
        hashed = hash_file(path)
        if hashed.digest is None:
            return f"The file of this image cannot be read any more: {hashed.reason}."
        if hashed.digest != picture.sha256:
            return (
                "The file of this image has changed since the run, so what is known about it is "
                "about another image. Run classify again."
            )
        return ""

    def _read_pictures(self) -> list[PictureRecord]:
        path = self.folder / tables.PICTURES_NAME
        pictures = tables.read_pictures(path) if self.run.data.root and path.exists() else []
        if not pictures:
            raise ReviewError(
                f"{self.folder} is a run on embeddings without images, or its "
                f"{tables.PICTURES_NAME} is missing; only labels of images can be reviewed"
            )
        return pictures

    def _retrain(self, progress: Progress) -> Retrained:
        return retrain(
            SavedClassifier(self.folder, self._classifier),
            self._base,
            self.pictures,
            self._predictions,
            self.corrections.changes(),
            progress,
        )
