"""A saved model on many image files, a part at a time, for files of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from classify.serving.blocks import embed_files
from classify.serving.model import Model
from extract.images.loading import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.recipe import Recipe
    from toolkit.progress import Progress


FILES_AT_ONCE = 256
"""Whose pixels or activations are in memory: 100 MB of what fine-tuning VGG16 takes."""


class FilePredictor:
    """A model that predicts image files, of which it has embedded all before.

    Parameters
    ----------
    model : Model
    run : str
        How its run is called in the file.
    """

    def __init__(self, model: Model, run: str) -> None:
        self._model, self._run = model, run
        self._digests: Mapping[Path, str] = {}
        self._recipe: Recipe = model.base.recipe

    @property
    def classes(self) -> list[str]:
        """Class names, in the order of the probabilities."""
        return [str(label) for label in self._model.classes_]

    @property
    def about(self) -> dict[str, Any]:
        """Name of the run's folder and of the classifier."""
        return {"run": self._run, "classifier": self._model.result.classifier}

    def embed(self, files: Sequence[Path]) -> None:
        """Put what the classifier takes of all files into the cache."""
        self._recipe, done = embed_files(self._model.reader, files)
        self._digests = done.digests

    def predict(self, files: Sequence[Path]) -> tuple[list[str | None], NDArray[np.float64]]:
        """Return class and probabilities of some of these files.

        Parameters
        ----------
        files : sequence of Path

        Returns
        -------
        labels : list of str or None, length n_files
            None where a file cannot be used.
        probabilities : ndarray of float64, shape (n_files, n_classes)
            NaN where a file cannot be used.
        """
        labels: list[str | None] = [None] * len(files)
        probabilities = np.full((len(files), len(self.classes)), np.nan)
        model = self._model
        usable = [row for row, file in enumerate(files) if file in self._digests]
        for start in range(0, len(usable), FILES_AT_ONCE):
            rows = usable[start : start + FILES_AT_ONCE]
            samples = model.reader.of_files(
                [files[row] for row in rows], self._digests, self._recipe, pooled=False
            )
            found = model.probabilities(samples.X)
            probabilities[rows] = found
            for row, answer in zip(rows, model.rule.answers(found), strict=True):
                labels[row] = str(model.classes_[answer])
        return labels, probabilities


def open_predictor(
    run: Path,
    classifier: str | None = None,
    *,
    cache: str | Path | None = None,
    reading: ReadSettings = ReadSettings(),
    progress: bool | Progress = False,
) -> FilePredictor:
    """Open a trained classifier of a run.

    `extract` finds this function as the entry point ``predictor`` of the group ``frozen_features``.

    Parameters
    ----------
    run : Path
        Folder of the run.
    classifier, cache, reading, progress
        As for `classify.serving.model.Model`.

    Raises
    ------
    ToolkitError
        If the run or its model cannot be used.
    """
    model = Model(run, classifier, cache=cache, reading=reading, progress=progress)
    return FilePredictor(model, run.absolute().name)
