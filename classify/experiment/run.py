"""One run: every classifier is trained on the training split and evaluated on the test split."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import math
import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from classify.auditing.embedding_map import embedding_map
from classify.auditing.property_audit import shortcuts_in_headers
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk
from classify.evaluation.validation import validate
from classify.experiment.dask_backend import dask_backend
from classify.experiment.features import FileFeatures, ImageFeatures
from classify.experiment.recording import unfinished
from classify.experiment.recording.folder import RunFolder
from classify.experiment.recording.notes import warnings_before_training
from classify.experiment.recording.run import PartialResults, Plan, picture_records, record_run
from classify.experiment.trial import Trial
from reports.ranking import chosen_of
from toolkit import ctrl_c
from toolkit.errors import ToolkitError
from toolkit.phases import phase
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features
    from classify.experiment.inputs import ArrayInputs, EmbeddingInputs, ImageInputs
    from classify.experiment.settings import RunSettings
    from reports import records

logger = logging.getLogger(__name__)


class RunStopped(KeyboardInterrupt):
    """Ctrl-C has stopped a run that has written what was finished by then.

    Parameters
    ----------
    message : str
    folder : Path
        Of the run.
    run : reports.records.Run
        The content of its run.json; `run.not_done` is what is left to do.
    """

    def __init__(self, message: str, folder: Path, run: records.Run) -> None:
        super().__init__(message)
        self.folder, self.run = folder, run


def run(
    candidates: Sequence[Candidate],
    inputs: ImageInputs | ArrayInputs | EmbeddingInputs,
    settings: RunSettings,
    *,
    out: Path | None = None,
    command: Sequence[str] = (),
    progress: Progress = silent,
) -> tuple[Path, records.Run]:
    """Extract embeddings if necessary, train and evaluate, and write it all into a run folder.

    Parameters
    ----------
    candidates : sequence of Candidate
        The classifiers.
    inputs : ImageInputs, ArrayInputs or EmbeddingInputs
        The data.
    settings : RunSettings
        How to evaluate the classifiers, and what else to compute.
    out : Path, optional
        Folder of the run; by default a new one under ``runs/``. If it holds the same run, stopped,
        the run goes on from there.
    command : sequence of str, default=()
        What the user typed, for the report.
    progress : Progress, default=silent
        Called at every stage.

    Returns
    -------
    folder : Path
        With run.json, metrics.csv, predictions.csv, report.html and the models.
    run : reports.records.Run
        The content of run.json.

    Raises
    ------
    ToolkitError
        If the data, the weights, the cache or the output folder cannot be used.
    RunStopped
        After Ctrl-C, if anything had finished by then, which has been reported.
    """
    started = time.monotonic()
    inputs.check(candidates, settings)
    plan = Plan.of(candidates, inputs, settings, command)
    classes = inputs.dataset.classes
    settings.decision_rule(classes, [1] * len(classes))  # refuses priors of other classes
    with RunFolder.opened(out, "+".join(plan.asked) if len(plan.asked) < 4 else "all") as folder:
        stopped = folder.stopped_run()
        if stopped is not None:
            unfinished.check_plan(stopped, plan, folder.path)
        features = inputs.features(candidates, settings, progress)
        trials = [
            _trials(candidates, of_base, settings, features, progress) for of_base in features
        ]
        n_train, groups = sum(features[0].counts("train")), features[0].groups("train")
        n_groups = None if groups is None else len(set(groups.tolist()))
        for warning in warnings_before_training(candidates, n_train, settings, n_groups):
            logger.warning("%s", warning)
        if stopped is None:
            results = PartialResults(_steps(trials, features[0], settings))
        else:
            unfinished.check_data(stopped, features, folder.path)
            results = unfinished.restored(stopped, folder.path)

        def write() -> records.Run:
            saved = {
                backbone: folder.save_familiarity(fitted, backbone)
                for backbone, fitted in results.familiarity.items()
            }
            finished = record_run(features, results, plan, time.monotonic() - started, saved)
            folder.save_networks(features)
            pictures = picture_records(features[0])
            if results.not_done:
                unfinished.save(results, folder.path)
            folder.write(finished, results.predictions, results.evidence, pictures)
            if not results.not_done:
                unfinished.delete(folder.path)
            return finished

        try:
            for of_base, own in zip(features, trials, strict=True):
                with dask_backend(of_base.dask, partial(_shared_arrays, candidates, of_base)):
                    familiarity = _familiarity(of_base, settings, results)
                    _run_trials(own, results, folder, familiarity)
            _compare_with_ungrouped(list(itertools.chain.from_iterable(trials)), features, results)
            _examine_pictures(features[0], settings, results, progress)
        except BaseException as error:
            if not results.results and not results.rates:
                with ctrl_c.deferred():
                    folder.discard()
                if isinstance(error, KeyboardInterrupt):
                    of_images = isinstance(features[0], ImageFeatures)
                    kept = "; the embeddings are kept in the cache" if of_images else ""
                    raise KeyboardInterrupt(f"stopped: no classifier had finished{kept}") from None
                raise
            _raise_again(error, results, folder, _publish(write, results, folder))
        return folder.path, _publish(write, results, folder)


AUDIT, MAP = "audit of the images", "map of the images"
UNGROUPED = "accuracy of a split that ignores groups"


def _curve(name: str) -> str:
    return f"learning curve of {name}"


def _trials(
    candidates: Sequence[Candidate],
    of_base: Features,
    settings: RunSettings,
    features: Sequence[Features],
    progress: Progress,
) -> list[Trial]:
    """Return the trials on one base; a classifier that is trained on images is tried once."""
    trials = []
    for candidate in candidates:
        on_images = candidate.consumes == "images"
        if not on_images or of_base is features[0]:
            several = len(features) > 1 and not on_images
            trials.append(Trial(candidate, of_base, settings, several=several, progress=progress))
    return trials


def _steps(
    trials: Sequence[Sequence[Trial]], features: Features, settings: RunSettings
) -> list[str]:
    """Return what a run has to do, in words."""
    steps = []
    for trial in itertools.chain.from_iterable(trials):
        steps += [trial.name, *([_curve(trial.name)] if trial.has_learning_curve else [])]
    if features.keeps_groups and any(one.has_ungrouped for one in itertools.chain(*trials)):
        steps.append(UNGROUPED)
    if isinstance(features, ImageFeatures | FileFeatures):
        steps += [AUDIT, MAP] if settings.audit else [MAP]
    return steps


@phase("measuring familiarity")
def _familiarity(
    features: Features, settings: RunSettings, results: PartialResults
) -> np.ndarray | None:
    """Fit what new images are compared with; return how familiar the test images are, if asked."""
    from classify.experiment.familiar import familiarity_of_test, fit_familiarity

    if settings.reject is None and not isinstance(features, ImageFeatures):
        return None  # without a base, no new image can be predicted
    fitted = fit_familiarity(features, settings.seed)
    if fitted is None:
        return None
    if isinstance(features, ImageFeatures):
        results.familiarity[features.prepared.base.recipe.backbone] = fitted
    return None if settings.reject is None else familiarity_of_test(features, fitted)


def _run_trials(
    trials: Sequence[Trial],
    results: PartialResults,
    folder: RunFolder,
    familiarity: np.ndarray | None,
) -> None:
    """Train and evaluate each classifier that is not done yet."""
    for trial in trials:
        if trial.name in results.not_done:
            with phase(f"{trial.name}: evaluating"):
                results.add(trial.run(folder, results.rates, familiarity))
        if _curve(trial.name) in results.not_done:
            result = next(one for one in results.results if one.classifier == trial.name)
            answers = [row for row in results.predictions if row.classifier == trial.name]
            with phase(f"{trial.name}: learning curve"):
                curve = trial.learning_curve(result, answers)
            results.learning_curves += [] if curve is None else [curve]
            results.not_done.remove(_curve(trial.name))


def _compare_with_ungrouped(
    trials: Sequence[Trial], features: Sequence[Features], results: PartialResults
) -> None:
    """Add what a split that ignores groups would have claimed for the best on embeddings."""
    if UNGROUPED not in results.not_done:
        return
    validations = validate(results.held_out)
    losses = {name: validation.log_loss for name, validation in validations.items()}
    trial = min(
        (trial for trial in trials if trial.has_ungrouped),
        key=lambda trial: losses.get(trial.name, math.inf),
    )
    result = next(one for one in results.results if one.classifier == trial.name)
    with dask_backend(features[0].dask, list), phase(UNGROUPED):
        results.ungrouped = trial.ungrouped(result)
    results.not_done.remove(UNGROUPED)


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
    if isinstance(features, FileFeatures):
        _examine_embeddings(features, settings, results, progress)
        return
    if not isinstance(features, ImageFeatures):
        return
    if AUDIT in results.not_done:
        from classify.auditing.findings import find_wrong_data

        results.audit = find_wrong_data(
            features.prepared,
            results.predictions,
            chosen=_chosen(results),
            seed=settings.seed,
            reading=features.options.reading,
            progress=progress,
        )
        results.not_done.remove(AUDIT)
    elif not settings.audit:
        results.shortcuts = shortcuts_in_headers(
            features.prepared, seed=settings.seed, reading=features.options.reading
        )
    results.embedding_map = embedding_map(features.prepared, seed=settings.seed, progress=progress)
    results.not_done.remove(MAP)


def _examine_embeddings(
    features: FileFeatures, settings: RunSettings, results: PartialResults, progress: Progress
) -> None:
    """Do what `_examine_pictures` does, as far as that needs no pixels."""
    if AUDIT in results.not_done:
        results.audit = features.given.find_wrong_data(
            results.predictions, chosen=_chosen(results), seed=settings.seed, progress=progress
        )
        results.not_done.remove(AUDIT)
    elif not settings.audit:
        results.shortcuts = features.given.shortcuts(seed=settings.seed)
    results.embedding_map = features.given.map(seed=settings.seed, progress=progress)
    results.not_done.remove(MAP)


def _chosen(results: PartialResults) -> str | None:
    """Return the classifier that the findings are about, if any has finished."""
    return chosen_of(results.validated()).classifier if results.results else None


def _publish(
    write: Callable[[], records.Run], results: PartialResults, folder: RunFolder
) -> records.Run:
    """Write tables and record, which Ctrl-C does not interrupt, then the page; return the record.

    Raises
    ------
    KeyboardInterrupt
        With what is kept.
    """
    try:
        with ctrl_c.deferred():
            finished = write()
        folder.write_page(finished, results.predictions, results.evidence)
        finished = dataclasses.replace(finished, phases=results.all_phases())
        with ctrl_c.deferred():
            folder.write_record(finished)  # now that it is known how long the page took
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_without_page(results, folder)) from None
    return finished


def _without_page(results: PartialResults, folder: RunFolder) -> str:
    """Return what Ctrl-C leaves that is pressed while the page is written."""
    if results.not_done:
        kept = "the same command with this folder as its output goes on, and writes the report"
    else:
        kept = f"python -m reports {folder.path} writes the report"
    return f"stopped: what had finished is in {folder.path}; {kept}"


def _raise_again(
    error: BaseException, results: PartialResults, folder: RunFolder, run: records.Run
) -> NoReturn:
    """Raise the error that ended a run, with a note of what is kept.

    Raises
    ------
    BaseException
        Always.
    """
    number = len(results.results)
    classifiers = "1 classifier is" if number == 1 else f"{number} classifiers are"
    kept = [f"{classifiers} reported"] if number else []
    kept += [
        f"{plural(len(rates), 'learning rate')} of {name} {'is' if len(rates) == 1 else 'are'} kept"
        for name, rates in results.rates.items()
    ]
    reported = f"{' and '.join(kept)} in {folder.path}"
    if isinstance(error, KeyboardInterrupt):
        raise RunStopped(
            f"stopped: {reported}; the same command with this folder as its output goes on",
            folder.path,
            run,
        ) from None
    if isinstance(error, ToolkitError):
        raise ClassifierError(f"{error}; {reported}", setting=error.setting) from error
    error.add_note(reported)
    raise error
