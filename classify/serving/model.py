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
from classify.serving.familiar import ANY_SHARE, find_familiarity
from classify.serving.prediction import (
    Prediction,
    decision_rule,
    find_result,
    is_refused,
    is_undecided,
    predict_proba,
)
from classify.serving.samples import SampleReader, Samples
from extract.errors import ImageError
from extract.frozen import FrozenBase
from extract.images.inputs import read_inputs
from extract.images.loading import ReadSettings
from extract.images.rendering import missing_extras
from reports.reading import read_record
from reports.record import NETWORKS_NAME
from reports.runs import RunResults
from toolkit.progress import Progress, as_progress
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from classify.evaluation.unfamiliar.familiarity import Familiarity

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
    def reader(self) -> SampleReader:
        """What turns images into what the classifier takes."""
        return SampleReader(self.base, self.estimator.consumes, self._reading, self._progress)

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
        probabilities, familiar = self._assess(images, familiarity)
        answers, sure = answered(probabilities, self.rule.answers(probabilities))
        labels: NDArray[np.str_] = self.classes_[answers]
        if undecided is not None:
            below = [is_undecided(self.result, float(probability)) for probability in sure]
            labels = np.where(below, undecided, labels)
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
        return self._assess(images, self.find_familiarity(ANY_SHARE))[1]

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
        return self._assess(images)[0]

    def _assess(
        self, images: Any, familiarity: Familiarity | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probabilities of images, and how familiar they are, by `familiarity`."""
        is_one_path = isinstance(images, str | os.PathLike)
        rows = read_inputs(
            [images] if is_one_path else images,
            self._reading.max_pixels,
            pixels=self.base.recipe.pixels,
            addresses=True,
        )
        in_memory = np.array([isinstance(row, np.ndarray) for row in rows])
        probabilities = np.empty((len(rows), len(self.classes_)))
        familiar = np.full(len(rows), np.nan)
        pooled = familiarity is not None
        parts: list[tuple[NDArray[np.bool_], Samples]] = []
        if not in_memory.all():
            files = {i: row for i, row in enumerate(rows) if not isinstance(row, np.ndarray)}
            parts.append((~in_memory, self._read_files(files, pooled=pooled)))
        if in_memory.any():
            arrays = [row for row in rows if isinstance(row, np.ndarray)]
            parts.append((in_memory, self.reader.of_arrays(arrays, pooled=pooled)))
        for chosen, samples in parts:
            probabilities[chosen] = self.probabilities(samples.X)
            if familiarity is not None and samples.pooled is not None:
                familiar[chosen] = familiarity.familiarity(samples.pooled)
        return probabilities, familiar

    def find_familiarity(self, reject: float | None = None) -> Familiarity | None:
        """Return what images are compared with; see `classify.serving.familiar`."""
        return find_familiarity(self.run, self.result, self._folder, reject)

    def predict_files(
        self, files: Sequence[Path], *, reject: float | None = None
    ) -> list[Prediction]:
        """Classify image files; files that cannot be used as images get a reason instead.

        Parameters
        ----------
        files : sequence of Path
            Image files, local or at addresses.
        reject : float, default=None
            As in `predict`.

        Returns
        -------
        list of Prediction
            In the order of `files`.
        """
        familiarity = self.find_familiarity(reject)
        recipe, done = self.reader.extract(files)
        digests, unusable = done.digests, done.quarantine
        for sentence in missing_extras(unusable):
            logger.warning("%s", sentence)
        predictions = {
            file: Prediction(file, None, None, reason) for file, reason in unusable.items()
        }
        usable = [file for file in files if file in digests]
        if usable:
            pooled = familiarity is not None
            samples = self.reader.of_files(usable, digests, recipe, pooled=pooled)
            familiar = [None] * len(usable)
            if familiarity is not None and samples.pooled is not None:
                familiar = familiarity.familiarity(samples.pooled).tolist()
            probabilities = self.probabilities(samples.X)
            for file, row, value in zip(usable, probabilities, familiar, strict=True):
                predictions[file] = self._predicted(file, row, value, reject)
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

    def _read_files(self, files: Mapping[int, Path], *, pooled: bool) -> Samples:
        """Return the samples of files by their row, which the message names if one is unusable."""
        recipe, done = self.reader.extract(list(files.values()))
        for row, file in files.items():
            if file in done.quarantine:
                raise ImageError(
                    f"row {row}: {file} cannot be used as an image: {done.quarantine[file]}"
                )
        return self.reader.of_files(list(files.values()), done.digests, recipe, pooled=pooled)

    def _predicted(
        self,
        file: Path,
        probabilities: NDArray[Any],
        familiarity: float | None,
        reject: float | None,
    ) -> Prediction:
        answer = int(self.rule.answers(probabilities[None])[0])
        probability = float(probabilities[answer])
        return Prediction(
            file,
            str(self.classes_[answer]),
            probability,
            undecided=is_undecided(self.result, probability),
            familiarity=familiarity,
            refused=is_refused(familiarity, reject),
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
