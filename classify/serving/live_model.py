"""A saved model kept ready: one picture at a time in, class, probabilities and neighbours out."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from classify import persistence
from classify.predict import result_of, told, undecided
from classify.serving.similar import Similar
from extract.errors import ImageError
from extract.frozen import FrozenBase
from extract.images.decoder_pool import DecoderPool
from extract.images.decoding import check_size
from extract.images.loading import ReadSettings
from reports import tables
from reports.reading import read_record
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.serving.similar import Neighbour
    from reports.picture_records import PictureRecord

N_NEIGHBOURS = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Told:
    """What a model says of one picture.

    Parameters
    ----------
    label : str
        The most probable class.
    probability : float
        Of that class, in [0, 1].
    undecided : bool
        Whether that is less than the run's threshold asks for.
    probabilities : dict from str to float
        Of every class, the most probable first.
    neighbours : list of Neighbour
        The most similar training pictures.
    place : tuple of float or None
        Where it falls on the run's map, in the unit square.
    seconds : float
        From bytes to answer.
    """

    label: str
    probability: float
    undecided: bool
    probabilities: dict[str, float]
    neighbours: list[Neighbour]
    place: tuple[float, float] | None
    seconds: float


class LiveModel:
    """A run's model, its frozen base and its pictures, loaded once.

    Used as a context manager; it may be asked from any number of threads.

    Parameters
    ----------
    run_folder : Path
        Written by ``python -m classify``.
    classifier, weights, cache, reading, progress
        As for `classify.predict.predict`.

    Raises
    ------
    ModelError
        If the run has no such model, or it cannot be read.
    ToolkitError
        If the run, the weights or the cache cannot be used.

    Notes
    -----
    A picture is decoded in a process of its own, as for an extraction; neither it nor its embedding
    is kept.
    """

    def __init__(
        self,
        run_folder: Path,
        *,
        classifier: str | None = None,
        weights: str | None = None,
        cache: str | None = None,
        reading: ReadSettings = ReadSettings(),
        progress: Progress = silent,
    ) -> None:
        progress("loading the model", 0, 3)
        self.run = read_record(run_folder)
        self.result = result_of(self.run, run_folder, classifier)
        self._model = persistence.load(
            run_folder / Path(str(self.result.model)).name, self.result.model_sha256
        )
        recipe = self.run.recipe_of(self.result)
        base = FrozenBase.from_dict(recipe, weights=weights, cache=cache, progress=progress)
        progress("loading the model", 1, 3)
        # The map is of the run's first base: another one's embeddings have no place on it.
        on_map = self.run.embedding_map if recipe == self.run.recipe else None
        self._similar = Similar(base, _pictures(run_folder), on_map, self.run.seed)
        progress("loading the model", 2, 3)
        self._engine = base.make_engine()
        self._one_at_a_time = threading.Lock()
        self._decoders = DecoderPool(base.recipe.size, reading.max_pixels, reading.workers)
        progress("loading the model", 3, 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._decoders.__exit__(*exc_info)

    @property
    def has_places(self) -> bool:
        """Whether pictures are placed on the run's map."""
        return self._similar.has_places

    @property
    def training(self) -> list[PictureRecord]:
        """The training pictures that neighbours are found among."""
        return self._similar.training

    def classify(self, data: bytes) -> Told:
        """Classify a picture.

        Parameters
        ----------
        data : bytes
            Of an image file, which anybody may have made.

        Raises
        ------
        ImageError
            If they cannot be used as an image.
        DecoderError
            If the processes that decode cannot be started.
        """
        started = time.perf_counter()
        image = self._decoded(data)
        with self._one_at_a_time:
            embedding = self._engine(image[None])[0]
            X = image if self._model.consumes == "images" else embedding.reshape(-1)
            probabilities = told(self._model, self.result, X[None])[0]
        order = np.argsort(-probabilities, kind="stable")
        classes = [str(label) for label in self._model.classes_]
        best = float(probabilities[order[0]])
        return Told(
            label=classes[order[0]],
            probability=best,
            undecided=undecided(self.result, best),
            probabilities={classes[i]: float(probabilities[i]) for i in order},
            neighbours=self._similar.nearest(embedding, N_NEIGHBOURS),
            place=self._similar.place(embedding),
            seconds=time.perf_counter() - started,
        )

    def _decoded(self, data: bytes) -> NDArray[np.uint8]:
        check_size(len(data))
        decoded = self._decoders(data)
        if decoded.image is None:
            raise ImageError(decoded.reason)
        return decoded.image


def _pictures(run_folder: Path) -> list[PictureRecord]:
    listed = run_folder / tables.PICTURES_NAME
    if listed.exists():
        return tables.read_pictures(listed)
    logger.warning("%s is not there: similar pictures and places are not told", listed)
    return []
