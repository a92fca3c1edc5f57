"""A trained classifier of a run with its frozen base: images in, classes and probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify import persistence
from classify.serving.prediction import Prediction, find_result, is_undecided, predict_proba
from extract.frozen import FrozenBase
from extract.images.loading import ReadSettings, load_images
from reports.reading import read_record
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Model:
    """A trained classifier of a run, with the frozen base that it was trained on.

    Parameters
    ----------
    run_folder : Path
        Folder of a run of ``python -m classify``.
    classifier : str, optional
        Name of one of the run's classifiers (default: the best one in cross-validation, see
        `reports.ranking.best_in_validation`).
    weights : str, optional
        The base's weights (default: where the run found them).
    cache : str or Path, optional
        Cache folder for embeddings.
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress, optional
        Called while images are hashed, decoded and embedded.

    Attributes
    ----------
    run : Run
        Record of the run.
    result : Result
        The classifier's entry in that record.
    estimator : Classifier
        The trained classifier itself, without the calibration.
    base : FrozenBase
        What turns images into embeddings.

    Raises
    ------
    ModelError
        If the run has no such classifier, or its file is missing, damaged or not the one that the
        run has written.
    ToolkitError
        If the run, the weights or the cache cannot be used.
    """

    def __init__(
        self,
        run_folder: Path,
        classifier: str | None = None,
        *,
        weights: str | None = None,
        cache: str | Path | None = None,
        reading: ReadSettings = ReadSettings(),
        progress: Progress = silent,
    ) -> None:
        self.run = read_record(run_folder)
        self.result = find_result(self.run, run_folder, classifier)
        # Only the name counts: a record cannot have a file outside of its folder read.
        file = run_folder / Path(str(self.result.model)).name
        self.estimator = persistence.load(file, self.result.model_sha256)
        self.base = FrozenBase.from_dict(
            self.run.recipe_of(self.result), weights=weights, cache=cache, progress=progress
        )
        self._reading, self._progress = reading, progress

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, in the order of the columns of the probabilities."""
        classes: NDArray[np.str_] = self.estimator.classes_
        return classes

    def predict_files(self, files: Sequence[Path]) -> list[Prediction]:
        """Classify image files; files that cannot be used as images get a reason instead.

        Parameters
        ----------
        files : sequence of Path
            Image files, local or at addresses.

        Returns
        -------
        list of Prediction
            In the order of `files`.
        """
        extraction = self.base.extract(files, reading=self._reading, progress=self._progress)
        usable = [file for file in files if file in extraction.digests]
        predictions = {
            file: Prediction(file, None, None, reason)
            for file, reason in extraction.quarantine.items()
        }
        if usable:
            digests = [extraction.digests[file] for file in usable]
            probabilities = self.probabilities(self._features(usable, digests))
            for file, row in zip(usable, probabilities, strict=True):
                predictions[file] = self._predicted(file, row)
        return [predictions[file] for file in files]

    def probabilities(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return calibrated probabilities for features that have been computed already.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
            Embeddings or images, whichever `estimator` takes.
        """
        return predict_proba(self.estimator, self.result, X)

    def _features(self, files: Sequence[Path], digests: Sequence[str]) -> NDArray[Any]:
        """Return what the classifier takes: pixels, or embeddings from the cache."""
        if self.estimator.consumes != "images":
            return self.base.embeddings(digests)
        size = self.base.recipe.size
        return load_images(files, size, reading=self._reading, progress=self._progress)

    def _predicted(self, file: Path, probabilities: NDArray[Any]) -> Prediction:
        probability = float(probabilities.max())
        return Prediction(
            file,
            str(self.classes_[probabilities.argmax()]),
            probability,
            undecided=is_undecided(self.result, probability),
        )
