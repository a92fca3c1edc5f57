"""A saved model kept ready: one image at a time in, probabilities and similar images out."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from classify.explaining.evidence import Explainer
from classify.explaining.records import evidence_row
from classify.serving.batches import Batches
from classify.serving.model import Model
from classify.serving.prediction import is_refused, is_undecided
from classify.serving.similar import SimilarImages
from extract.errors import ImageError
from extract.images.decoders.pool import DecoderPool
from extract.images.files import check_size
from extract.images.loading import ReadSettings
from extract.images.thumbnails import Thumbnails
from extract.stored import pool_embeddings
from reports import tables
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.serving.similar import Neighbour
    from reports.records import EvidenceRow, PictureRecord

N_NEIGHBOURS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LivePrediction:
    """What a model predicts for one image, and which training images are most like it.

    Parameters
    ----------
    label : str
        The answer.
    probability : float
        Of that class, in [0, 1].
    undecided : bool
        Whether the probability is below the threshold that the run has chosen.
    familiarity : float or None
        Share of the training images that are no more familiar, if the run has saved what to compare
        the image with.
    refused : bool
        Whether it is too unfamiliar to be classified.
    probabilities : dict from str to float
        Of every class, the most probable first.
    neighbours : list of Neighbour
        The most similar training images.
    position : tuple of float or None
        Position on the run's map, in the unit square.
    seconds : float
        Time from bytes to prediction, waiting included.
    """

    label: str
    probability: float
    undecided: bool
    familiarity: float | None
    refused: bool
    probabilities: dict[str, float]
    neighbours: list[Neighbour]
    position: tuple[float, float] | None
    seconds: float


class LiveModel:
    """A run's model, its frozen base and its images, loaded once and kept in memory.

    Use it as a context manager. Its methods may be called from any number of threads.

    Parameters
    ----------
    run_folder : Path
        Folder of a run of ``python -m classify``.
    classifier, weights, cache, reading, progress
        As for `classify.serving.model.Model`.
    reject : float, default=None
        Share of familiar images that may be refused, so that unfamiliar ones are.

    Raises
    ------
    ModelError
        If the run has no such model, or it cannot be read.
    ToolkitError
        If the run, the weights or the cache cannot be used.

    Notes
    -----
    Every image is decoded in a separate process, as in an extraction. Images that are predicted at
    the same time are embedded in batches; see `classify.serving.batches.Batches`. Neither an image
    nor its embedding is kept.
    """

    def __init__(
        self,
        run_folder: Path,
        classifier: str | None = None,
        *,
        weights: str | None = None,
        cache: str | None = None,
        reject: float | None = None,
        reading: ReadSettings = ReadSettings(),
        progress: Progress = silent,
    ) -> None:
        progress("loading the model", 0, 3)
        self._model = Model(run_folder, classifier, weights=weights, cache=cache, progress=progress)
        self.run, self.result = self._model.run, self._model.result
        self.reject, self._familiarity = reject, self._model.find_familiarity(reject)
        base = self._model.base
        progress("loading the model", 1, 3)
        # The map shows the embeddings of the run's first base; those of another have no position.
        same_base = self.run.recipe_of(self.result) == self.run.recipe
        self._similar = SimilarImages(
            base,
            _pictures(run_folder),
            self.run.embedding_map if same_base else None,
            self.run.seed,
        )
        progress("loading the model", 2, 3)
        self._embed = Batches(self._model.reader.engine)
        self._one_at_a_time = threading.Lock()
        self._decoders = DecoderPool(base.recipe.pixels, reading.max_pixels, reading.processes)
        self._thumbnails = Thumbnails(self._decoders)
        progress("loading the model", 3, 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._decoders.__exit__(*exc_info)
        self._embed.close()

    @property
    def has_positions(self) -> bool:
        """Whether images get a position on the run's map."""
        return self._similar.has_positions

    @property
    def training(self) -> list[PictureRecord]:
        """The training images among which neighbours are searched."""
        return self._similar.training

    def thumbnail(self, path: Path, size: int) -> bytes | None:
        """Return a small JPEG of an image file; see `extract.images.thumbnails.Thumbnails`."""
        return self._thumbnails(path, size)

    def predict(self, data: bytes) -> LivePrediction:
        """Classify an image.

        Parameters
        ----------
        data : bytes
            Content of an image file; it need not be trusted.

        Returns
        -------
        LivePrediction

        Raises
        ------
        ImageError
            If the bytes cannot be used as an image.
        DecoderError
            If the processes that decode cannot be started.
        EngineError
            If the network cannot be run.
        """
        started = time.perf_counter()
        image = self._decoded(data)
        embedding = self._embed(image)
        estimator = self._model.estimator
        X = image if estimator.consumes == "images" else embedding.reshape(-1)
        with self._one_at_a_time:
            # By itself, for the same numbers whatever else is in the batch.
            probabilities = self._model.probabilities(X[None])[0]
        familiarity = None
        if self._familiarity is not None:
            pooled = pool_embeddings(embedding[None])
            familiarity = float(self._familiarity.familiarity(pooled)[0])
        order = np.argsort(-probabilities, kind="stable")
        classes = [str(label) for label in estimator.classes_]
        answer = int(self._model.rule.answers(probabilities[None])[0])
        probability = float(probabilities[answer])
        return LivePrediction(
            label=classes[answer],
            probability=probability,
            undecided=is_undecided(self.result, probability),
            familiarity=familiarity,
            refused=is_refused(familiarity, self.reject),
            probabilities={classes[i]: float(probabilities[i]) for i in order},
            neighbours=self._similar.nearest(embedding, N_NEIGHBOURS),
            position=self._similar.position(embedding),
            seconds=time.perf_counter() - started,
        )

    def explain(self, data: bytes) -> EvidenceRow:
        """Say where in an image the evidence for the predicted class lies.

        Parameters
        ----------
        data : bytes
            As for `predict`, with the same errors.
        """
        image, estimator = self._decoded(data), self._model.estimator
        names = self._model.classes_.tolist()
        embedding = self._embed(image)
        X = image[None] if estimator.consumes == "images" else embedding.reshape(1, -1)
        with self._one_at_a_time:
            codes = self._model.rule.answers(self._model.probabilities(X))
            evidence = self._explainer.of_embeddings(embedding[None], codes)
            if evidence is None:
                evidence = self._explainer(image[None], codes)
        label = names[int(codes[0])]
        return evidence_row(evidence, [0], names, label, classifier=self.result.classifier)

    @cached_property
    def _explainer(self) -> Explainer:
        """It has an engine of its own, because that of the batches is begun by one thread alone."""
        return Explainer(self._model.estimator, self._model.base)

    def _decoded(self, data: bytes) -> NDArray[np.uint8]:
        check_size(len(data))
        decoded = self._decoders(data)
        if decoded.image is None:
            raise ImageError(decoded.reason)
        return decoded.image


def _pictures(run_folder: Path) -> list[PictureRecord]:
    path = run_folder / tables.PICTURES_NAME
    if path.exists():
        return tables.read_pictures(path)
    logger.warning("%s is missing: similar images and positions are not shown", path)
    return []
