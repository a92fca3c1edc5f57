"""One run: every classifier is trained on the training split and evaluated on the test split."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from classify.auditing.embedding_map import embedding_map
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk
from classify.experiment.dask_backend import dask_backend
from classify.experiment.features import ImageFeatures
from classify.experiment.run_folder import RunFolder
from classify.experiment.run_record import PartialResults, Plan, picture_records, record_run
from classify.experiment.trial import Trial
from toolkit.errors import ToolkitError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import numpy as np

    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features
    from classify.experiment.inputs import ArrayInputs, ImageInputs
    from classify.experiment.settings import RunSettings
    from classify.experiment.trial import TrialResult
    from reports import record


def run(
    candidates: Sequence[Candidate],
    inputs: ImageInputs | ArrayInputs,
    settings: RunSettings,
    *,
    out: Path | None = None,
    command: Sequence[str] = (),
    progress: Progress = silent,
) -> tuple[Path, record.Run]:
    """Extract embeddings if necessary, train and evaluate, and write it all into a run folder.

    Parameters
    ----------
    candidates : sequence of Candidate
        The classifiers.
    inputs : ImageInputs or ArrayInputs
        The data.
    settings : RunSettings
        How to evaluate the classifiers, and what else to compute.
    out : Path, optional
        Folder of the run; by default a new one under ``runs/``.
    command : sequence of str, default=()
        What the user typed, for the report.
    progress : Progress, default=silent
        Called at every stage.

    Returns
    -------
    folder : Path
        With run.json, metrics.csv, predictions.csv, report.html and the models.
    run : reports.record.Run
        The content of run.json.

    Raises
    ------
    ToolkitError
        If the data, the weights, the cache or the output folder cannot be used.
    KeyboardInterrupt
        After Ctrl-C; the classifiers that had finished by then have been reported.
    """
    started = time.monotonic()
    inputs.check(candidates, settings)
    plan = Plan.of(candidates, inputs, settings, command)
    classes = inputs.dataset.classes
    settings.decision_rule(classes, [1] * len(classes))  # refuses priors of other classes
    names = list(plan.asked)
    folder = RunFolder.create(out, "+".join(names) if len(names) < 4 else "all")
    try:
        features = inputs.features(candidates, settings, progress)
        results = PartialResults()

        def write() -> record.Run:
            seconds = time.monotonic() - started
            finished = record_run(features, results, plan, seconds)
            folder.write(finished, results.predictions, picture_records(features[0]))
            return finished

        try:
            with closing(run_trials(candidates, features, settings, folder, progress)) as findings:
                for finding in findings:
                    results.add(finding)
            _examine_pictures(features[0], settings, results, progress)
        except BaseException as error:
            if not results.results:
                raise
            write()
            _raise_again(error, results, folder)
        return folder.path, write()
    finally:
        folder.remove_if_empty()


def run_trials(
    candidates: Sequence[Candidate],
    features: Sequence[Features],
    settings: RunSettings,
    folder: RunFolder,
    progress: Progress = silent,
) -> Generator[TrialResult | record.LearningCurve]:
    """Train and evaluate every classifier on every base; yield each result as soon as it is there.

    Parameters
    ----------
    candidates : sequence of Candidate
        One that is trained on images is tried once.
    features : sequence of Features
        One for each frozen base.
    settings : RunSettings
    folder : RunFolder
        Where the models are saved.
    progress : Progress, default=silent
        Called at every stage.
    """
    for of_base in features:
        with dask_backend(of_base.dask, partial(_shared_arrays, candidates, of_base)):
            for candidate in candidates:
                on_images = candidate.consumes == "images"
                if on_images and of_base is not features[0]:
                    continue
                several = len(features) > 1 and not on_images
                trial = Trial(candidate, of_base, settings, several=several, progress=progress)
                yield trial.run(folder)
                curve = trial.learning_curve()
                if curve is not None:
                    yield curve


def _shared_arrays(candidates: Sequence[Candidate], features: Features) -> list[np.ndarray]:
    """Return the arrays that several of the classifiers are trained or tested on."""
    if not any(candidate.consumes == "embeddings" for candidate in candidates):
        return []
    arrays = (features.embeddings("train"), features.embeddings("test"))
    return [rows for rows in arrays if not isinstance(rows, RowsOnDisk)]


def _examine_pictures(
    features: Features, settings: RunSettings, results: PartialResults, progress: Progress
) -> None:
    """Add the map of the pictures to the results, and the audit if the settings ask for it."""
    if not isinstance(features, ImageFeatures):
        return
    if settings.audit:
        from classify.auditing.findings import find_wrong_data

        results.audit = find_wrong_data(
            features.prepared,
            results.predictions,
            seed=settings.seed,
            reading=features.options.reading,
            progress=progress,
        )
    results.embedding_map = embedding_map(features.prepared, seed=settings.seed, progress=progress)


def _raise_again(error: BaseException, results: PartialResults, folder: RunFolder) -> NoReturn:
    """Raise the error that ended a run, with a note of the results that are reported all the same.

    Raises
    ------
    BaseException
        Always.
    """
    number = len(results.results)
    classifiers = "1 classifier is" if number == 1 else f"{number} classifiers are"
    reported = f"{classifiers} reported in {folder.path}"
    if isinstance(error, KeyboardInterrupt):
        raise KeyboardInterrupt(f"stopped: {reported}") from None
    if isinstance(error, ToolkitError):
        raise ClassifierError(f"{error}; {reported}", setting=error.setting) from error
    error.add_note(reported)
    raise error
