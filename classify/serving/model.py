"""A trained classifier of a run with its frozen base: images in, classes and probabilities out."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify import persistence
from classify.errors import ModelError
from classify.evaluation.calibration import answered
from classify.serving.prediction import (
    Prediction,
    decision_rule,
    find_result,
    is_undecided,
    predict_proba,
)
from extract.errors import ImageError
from extract.frozen import FrozenBase
from extract.images.inputs import read_inputs
from extract.images.loading import BATCH_SIZE, ReadSettings, load_images
from extract.images.pixels import describe
from extract.images.rendering import missing_extras
from extract.images.resizing import resize
from extract.pipeline import ExtractionResult, extract
from extract.value_range import adapted
from reports.reading import read_record
from reports.record import NETWORKS_NAME
from reports.runs import RunResults
from toolkit.progress import Progress, as_progress
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from extract.engines import Engine
    from extract.recipe import Recipe

logger = logging.getLogger(__name__)


class Model:
    """A trained classifier of a run, with the frozen base that it was trained on.

    `load_model` returns one.

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
        self.run = read_record(run_folder)
        self.result = find_result(self.run, run_folder, classifier)
        self.rule = decision_rule(self.run, self.result)
        recipe = self.run.recipe_of(self.result)
        if recipe.get("weights") is None:
            raise ModelError(
                f"{run_folder} is a run on embeddings without a frozen base, so its classifiers "
                "cannot predict images; compare classifiers on images instead"
            )
        if self.result.model is None:
            others = [result.classifier for result in self.run.results if result.model]
            advice = f"choose one of: {', '.join(others)}" if others else "train another one"
            raise ModelError(
                f"the model of {self.result.classifier!r} was not saved in {run_folder}, as the "
                f"notes of the run say; {advice}",
                setting="clf",
            )
        # Only the name counts: a record cannot have a file outside of its folder read.
        file = run_folder / Path(str(self.result.model)).name
        self.estimator = persistence.load(file, self.result.model_sha256)
        with as_progress(progress) as report:
            self.base = FrozenBase.from_dict(
                recipe,
                weights=weights,
                cache=cache,
                networks=run_folder / NETWORKS_NAME,
                progress=report,
            )
        self._folder, self._reading, self._progress = run_folder, reading, progress

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Class names, in the order of the columns of the probabilities."""
        classes: NDArray[np.str_] = self.estimator.classes_
        return classes

    @cached_property
    def engine(self) -> Engine:
        """What computes embeddings; to create it takes seconds."""
        return self.base.make_engine()

    def predict(self, images: Any, *, undecided: str | None = None) -> NDArray[np.str_]:
        """Predict the class of each image.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            As in `predict_proba`.
        undecided : str, default=None
            What to return instead of the class where its probability is below the threshold that
            the run has chosen for its target precision. None returns the class in any case.

        Returns
        -------
        ndarray of str, shape (n_images,)

        Raises
        ------
        ImageError, ToolkitError
            As in `predict_proba`.
        """
        probabilities = self.predict_proba(images)
        answers, sure = answered(probabilities, self.rule.answers(probabilities))
        labels: NDArray[np.str_] = self.classes_[answers]
        if undecided is None:
            return labels
        below = [is_undecided(self.result, float(probability)) for probability in sure]
        return np.where(below, undecided, labels)

    def predict_proba(self, images: Any) -> NDArray[np.float64]:
        """Predict the probability of each class for each image.

        If the run has calibrated the classifier, the probabilities are calibrated.

        Parameters
        ----------
        images : list of str, path, ndarray or PIL image; ndarray; str or path
            Paths or addresses of image files; or images in memory, as uint8 arrays of shape
            (height, width, 3) in RGB, as one array of shape (n_images, height, width, 3) or as PIL
            images; also mixed; or a split of a data set. A single path is one image. The embeddings
            of files are kept in the cache, those of images in memory are not.

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
        is_one_path = isinstance(images, str | os.PathLike)
        rows = read_inputs(
            [images] if is_one_path else images,
            self._reading.max_pixels,
            pixels=self.base.recipe.pixels,
            addresses=True,
        )
        in_memory = np.array([isinstance(row, np.ndarray) for row in rows])
        probabilities = np.empty((len(rows), len(self.classes_)))
        if not in_memory.all():
            files = {i: row for i, row in enumerate(rows) if not isinstance(row, np.ndarray)}
            probabilities[~in_memory] = self.probabilities(self._features_of_files(files))
        if in_memory.any():
            recipe = self.base.recipe
            pixels = np.stack(
                [resize(row, recipe.pixels) for row in rows if isinstance(row, np.ndarray)]
            )
            probabilities[in_memory] = self.probabilities(self._features_of_pixels(pixels))
        return probabilities

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
        recipe, done = self._extract(files)
        digests, unusable = done.digests, done.quarantine
        for sentence in missing_extras(unusable):
            logger.warning("%s", sentence)
        predictions = {
            file: Prediction(file, None, None, reason) for file, reason in unusable.items()
        }
        usable = [file for file in files if file in digests]
        if usable:
            probabilities = self.probabilities(self._features(usable, digests, recipe))
            for file, row in zip(usable, probabilities, strict=True):
                predictions[file] = self._predicted(file, row)
        return [predictions[file] for file in files]

    def probabilities(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return calibrated probabilities for features that have been computed already.

        Parameters
        ----------
        X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
            Embeddings or images, whichever `estimator` takes.
        """
        return predict_proba(self.estimator, self.result, self.rule, X)

    def __repr__(self) -> str:
        classes = plural(len(self.classes_), "class", "classes")
        return f"<Model {self.result.classifier} of {self._folder}: {classes}>"

    def _features_of_files(self, files: Mapping[int, Path]) -> NDArray[Any]:
        """Return the features of files by their row, which the message names if one is unusable."""
        recipe, done = self._extract(list(files.values()))
        for row, file in files.items():
            if file in done.quarantine:
                raise ImageError(
                    f"row {row}: {file} cannot be used as an image: {done.quarantine[file]}"
                )
        return self._features(list(files.values()), done.digests, recipe)

    def _features_of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        if self.estimator.consumes == "images":
            return pixels
        with as_progress(self._progress) as report:
            batches = []
            for start in range(0, len(pixels), BATCH_SIZE):
                report("computing embeddings", start, len(pixels))
                batches.append(self.engine(pixels[start : start + BATCH_SIZE]))
        return np.concatenate(batches).reshape(len(pixels), -1)

    def _extract(self, files: Sequence[Path]) -> tuple[Recipe, ExtractionResult]:
        """Embed files; return the recipe, too, which says how deep images were scaled."""
        store = self.base.store
        with as_progress(self._progress) as report:
            recipe = adapted(self.base.recipe, files, store, reading=self._reading, progress=report)
            done = extract(
                files,
                recipe,
                store,
                lambda: self.engine,
                reading=self._reading,
                progress=report,
            )
        for sentence in describe({str(path): remark for path, remark in done.remarks.items()}):
            logger.warning("%s", sentence)
        return recipe, done

    def _features(
        self, files: Sequence[Path], digests: Mapping[Path, str], recipe: Recipe
    ) -> NDArray[Any]:
        """Return what the classifier takes: pixels, or embeddings from the cache."""
        if self.estimator.consumes != "images":
            return self.base.with_range_of(recipe).embeddings([digests[file] for file in files])
        with as_progress(self._progress) as report:
            return load_images(files, recipe.pixels, reading=self._reading, progress=report)

    def _predicted(self, file: Path, probabilities: NDArray[Any]) -> Prediction:
        answer = int(self.rule.answers(probabilities[None])[0])
        probability = float(probabilities[answer])
        return Prediction(
            file,
            str(self.classes_[answer]),
            probability,
            undecided=is_undecided(self.result, probability),
        )


def load_model(
    folder: str | os.PathLike[str] | RunResults,
    classifier: str | None = None,
    *,
    weights: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | Progress = False,
) -> Model:
    """Load a trained classifier of a run, to classify new images.

    Parameters
    ----------
    folder : str, path or RunResults
        Folder of a run of `classify.compare` or ``python -m classify``, or what `compare` returned.
    classifier : str, default=None
        Name of one of the run's classifiers. None is the best one in validation on the training
        split; the test split plays no part in the choice.
    weights : str, default=None
        The weights of the frozen base, as in `extract.Embedder`; None is where the run found them.
        A quantised network, which is in the run's folder, needs none.
    cache : str or path, default=None
        Cache folder for embeddings; None is the environment variable ``FROZEN_FEATURES_CACHE``, or
        else the user's cache folder.
    progress : bool or Progress, default=False
        True shows a progress bar, also when the model predicts. A callback is called with the stage
        and the units done and in total.

    Returns
    -------
    Model
        With `predict`, `predict_proba` and `classes_`.

    Raises
    ------
    ModelError
        If the run has no such classifier, or its file is missing, damaged or not the one that the
        run has written.
    ToolkitError
        If the run, the weights or the cache cannot be used.

    Notes
    -----
    Nothing is unpickled: a model's file holds arrays and the names of known classes.

    Examples
    --------
    >>> from classify import load_model
    >>> model = load_model("runs/20260131-120000-all")  # doctest: +SKIP
    >>> model.predict(["new.jpg"])  # doctest: +SKIP
    array(['cat'], dtype='<U3')
    >>> model.predict_proba(["new.jpg"]).round(2)  # doctest: +SKIP
    array([[0.97, 0.03]])
    """
    return Model(
        folder.folder if isinstance(folder, RunResults) else Path(folder),
        classifier,
        weights=weights,
        cache=None if cache is None else Path(cache),
        progress=progress,
    )
