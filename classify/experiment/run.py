"""One run: every classifier is trained on the training split and evaluated on the test split."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from classify import registry
from classify.auditing.embedding_map import embedding_map
from classify.environment import memory_limit
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk
from classify.experiment.checks import check_dataset, check_same_images
from classify.experiment.dask_backend import dask_backend
from classify.experiment.features import Features
from classify.experiment.run_folder import RunFolder
from classify.experiment.run_record import picture_records, record_run
from classify.experiment.settings import TrainingSettings
from classify.experiment.trial import Trial, TrialResult
from extract.prepare import find_dataset, prepare
from reports import record
from toolkit.errors import ToolkitError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import numpy as np

    from extract.options import Options
    from extract.prepare import Prepared
    from reports.picture_records import Audit, EmbeddingMap

logger = logging.getLogger(__name__)


def run(
    names: Sequence[str],
    options: Options,
    *,
    settings: TrainingSettings | None = None,
    out: Path | None = None,
    command: Sequence[str] = (),
    progress: Progress = silent,
) -> tuple[Path, record.Run]:
    """Extract embeddings if need be, train and evaluate, and write everything into a run folder.

    Parameters
    ----------
    names : sequence of str
        Classifiers, see `classify.registry`.
    options : Options
        Data, base and seed.
    settings : TrainingSettings, optional
        How to train, and what else to find out about the classifiers.
    out : Path, optional
        Folder of the run; by default a new one under ``runs/``.
    command : sequence of str
        What the user typed, for the report.
    progress : Progress
        Called at every stage.

    Returns
    -------
    folder : Path
        With run.json, metrics.csv, predictions.csv, report.html and the models.
    run : Run
        What run.json holds.

    Raises
    ------
    ToolkitError
        If the data, the weights, the cache or the output folder cannot be used.
    KeyboardInterrupt
        After Ctrl-C; the classifiers that had finished by then have been reported.
    """
    started = time.monotonic()
    settings = settings or TrainingSettings()
    for name in names:
        registry.kind(name)  # an unknown name is an error before anything is computed
    for option in settings.without_effect(names):
        logger.info("%s has no effect: it is not for %s", option, " or ".join(names))
    dataset = find_dataset(options, progress)
    check_dataset(dataset)
    folder = RunFolder.create(out, "+".join(names) if len(names) < 4 else "all")
    try:
        bases = [prepare(dataset, one, progress) for one in options.for_each_backbone()]
        check_same_images(bases)
        features = _features(names, bases, options, settings, progress)
        results = PartialResults()
        try:
            with closing(run_trials(names, features, settings, folder, progress)) as findings:
                for finding in findings:
                    results.add(finding)
            _look_at_pictures(features[0], settings, results, progress)
        except BaseException as error:
            if not results.results:
                raise
            _write(folder, features, options, command, results, started)
            _raise_again(error, results, folder)
        return folder.path, _write(folder, features, options, command, results, started)
    finally:
        folder.remove_if_empty()


@dataclass
class PartialResults:
    """All results of a run so far."""

    results: list[record.Result] = field(default_factory=list)
    predictions: list[record.PredictionRow] = field(default_factory=list)
    learning_curves: list[record.LearningCurve] = field(default_factory=list)
    audit: Audit | None = None
    embedding_map: EmbeddingMap | None = None

    def add(self, finding: TrialResult | record.LearningCurve) -> None:
        """Add what `run_trials` yields."""
        if isinstance(finding, record.LearningCurve):
            self.learning_curves.append(finding)
        else:
            self.results.append(finding.result)
            self.predictions += finding.predictions


def run_trials(
    names: Sequence[str],
    features: Sequence[Features],
    settings: TrainingSettings,
    folder: RunFolder,
    progress: Progress = silent,
) -> Generator[TrialResult | record.LearningCurve]:
    """Train and evaluate every classifier on every base, and yield each result once it is there.

    Parameters
    ----------
    names : sequence of str
        Classifiers, see `classify.registry`. One that is trained on images is tried once.
    features : sequence of Features
        One for each frozen base.
    settings : TrainingSettings
    folder : RunFolder
        Where the models are saved.
    progress : Progress
        Called at every stage.
    """
    for one in features:
        with dask_backend(one.options.dask, partial(_shared_arrays, names, one)):
            for name in names:
                on_images = registry.kind(name).consumes == "images"
                if on_images and one is not features[0]:
                    continue
                several = len(features) > 1 and not on_images
                trial = Trial(name, one, settings, several=several, progress=progress)
                yield trial.judge(folder)
                curve = trial.learning_curve()
                if curve is not None:
                    yield curve


def _features(
    names: Sequence[str],
    bases: Sequence[Prepared],
    options: Options,
    settings: TrainingSettings,
    progress: Progress,
) -> list[Features]:
    """Return the features of every base, if those that must fit in memory do."""
    limit = memory_limit() if settings.memory_limit is None else settings.memory_limit
    features = [
        Features(prepared, one, progress, limit)
        for prepared, one in zip(bases, options.for_each_backbone(), strict=True)
    ]
    for one in features:
        one.require_memory(
            names, kernel=settings.kernel, audit=settings.audit and one is features[0]
        )
    return features


def _shared_arrays(names: Sequence[str], features: Features) -> list[np.ndarray]:
    """Return the arrays that several of the classifiers are trained or tested on."""
    if not any(registry.kind(name).consumes == "embeddings" for name in names):
        return []
    arrays = (features.embeddings("train"), features.embeddings("test"))
    return [rows for rows in arrays if not isinstance(rows, RowsOnDisk)]


def _look_at_pictures(
    features: Features, settings: TrainingSettings, results: PartialResults, progress: Progress
) -> None:
    """Add the audit, if one is asked for, and the map of the pictures to the results."""
    options = features.options
    if settings.audit:
        from classify.auditing.audit import audit

        results.audit = audit(
            features.prepared,
            results.predictions,
            seed=options.seed,
            reading=options.reading,
            progress=progress,
        )
    results.embedding_map = embedding_map(features.prepared, seed=options.seed, progress=progress)


def _write(
    folder: RunFolder,
    features: Sequence[Features],
    options: Options,
    command: Sequence[str],
    results: PartialResults,
    started: float,
) -> record.Run:
    run = record_run(features, options, command, results, time.monotonic() - started)
    folder.write(run, results.predictions, picture_records(features[0].prepared))
    return run


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
