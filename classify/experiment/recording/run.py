"""The record of a whole run: its data, frozen bases, results and the machine it ran on."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from classify.environment import PACKAGES, machine
from classify.evaluation.decision import check_priors
from classify.evaluation.validation import validate
from classify.experiment.features import ArrayFeatures, FileFeatures, ImageFeatures
from classify.experiment.recording import conversion
from extract.datasets.grouping.checks import cut
from reports import records
from reports.records import FamiliarityFile, PictureRecord
from toolkit.libraries import versions
from toolkit.phases import phase, spent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from classify.evaluation.validation import HeldOut
    from classify.experiment.candidates import Candidate
    from classify.experiment.features import Features
    from classify.experiment.inputs import ArrayInputs, EmbeddingInputs, ImageInputs
    from classify.experiment.settings import RunSettings
    from classify.networks.sweep import FinishedRate
    from extract.datasets.dataset import Dataset
    from extract.options import Options
    from extract.prepare import Prepared
    from reports.records import Audit, EmbeddingMap, Shortcut


@dataclass(frozen=True)
class TrialResult:
    """One classifier on one base: its figures, and its predictions of the test images.

    `held_out` are its predictions of training images, if it has any; `evidence` says where in some
    of the test images the evidence lies.
    """

    result: records.Result
    predictions: list[records.PredictionRow]
    held_out: HeldOut | None
    evidence: list[records.EvidenceRow]


@dataclass
class PartialResults:
    """All results of a run so far, and what is not done yet."""

    not_done: list[str]
    results: list[records.Result] = field(default_factory=list)
    predictions: list[records.PredictionRow] = field(default_factory=list)
    evidence: list[records.EvidenceRow] = field(default_factory=list)
    held_out: dict[str, HeldOut] = field(default_factory=dict)
    learning_curves: list[records.LearningCurve] = field(default_factory=list)
    ungrouped: records.Ungrouped | None = None
    audit: Audit | None = None
    embedding_map: EmbeddingMap | None = None
    rates: dict[str, list[FinishedRate]] = field(default_factory=dict)
    """Of the network whose training was stopped: what each learning rate gave that is finished."""
    seconds: float = 0.0
    """That the run took before it was stopped."""
    phases: dict[str, float] = field(default_factory=dict)
    """Of the commands that were stopped."""
    shortcuts: list[Shortcut] = field(default_factory=list)
    familiarity: dict[str, Familiarity] = field(default_factory=dict)
    """What new images are compared with, by the name of the backbone; it is fitted anew when a run
    goes on."""

    def all_phases(self) -> dict[str, float]:
        """Return the seconds of each phase until now, of all commands that this run took."""
        now = spent()
        names = {**self.phases, **now}
        return {name: self.phases.get(name, 0.0) + now.get(name, 0.0) for name in names}

    def validated(self) -> list[records.Result]:
        """Return the results with how each classifier did in validation."""
        return conversion.validated(self.results, validate(self.held_out))

    def add(self, finished: TrialResult) -> None:
        """Add the result of a classifier."""
        name = finished.result.classifier
        self.results.append(finished.result)
        self.predictions += finished.predictions
        self.evidence += finished.evidence
        if finished.held_out is not None:
            self.held_out[name] = finished.held_out
        self.rates.pop(name, None)
        self.not_done.remove(name)


@dataclass(frozen=True)
class Plan:
    """What a run was asked for.

    Parameters
    ----------
    settings : dict
        Everything that was set and can change a figure.
    asked : dict
        The classifiers, with their parameters before the training.
    command : tuple of str
        What the user typed.
    choice : reports.records.BackboneChoice, optional
        How the frozen base was chosen.
    """

    settings: dict[str, Any]
    asked: dict[str, dict[str, Any]]
    command: tuple[str, ...]
    choice: records.BackboneChoice | None = None

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate],
        inputs: ImageInputs | ArrayInputs | EmbeddingInputs,
        settings: RunSettings,
        command: Sequence[str],
    ) -> Plan:
        """Return what a run with these parameters is asked for, as JSON holds it."""
        plain = {**inputs.settings, **dataclasses.asdict(settings)}
        asked = {
            candidate.name: conversion.json_params(candidate.estimator.get_params())
            for candidate in candidates
        }
        return cls(
            _as_json(conversion.json_params(plain)), _as_json(asked), tuple(command), inputs.choice
        )


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    """Return a value as it is read again: with lists for tuples."""
    read: dict[str, Any] = json.loads(json.dumps(value))
    return read


GIVEN = "given as an array"
"""The base of embeddings that the caller has computed."""


@phase("comparing and recording results")
def record_run(
    features: Sequence[Features],
    results: PartialResults,
    plan: Plan,
    seconds: float,
    familiarity: Mapping[str, FamiliarityFile],
) -> records.Run:
    """Return the record of a run, finished or not.

    Parameters
    ----------
    features : sequence of Features
        One for each frozen base.
    results : PartialResults
        All results so far.
    plan : Plan
        What the run was asked for.
    seconds : float
        Since the run started, or goes on.
    familiarity : mapping of str to FamiliarityFile
        What was saved of each base, by the name of its backbone.
    """
    first, priors = features[0], plan.settings["priors"]
    layout = first.dataset.layout
    bases = [
        dataclasses.replace(base, familiarity=familiarity.get(base.backbone))
        for base in bases_of(features)
    ]
    prepared = first.prepared if isinstance(first, ImageFeatures) else None
    return records.Run(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=list(plan.command),
        seed=plan.settings["seed"],
        data=records.Data(
            name=first.dataset.name,
            root=str(first.dataset.root) if _has_images(first) else "",
            classes=first.classes,
            train_counts=first.counts("train"),
            test_counts=first.counts("test"),
            split=first.dataset.split_origin,
            fingerprint=first.fingerprint,
            layout=layout.name,
            layout_description=layout.description,
            passed_over=layout.passed_over,
            remarks=list(layout.remarks),
            image_fingerprint=prepared.image_fingerprint if prepared else None,
            label_fingerprint=prepared.label_fingerprint if prepared else None,
            **_groups(first.dataset),
            relabelled=sorted(
                first.dataset.relative(path)
                for path in first.dataset.test.paths
                if path in first.dataset.relabelled
            ),
            by_groups=first.groups("test") is not None,
        ),
        bases=bases,
        results=results.validated(),
        versions=versions(PACKAGES),
        machine=machine(),
        seconds=results.seconds + seconds,
        phases=results.all_phases(),
        quarantine=_quarantine(first),
        comparisons=_compare(first, results.predictions),
        learning_curves=results.learning_curves,
        ungrouped=results.ungrouped,
        audit=results.audit,
        shortcuts=results.shortcuts,
        backbone_choice=plan.choice,
        embedding_map=results.embedding_map,
        settings=plan.settings,
        asked=plan.asked,
        priors=check_priors(priors, first.classes) if priors else {},
        decision=plan.settings["decision"],
        not_done=list(results.not_done),
    )


def picture_records(features: Features) -> list[PictureRecord]:
    """Return one record for each image of a run; none for embeddings without images."""
    if not isinstance(features, ImageFeatures):
        return []
    dataset, digests = features.dataset, features.prepared.extraction.digests
    return [
        PictureRecord(
            dataset.relative(item.path),
            item.label,
            str(item.split),
            digests[item.path],
            item.group,
        )
        for item in dataset.items
    ]


def _groups(dataset: Dataset) -> dict[str, Any]:
    """Return what the record of the data says about groups, as far as there are any."""
    if not dataset.has_groups:
        return {}
    both, n_test_images = cut(dataset)
    return {
        "group_origin": dataset.group_origin or "given",
        "groups": dataset.n_groups(),
        "train_groups": dataset.n_groups("train"),
        "test_groups": dataset.n_groups("test"),
        "cut_groups": len(both),
        "cut_test_images": n_test_images,
    }


def _quarantine(features: Features) -> list[records.Quarantined]:
    if not isinstance(features, ImageFeatures):
        return []
    return [
        records.Quarantined(features.dataset.relative(path), reason)
        for path, reason in features.prepared.extraction.quarantine.items()
    ]


def _compare(
    features: Features, predictions: Sequence[records.PredictionRow]
) -> list[records.Comparison]:
    from classify.evaluation.comparison import compare_predictions

    predicted: dict[str, list[str]] = {}
    for row in predictions:
        predicted.setdefault(row.classifier, []).append(row.predicted)
    labels, groups = features.labels("test"), features.groups("test")
    return conversion.comparisons(compare_predictions(labels, predicted, groups))


def bases_of(features: Sequence[Features]) -> list[records.Base]:
    """Return the records of all bases, those that only go up to a lower layer last."""
    if isinstance(features[0], ArrayFeatures):
        return [_given_base(features[0])]
    of_images = [one for one in features if isinstance(one, ImageFeatures)]
    whole = [_base(one.prepared, one.options) for one in of_images]
    lower = [_lower_base(one.lower, one.options) for one in of_images if one.lower is not None]
    return whole + lower


def _has_images(features: Features) -> bool:
    """Return whether the images are at hand, to be shown."""
    if isinstance(features, FileFeatures):
        return features.given.embeddings.has_images
    return isinstance(features, ImageFeatures)


def _given_base(features: ArrayFeatures) -> records.Base:
    """Return the record of embeddings that the caller has computed."""
    n_samples, n_features = (len(features.dataset), features.embeddings("train").shape[1])
    fields: dict[str, Any] = {"embeddings": GIVEN}
    if isinstance(features, FileFeatures):
        fields = features.source.to_dict()
    return records.Base(
        fields["embeddings"],
        {**fields, "n_features": n_features},
        records.ExtractionSummary(n_samples, cached=0, computed=0, quarantined=0, seconds=0.0),
    )


def _lower_base(prepared: Prepared, options: Options) -> records.Base:
    base, layer = _base(prepared, options), prepared.base.recipe.layer
    return dataclasses.replace(base, backbone=f"{base.backbone} up to {layer}")


def _base(prepared: Prepared, options: Options) -> records.Base:
    extraction = prepared.extraction
    return records.Base(
        prepared.base.recipe.backbone,
        {**prepared.recipe(), "preset": options.described_preset},
        records.ExtractionSummary(
            images=len(extraction.digests) + len(extraction.quarantine),
            cached=extraction.cached,
            computed=extraction.computed,
            quarantined=len(extraction.quarantine),
            seconds=extraction.seconds,
        ),
    )
