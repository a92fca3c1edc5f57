"""The record of a whole run: its data, frozen bases, results and the machine it ran on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from classify.environment import machine, versions
from classify.experiment import recording
from extract.datasets.dataset import counts
from reports import record
from reports.picture_records import PictureRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.experiment.features import Features
    from classify.experiment.run import PartialResults
    from extract.options import Options
    from extract.prepare import Prepared


def record_run(
    features: Sequence[Features],
    options: Options,
    command: Sequence[str],
    results: PartialResults,
    seconds: float,
) -> record.Run:
    """Return the record of a run, finished or not.

    Parameters
    ----------
    features : sequence of Features
        One for each frozen base.
    options : Options
        Data, base and seed.
    command : sequence of str
        What the user typed.
    results : PartialResults
        All results so far.
    seconds : float
        Since the run started.
    """
    first = features[0].prepared
    dataset, classes = first.dataset, first.dataset.classes
    bases = [_base(one.prepared, options) for one in features]
    bases += [_lower_base(one.lower, one.options) for one in features if one.lower is not None]
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
        bases=bases,
        results=list(results.results),
        versions=versions(),
        machine=machine(),
        seconds=seconds,
        quarantine=[
            record.Quarantined(dataset.relative(path), reason)
            for path, reason in first.extraction.quarantine.items()
        ],
        comparisons=_compare(first, results.predictions),
        learning_curves=results.learning_curves,
        audit=results.audit,
        embedding_map=results.embedding_map,
    )


def picture_records(prepared: Prepared) -> list[PictureRecord]:
    """Return one record for each image of a run."""
    dataset, digests = prepared.dataset, prepared.extraction.digests
    return [
        PictureRecord(dataset.relative(item.path), item.label, str(item.split), digests[item.path])
        for item in dataset.items
    ]


def _compare(
    prepared: Prepared, predictions: Sequence[record.PredictionRow]
) -> list[record.Comparison]:
    from classify.evaluation.comparison import compare_predictions

    predicted: dict[str, list[str]] = {}
    for row in predictions:
        predicted.setdefault(row.classifier, []).append(row.predicted)
    return recording.comparisons(compare_predictions(prepared.labels("test"), predicted))


def _lower_base(prepared: Prepared, options: Options) -> record.Base:
    """Return the record of a base up to the layer from which a classifier trains the rest."""
    base = _base(prepared, options)
    return dataclasses.replace(base, backbone=f"{base.backbone} up to {prepared.base.recipe.layer}")


def _base(prepared: Prepared, options: Options) -> record.Base:
    extraction = prepared.extraction
    return record.Base(
        prepared.base.recipe.backbone,
        {**prepared.base.to_dict(), "preset": options.described_preset},
        record.ExtractionSummary(
            images=len(extraction.digests) + len(extraction.quarantine),
            cached=extraction.cached,
            computed=extraction.computed,
            quarantined=len(extraction.quarantine),
            seconds=extraction.seconds,
        ),
    )
