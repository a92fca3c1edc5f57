"""A folder of images with their evidence laid over them."""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import numpy as np

from classify.errors import ModelError
from classify.explaining.records import evidence_row
from extract.images.thumbnails import open_thumbnails
from reports.evidence import EVIDENCE_NAME, write_evidence
from reports.pages.evidence.overlay import colours, full_strength, smooth
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.serving.model import Model
    from classify.serving.prediction import Prediction
    from reports.records import EvidenceRow

SIDE = 640
"""Longest side of an overlay in pixels."""
_MOST_OF_NAME = 60

logger = logging.getLogger(__name__)


class Overlays:
    """Writes an overlay of each image that is predicted; a context manager.

    Leaving it writes `evidence.csv`, also after Ctrl-C.

    Parameters
    ----------
    model : Model
    folder : Path
        New, or empty.

    Raises
    ------
    ModelError
        If the folder is neither, or cannot be written.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        self._model, self._folder = model, folder
        self._rows: list[EvidenceRow] = []
        self._names: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            is_empty = next(self._folder.iterdir(), None) is None
        except OSError as error:
            raise ModelError(
                f"cannot write to {self._folder}: {error.strerror or error}; choose another folder",
                setting="explain",
            ) from error
        if not is_empty:
            raise ModelError(
                f"{self._folder} is not empty, and no file is overwritten; choose a new folder",
                setting="explain",
            )
        self._thumbnail = self._stack.enter_context(open_thumbnails())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()
        if self._rows:
            write_evidence(self._rows, self._folder / EVIDENCE_NAME, overlays=self._names)

    @property
    def n_images(self) -> int:
        """How many images have been explained."""
        return len(self._rows)

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Explain the predicted class of each image; files that are no images are left out.

        Raises
        ------
        ModelError
            If an overlay cannot be written.
        """
        usable = [prediction for prediction in predictions if prediction.label is not None]
        if not usable:
            return
        labels = [str(prediction.label) for prediction in usable]
        evidence = self._model.explain([prediction.path for prediction in usable], labels)
        names = self._model.classes_.tolist()
        for i, (prediction, label) in enumerate(zip(usable, labels, strict=True)):
            path = str(prediction.path)
            classifier = self._model.result.classifier
            row = evidence_row(evidence, [i], names, label, classifier=classifier, path=path)
            self._names.append(self._write(prediction.path, row))
            self._rows.append(row)

    def _write(self, path: Path, row: EvidenceRow) -> str:
        """Write the overlay of an image, and return the name of its file."""
        import cv2

        jpeg = self._thumbnail(path, SIDE)
        if jpeg is None:
            logger.warning("%s cannot be read again, and gets no overlay", printable(str(path)))
            return ""
        decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        rgb = laid_over(np.asarray(decoded, np.uint8), row, self._model.base.recipe.aspect)
        stem = re.sub(r"[^\w.-]", "-", path.stem)[:_MOST_OF_NAME]
        name = f"{len(self._names) + 1:04}-{stem}.png"
        png = cv2.imencode(".png", rgb[:, :, ::-1])[1].tobytes()
        try:
            (self._folder / name).write_bytes(png)
        except OSError as error:
            raise ModelError(
                f"cannot write to {self._folder}: {error.strerror or error}", setting="explain"
            ) from error
        return name


def laid_over(grey: NDArray[np.uint8], row: EvidenceRow, aspect: str) -> NDArray[np.uint8]:
    """Return an image in grey with evidence laid over it in colour.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    row : EvidenceRow
    aspect : {"stretch", "crop", "pad"}
        How the image becomes the square that the network sees.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Examples
    --------
    >>> from reports.records import EvidenceRow
    >>> row = EvidenceRow("svm", "a.jpg", "cat", 1, 1.0, 0.0, True, 0.0, 1.0, [[1.0]])
    >>> laid_over(np.full((1, 3), 255, np.uint8), row, "crop")[0].tolist()
    [[255, 255, 255], [219, 118, 38], [255, 255, 255]]
    """
    height, width = grey.shape
    square = {"stretch": (height, width), "crop": 2 * (min(grey.shape),)}.get(
        aspect, 2 * (max(grey.shape),)
    )
    map_ = colours(smooth(row.map, square, row.start, row.end), full_strength([row.map]))
    layer = np.zeros((height, width, 4), np.uint8)
    inside, of_map = zip(*map(_common, grey.shape, square), strict=True)
    layer[inside] = map_[of_map]
    opacity = layer[..., 3:] / 255
    mixed = layer[..., :3] * opacity + grey[..., np.newaxis] * (1 - opacity)
    blended: NDArray[np.uint8] = mixed.round().astype(np.uint8)
    return blended


def _common(side: int, of_map: int) -> tuple[slice, slice]:
    """Return what two sides with the same middle have in common, as a part of each."""
    length = min(side, of_map)
    starts = [(whole - length) // 2 for whole in (side, of_map)]
    first, second = (slice(start, start + length) for start in starts)
    return first, second


def explaining(
    blocks: Iterator[list[Prediction]], overlays: Overlays
) -> Iterator[list[Prediction]]:
    """Explain each block of predictions before it is passed on."""
    for block in blocks:
        overlays.add(block)
        yield block
