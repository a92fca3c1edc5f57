"""One run: every asked-for classifier trained on the training split, judged on the test split."""

from __future__ import annotations

import dataclasses
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from classify import registry
from classify.audit.embedding_map import embedding_map
from classify.environment import machine, memory_limit, versions
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk
from classify.experiment.features import Features
from classify.experiment.run_folder import RunFolder
from classify.experiment.trial import TrainingSettings, Trial
from classify.parallel import dask_backend
from extract.datasets.dataset import counts
from extract.prepare import find_dataset, prepare
from reports import record
from reports.picture_records import PictureRecord
from toolkit.errors import ToolkitError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from extract.datasets.dataset import Dataset, Split
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
    """Extract if need be, train, judge, and write everything into a run folder.

    Parameters
    ----------
    names : sequence of str
        Classifiers, see `classify.registry`.
    options : Options
        Data, base and seed.
    settings : TrainingSettings, optional
        How to train, and what else to find out.
    out : Path, optional
        Folder of the run; by default a new one under ``runs/``.
    command : sequence of str
        What the user typed, for the report.
    progress : Progress
        Told of every stage.

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
        After Ctrl-C; the classifiers that were done by then have been reported.
    """
    started = time.monotonic()
    settings = settings or TrainingSettings()
    for name in names:
        registry.kind(name)  # a name that there is not is told before anything is computed
    for option in settings.without_effect(names):
        logger.info("%s has no effect: it is not for %s", option, " or ".join(names))
    dataset = find_dataset(options, progress)
    check(dataset)
    folder = RunFolder.create(out, "+".join(names) if len(names) < 4 else "all")
    try:
        bases = [prepare(dataset, one, progress) for one in options.for_each_backbone()]
        _check_together(bases)
        found = PartialResults()

        def describe() -> record.Run:
            return _record(bases, options, command, found, time.monotonic() - started)

        try:
            _find_out(names, bases, options, settings, folder, found, progress)
        except BaseException as ended:
            if not found.results:
                raise
            folder.write(describe(), found.predictions, _pictures(bases[0]))
            done = f"{len(found.results)} classifiers are reported in {folder.path}"
            if isinstance(ended, KeyboardInterrupt):
                raise KeyboardInterrupt(f"stopped: {done}") from None
            if isinstance(ended, ToolkitError):
                raise ClassifierError(f"{ended}; {done}") from ended
            ended.add_note(done)
            raise
        finished = describe()
        folder.write(finished, found.predictions, _pictures(bases[0]))
        return folder.path, finished
    finally:
        folder.remove_if_empty()


@dataclass
class PartialResults:
    """What a run has found out so far."""

    results: list[record.Result] = field(default_factory=list)
    predictions: list[record.PredictionRow] = field(default_factory=list)
    curves: list[record.LearningCurve] = field(default_factory=list)
    lower: list[record.Base] = field(default_factory=list)
    audit: Audit | None = None
    embedding_map: EmbeddingMap | None = None


def _find_out(
    names: Sequence[str],
    bases: Sequence[Prepared],
    options: Options,
    settings: TrainingSettings,
    folder: RunFolder,
    found: PartialResults,
    progress: Progress,
) -> None:
    """Try every classifier on every base, audit the pictures, map them; add it all to `found`."""
    for features in _fed(names, bases, options, settings, progress):
        prepared, one = features.prepared, features.options
        with dask_backend(options.dask, partial(_in_common, names, features)):
            for name in names:
                on_images = registry.kind(name).consumes == "images"
                if on_images and prepared is not bases[0]:
                    continue
                several = len(bases) > 1 and not on_images
                trial = Trial(name, features, settings, several=several, progress=progress)
                result, rows = trial.judge(folder)
                found.results.append(result)
                found.predictions += rows
                found.curves += trial.learning_curve()
        if features.lower is not None:
            below = _described(features.lower, one)
            layer = features.lower.base.recipe.layer
            found.lower.append(
                dataclasses.replace(below, backbone=f"{below.backbone} up to {layer}")
            )
    if settings.audit:
        from classify.audit.audit import audit

        found.audit = audit(
            bases[0],
            found.predictions,
            seed=options.seed,
            workers=options.workers,
            max_pixels=options.max_pixels,
            progress=progress,
        )
    found.embedding_map = embedding_map(bases[0], seed=options.seed, progress=progress)


def _fed(
    names: Sequence[str],
    bases: Sequence[Prepared],
    options: Options,
    settings: TrainingSettings,
    progress: Progress,
) -> list[Features]:
    """Return what the classifiers are fed of every base, if it may be in memory where it must."""
    limit = memory_limit() if settings.memory_limit is None else settings.memory_limit
    fed = [
        Features(prepared, one, progress, limit)
        for prepared, one in zip(bases, options.for_each_backbone(), strict=True)
    ]
    for features in fed:
        features.require_memory(
            names, kernel=settings.kernel, audit=settings.audit and features is fed[0]
        )
    return fed


def _in_common(names: Sequence[str], features: Features) -> list[np.ndarray]:
    """Return the arrays that several of the classifiers are fed."""
    if not any(registry.kind(name).consumes == "embeddings" for name in names):
        return []
    found = (features.embeddings("train"), features.embeddings("test"))
    return [rows for rows in found if not isinstance(rows, RowsOnDisk)]


def check(dataset: Dataset) -> None:
    """Make sure that there is something to tell apart, before minutes are spent on it.

    Raises
    ------
    ClassifierError
        If there are fewer than two classes, or a class has too few images in a split.
    """
    classes = dataset.classes
    if len(classes) < 2:
        raise ClassifierError(
            f"a classifier needs at least two classes to tell apart, found one: {classes[0]!r}; "
            "add a folder with images of another class"
        )
    if not dataset.has_split:
        few = [name for name in classes if sum(i.label == name for i in dataset.items) < 3]
        if few:
            raise ClassifierError(
                f"class {few[0]!r} has too few images to learn from and to test on: expected at "
                "least 3; add images or leave the class out"
            )
        return
    minimum: dict[Split, int] = {"train": 2, "test": 1}
    for split, least in minimum.items():
        for name, count in zip(classes, counts(dataset.items, classes, split), strict=True):
            if count < least:
                raise ClassifierError(
                    f"class {name!r} has {count} images in the {split} split, expected at least "
                    f"{least}; add images, leave the class out, or mend the label if it is a slip"
                )


def _check_together(bases: Sequence[Prepared]) -> None:
    """Make sure that all bases have embedded the same usable images."""
    check(bases[0].dataset)
    for other in bases[1:]:
        if other.dataset != bases[0].dataset:
            raise ClassifierError(
                "files were changed while they were read, so that the backbones do not have the "
                "same images; run the command again"
            )


def _compare(
    prepared: Prepared, predictions: Sequence[record.PredictionRow]
) -> list[record.Comparison]:
    from classify.evaluation.comparison import compare

    predicted: dict[str, list[str]] = {}
    for row in predictions:
        predicted.setdefault(row.classifier, []).append(row.predicted)
    return compare(prepared.labels("test"), predicted)


def _pictures(prepared: Prepared) -> list[PictureRecord]:
    dataset, digests = prepared.dataset, prepared.extraction.digests
    return [
        PictureRecord(dataset.relative(item.path), item.label, str(item.split), digests[item.path])
        for item in dataset.items
    ]


def _record(
    bases: Sequence[Prepared],
    options: Options,
    command: Sequence[str],
    found: PartialResults,
    seconds: float,
) -> record.Run:
    first = bases[0]
    dataset, classes = first.dataset, first.dataset.classes
    described = [_described(prepared, options) for prepared in bases] + found.lower
    return record.Run(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=list(command),
        seed=options.seed,
        data=record.Data(
            name=dataset.name,
            root=str(dataset.root),
            classes=classes,
            train_counts=counts(dataset.items, classes, "train"),
            test_counts=counts(dataset.items, classes, "test"),
            split=dataset.split,
            fingerprint=first.fingerprint,
        ),
        recipe=described[0].recipe,
        extraction=described[0].extraction,
        results=list(found.results),
        versions=versions(),
        machine=machine(),
        seconds=seconds,
        quarantine=[
            record.Quarantined(dataset.relative(path), reason)
            for path, reason in first.extraction.quarantine.items()
        ],
        comparisons=_compare(first, found.predictions),
        learning_curves=found.curves,
        audit=found.audit,
        embedding_map=found.embedding_map,
        bases=described if len(described) > 1 else [],
    )


def _described(prepared: Prepared, options: Options) -> record.Base:
    done = prepared.extraction
    return record.Base(
        prepared.base.recipe.backbone,
        {**prepared.base.to_dict(), "preset": options.described_preset},
        record.ExtractionSummary(
            images=len(done.digests) + len(done.quarantine),
            cached=done.cached,
            computed=done.computed,
            quarantined=len(done.quarantine),
            seconds=done.seconds,
        ),
    )
