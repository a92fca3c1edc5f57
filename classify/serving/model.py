"""A trained classifier of a run with its frozen base: images in, classes and probabilities out."""

from __future__ import annotations

import itertools
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ModelError
from classify.explaining.evidence import Evidence, Explainer
from classify.serving.blocks import read_blocks, read_rows, recipe_for
from classify.serving.classifier import SavedClassifier
from classify.serving.explained import codes_of, read_pixels
from classify.serving.familiar import ANY_SHARE
from classify.serving.prediction import is_refused
from classify.serving.samples import SampleReader
from extract.frozen import FrozenBase
from extract.images.inputs import read_inputs
from extract.images.loading import ReadSettings
from reports.records import NETWORKS_NAME
from toolkit.progress import Progress, as_progress
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from classify.exporting.export import Exported
    from classify.serving.prediction import Prediction
    from extract.recipe import Recipe


class Model:
    """A trained classifier of a run, with the frozen base that it was trained on.

    `classify.load_model` returns one.

    Parameters
    ----------
    run_folder : Path
        Folder of a run.
    classifier : str, default=None
        Name of one of the run's classifiers; None is the best one in validation on the training
        split, see `reports.ranking.best_in_validation`.
    weights : str, default=None
        The base's weights; None is where the run found them. A quantised network, which is in the
        run's folder, needs none.
    cache : str or Path, default=None
        Cache folder for embeddings; None is the default one.
    reading : ReadSettings, optional
        How image files are read.
    progress : bool or Progress, default=False
        Whether to show progress of loading and predicting, or a callback.

    Attributes
    ----------
    run : Run
        Record of the run.
    result : Result
        The classifier's entry in that record.
    rule : DecisionRule
        Makes probabilities and answers of what the estimator predicts.
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
        progress: bool | Progress = False,
    ) -> None:
        saved = SavedClassifier(run_folder, classifier)
        self.run, self.result, self.rule = saved.run, saved.result, saved.rule
        self.estimator = saved.estimator
        with as_progress(progress) as report:
            self.base = FrozenBase.from_dict(
                self.run.recipe_of(self.result),
                weights=weights,
                cache=cache,
                networks=run_folder / NETWORKS_NAME,
                progress=report,
            )
        self._saved, self._reading, self._progress = saved, reading, progress

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self._saved.folder

    @property
    def max_pixels(self) -> int:
        """Width times height up to which an image is decoded."""
        return self._reading.max_pixels

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, in the order of the columns of the probabilities."""
        return self._saved.classes_

    @cached_property
    def reader(self) -> SampleReader:
        """What turns images into what the classifier takes."""
        return SampleReader(self.base, self.estimator.consumes, self._reading, self._progress)

    @cached_property
    def explainer(self) -> Explainer:
        """What `explain` explains images with."""
        return Explainer(self.estimator, self.base, lambda: self.reader.engine)

    def predict(
        self,
        images: Any,
        *,
        undecided: str | None = None,
        reject: float | None = None,
        refused: str = "",
    ) -> NDArray[np.str_]:
        """Predict the class of each image.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            As in `predict_proba`.
        undecided : str, default=None
            What to return instead of the class where its probability is below the threshold that
            the run has chosen for its target precision. None returns the class in any case.
        reject : float, default=None
            Share of new images like the training images, such as 0.05, that may be refused, so that
            images unlike the training images are. None refuses none.
        refused : str, default=""
            What to return instead of the class of an image that is refused.

        Returns
        -------
        ndarray of str, shape (n_images,)

        Raises
        ------
        ModelError
            If images cannot be refused, because the run has not saved what to compare them with.
        ImageError, ToolkitError
            As in `predict_proba`.
        """
        if reject is not None and refused in self.classes_:
            raise ModelError(
                f"{refused!r} is a class, so that a refused image could not be told from one of "
                "it; choose another word for refused"
            )
        familiarity = None if reject is None else self.find_familiarity(reject)
        probabilities, familiar = self.assess(images, familiarity)
        labels = self._saved.labels(probabilities, undecided)
        if reject is not None:
            unfamiliar = [is_refused(float(value), reject) for value in familiar]
            labels = np.where(unfamiliar, refused, labels)
        return labels

    def familiarity(self, images: Any) -> NDArray[np.float64]:
        """Say how familiar images are: how much they are like the training images.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            As in `predict_proba`.

        Returns
        -------
        ndarray of float64, shape (n_images,)
            Share of the training images that are no more familiar, above 0 and at most 1; see
            `classify.evaluation.unfamiliar.familiarity.Familiarity`.

        Raises
        ------
        ModelError
            If the run has not saved what to compare images with.
        ImageError, ToolkitError
            As in `predict_proba`.
        """
        return self.assess(images, self.find_familiarity(ANY_SHARE))[1]

    def predict_proba(self, images: Any) -> NDArray[np.float64]:
        """Predict class probabilities, calibrated if the run has calibrated the classifier.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            Paths or addresses of image files; or images in memory, as uint8 arrays of shape
            (height, width, 3) in RGB, as one array (n_images, height, width, 3) or as PIL images;
            also mixed; or a split of a data set. Only embeddings of files are kept in the cache.

        Returns
        -------
        ndarray of float64, shape (n_images, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        ImageError
            If a row cannot be used as an image; the message names it.
        ToolkitError
            If the cache cannot be used.
        """
        return self.assess(images)[0]

    def assess(
        self, images: Any, familiarity: Familiarity | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probabilities of images, and how familiar they are.

        `familiarity` is from `find_familiarity`; without it, the second array is NaN.
        """
        rows = self._rows(images)
        probabilities = np.empty((len(rows), len(self.classes_)))
        familiar = np.full(len(rows), np.nan)
        for chosen, samples in read_rows(self.reader, rows, pooled=familiarity is not None):
            probabilities[chosen] = self.probabilities(samples.X)
            if familiarity is not None and samples.pooled is not None:
                familiar[chosen] = familiarity.familiarity(samples.pooled)
        return probabilities, familiar

    def _rows(self, images: Any) -> list[Path | NDArray[np.uint8]]:
        return read_inputs(
            [images] if isinstance(images, str | os.PathLike) else images,
            self._reading.max_pixels,
            pixels=self.base.recipe.pixels,
            addresses=True,
        )

    def explain(self, images: Any, classes: Sequence[str] | str | None = None) -> Evidence:
        """Say where evidence lies: ``maps.sum(axis=(1, 2)) + intercept == scores``.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            As in `predict_proba`; at least one.
        classes : str or sequence of str, default=None
            Of all images or of each; None is the predicted one. Of two, always the second one.

        Returns
        -------
        classify.explaining.evidence.Evidence

        Raises
        ------
        ModelError
            If a class is not one of the model's, or there is not one for each image.
        """
        rows = self._rows(images)
        if classes is None:
            two = len(self.classes_) == 2
            classes = str(self.classes_[1]) if two else self.predict(rows).tolist()
        codes = codes_of(classes, self.classes_.tolist(), len(rows))
        with as_progress(self._progress) as report:
            recipe = recipe_for(self.reader, [row for row in rows if isinstance(row, Path)])
            pixels = read_pixels(rows, recipe.pixels, self._reading, report)
            return self.explainer(pixels, codes, report)

    def find_familiarity(self, reject: float | None = None) -> Familiarity | None:
        """Return what images are compared with; see `classify.serving.familiar`."""
        return self._saved.find_familiarity(reject)

    def predict_files(
        self, files: Sequence[Path], *, reject: float | None = None, top: int = 0
    ) -> list[Prediction]:
        """Classify image files; files that cannot be used as images get a reason instead.

        Parameters
        ----------
        files : sequence of Path
            Image files, local or at addresses.
        reject : float, default=None
            As in `predict`.
        top : int, default=0
            How many of the most probable classes each prediction lists.

        Returns
        -------
        list of Prediction
            In the order of `files`.
        """
        return list(self.stream_files(files, reject=reject, top=top))

    def stream_files(
        self, files: Sequence[Path | str], *, reject: float | None = None, top: int = 0
    ) -> Iterator[Prediction]:
        """Classify image files block by block, in memory that does not grow with their number.

        Parameters
        ----------
        files : sequence of Path or str
            Image files, local or at addresses. Texts take less memory than paths.
        reject, top
            As in `predict_files`.

        Yields
        ------
        Prediction
            In the order of `files`. A file that cannot be used as an image has a reason instead of
            a class.

        Raises
        ------
        ModelError
            If images cannot be refused; before anything is predicted.
        """
        recipe = recipe_for(self.reader, files)
        blocks = self.predict_blocks(files, recipe, reject=reject, top=top)
        return itertools.chain.from_iterable(blocks)

    def predict_blocks(
        self,
        files: Sequence[Path | str],
        recipe: Recipe,
        *,
        reject: float | None = None,
        top: int = 0,
    ) -> Iterator[list[Prediction]]:
        """Do what `stream_files` does with some files of a job, whose recipe all of them share."""
        familiarity = self.find_familiarity(reject)
        blocks = read_blocks(self.reader, files, recipe, pooled=familiarity is not None)
        return (self._saved.predictions(block, familiarity, reject, top) for block in blocks)

    def probabilities(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return calibrated probabilities for features that have been computed already.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
            Embeddings or images, whichever `estimator` takes.
        """
        return self._saved.probabilities(X)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        precision: str | None = None,
        weights: str | None = None,
        images: str | os.PathLike[str] | None = None,
        licence: str | None = None,
        overwrite: bool = False,
    ) -> Exported:
        """Write the model to one file: images of any size in, probabilities out.

        The file is run with its own runtime on the test images of the run first, and is written
        only if it answers as this model does. A model card is written beside it.

        Parameters
        ----------
        path : str or path
            It ends in ``.onnx``, ``.xml`` (OpenVINO; its weights are in a ``.bin`` beside it),
            ``.keras`` or ``.tflite`` (LiteRT).
        precision, weights, images, licence, overwrite
            See `classify.exporting.export.ExportSettings`.

        Returns
        -------
        Exported
            With `path`, `card`, and `comparison` of the file with this model.

        Raises
        ------
        ModelError
            If the model cannot be exported to that format, the extra ``export`` is not installed,
            the file exists or cannot be written, or it does not answer as the model does.
        """
        from classify.exporting.export import ExportSettings, export

        settings = ExportSettings(
            precision=precision,
            weights=weights,
            images=None if images is None else Path(images),
            licence=licence,
            overwrite=overwrite,
        )
        return export(self, Path(path), settings, self._progress)

    def __repr__(self) -> str:
        n_classes = plural(len(self.classes_), "class", "classes")
        return f"<Model {self.result.classifier} of {self.folder}: {n_classes}>"
