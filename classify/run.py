"""One run: every asked-for classifier trained on the training split, judged on the test split."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cache.console import Progress, silent
from classify import registry
from classify.errors import ClassifierError
from classify.output import RunFolder
from classify.surroundings import machine, versions
from extract.dataset import counts
from extract.loading import load_images
from extract.prepare import find_dataset, prepare
from reports import record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from classify.base import Classifier
    from extract.dataset import Dataset, Split
    from extract.options import Options
    from extract.prepare import Prepared


@dataclass
class _Features:
    """What the classifiers are fed, each kind read once and only if one asks for it."""

    prepared: Prepared
    options: Options
    progress: Progress
    _kept: dict[tuple[str, Split], np.ndarray] = field(default_factory=dict)

    def __call__(self, kind: str, split: Split) -> np.ndarray:
        if (kind, split) not in self._kept:
            self._kept[kind, split] = (
                self.prepared.embeddings(split)
                if kind == "embeddings"
                else load_images(
                    self.prepared.paths(split),
                    self.options.size,
                    workers=self.options.workers,
                    max_pixels=self.options.max_pixels,
                    progress=self.progress,
                )
            )
        return self._kept[kind, split]


def run(
    names: Sequence[str],
    options: Options,
    *,
    kernel: str = "auto",
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
    kernel : {"auto", "linear", "rbf"}
        The SVM's.
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
    kinds = [registry.classifier(name) for name in names]
    dataset = find_dataset(options, progress)
    check(dataset)
    folder = RunFolder.create(out, "+".join(names) if len(names) < 4 else "all")
    try:
        prepared = prepare(dataset, options, progress)
        check(prepared.dataset)
        features = _Features(prepared, options, progress)
        results: list[record.Result] = []
        predictions: list[record.Prediction] = []

        def describe() -> record.Run:
            return _record(prepared, options, command, results, time.monotonic() - started)

        try:
            for name, kind in zip(names, kinds, strict=True):
                extra = {"kernel": kernel} if name == "svm" else {}
                estimator = registry.make(name, seed=options.seed, **extra)
                X: dict[Split, np.ndarray] = {
                    "train": features(kind.consumes, "train"),
                    "test": features(kind.consumes, "test"),
                }
                result, rows = _judge(name, estimator, prepared, X, folder, progress)
                results.append(result)
                predictions += rows
        except KeyboardInterrupt:
            if results:
                folder.write(describe(), predictions)
                done = f"{len(results)} of {len(names)} classifiers are reported in {folder.path}"
                raise KeyboardInterrupt(f"stopped: {done}") from None
            raise
        finished = describe()
        folder.write(finished, predictions)
        return folder.path, finished
    finally:
        folder.remove_if_empty()


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
                    f"{least}; add images or leave the class out"
                )


def _judge(
    name: str,
    estimator: Classifier,
    prepared: Prepared,
    X: dict[Split, np.ndarray],
    folder: RunFolder,
    progress: Progress,
) -> tuple[record.Result, list[record.Prediction]]:
    from classify.metrics import evaluate

    clock = time.monotonic()
    estimator.fit(X["train"], prepared.labels("train"), progress=progress)
    fitted = time.monotonic()
    probabilities = estimator.predict_proba(X["test"])
    predicted = time.monotonic()
    truth = prepared.labels("test")
    result = evaluate(
        name,
        estimator,
        truth,
        probabilities,
        fit_seconds=fitted - clock,
        predict_seconds=predicted - fitted,
    )
    file, sha256 = folder.save_model(estimator, name)
    result = dataclasses.replace(result, model=file, model_sha256=sha256)
    best = probabilities.argmax(axis=1)
    rows = [
        record.Prediction(
            name,
            prepared.dataset.relative(path),
            label,
            str(estimator.classes_[code]),
            float(probabilities[i, code]),
        )
        for i, (path, label, code) in enumerate(
            zip(prepared.paths("test"), truth, best, strict=True)
        )
    ]
    return result, rows


def _record(
    prepared: Prepared,
    options: Options,
    command: Sequence[str],
    results: Sequence[record.Result],
    seconds: float,
) -> record.Run:
    dataset, done = prepared.dataset, prepared.extraction
    classes = dataset.classes
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
            fingerprint=prepared.fingerprint,
        ),
        recipe={**prepared.base.to_dict(), "preset": options.described_preset},
        extraction=record.Extraction(
            images=len(done.digests) + len(done.quarantine),
            cached=done.cached,
            computed=done.computed,
            quarantined=len(done.quarantine),
            seconds=done.seconds,
        ),
        results=list(results),
        versions=versions(),
        machine=machine(),
        seconds=seconds,
        quarantine=[
            record.Quarantined(dataset.relative(path), reason)
            for path, reason in done.quarantine.items()
        ],
    )
