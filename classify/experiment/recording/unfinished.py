"""What a stopped run leaves, so that the same command goes on from there."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import disk
from classify.environment import PACKAGES
from classify.errors import ClassifierError
from classify.evaluation.validation import HeldOut
from classify.experiment.recording.run import PartialResults, bases_of
from classify.networks.sweep import FinishedRate
from reports.evidence import read_evidence
from reports.tables import PREDICTIONS_NAME, read_predictions
from toolkit.libraries import versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from classify.experiment.features import Features
    from classify.experiment.recording.run import Plan
    from reports.records import Run

FILE_NAME = "unfinished.npz"
"""What `run.json` and `predictions.csv` do not hold; deleted when the run is finished."""
_FIELDS = tuple(field.name for field in dataclasses.fields(HeldOut))


def check_plan(stopped: Run, plan: Plan, folder: Path) -> None:
    """Check that a command asks for the same as the run that was stopped.

    Raises
    ------
    ClassifierError
        If it does not; the message names what differs.
    """
    differences = [
        *_differences(stopped.settings, plan.settings),
        *_differences(stopped.asked, plan.asked),
        *_differences(stopped.versions, versions(PACKAGES)),
    ]
    if list(stopped.asked) != list(plan.asked):
        differences.append(
            f"the classifiers ({', '.join(stopped.asked)} there, {', '.join(plan.asked)} here)"
        )
    _refuse(differences, folder)


def check_data(stopped: Run, features: Sequence[Features], folder: Path) -> None:
    """Check that images, labels, groups, splits and bases are those of the run that was stopped.

    Raises
    ------
    ClassifierError
        If they are not.
    """
    same_data = stopped.data.fingerprint == features[0].fingerprint
    before = {base.backbone: base.recipe.get("fingerprint") for base in stopped.bases}
    same_bases = all(
        before.get(base.backbone, "") == base.recipe.get("fingerprint")
        for base in bases_of(features)
    )
    _refuse(
        [
            *([] if same_data else ["the images, labels, groups or splits"]),
            *([] if same_bases else ["the weights or the recipe of the frozen base"]),
        ],
        folder,
    )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name.replace('_', ' ')} ({before.get(name)} there, {now.get(name)} here)"
        for name in {**before, **now}
        if name in before and name in now and before[name] != now[name]
    ]


def _refuse(differences: Sequence[str], folder: Path) -> None:
    if differences:
        raise ClassifierError(
            f"{folder} holds a run that was stopped, and this is not the same one: it differs in "
            f"{'; '.join(differences)}. Repeat its command to go on, or choose a new folder",
            setting="out",
        )


def save(results: PartialResults, folder: Path) -> None:
    """Write what a run needs to go on, before the record that says so."""
    arrays: dict[str, Any] = {
        f"held-out/{name}/{field}": getattr(held_out, field)
        for name, held_out in results.held_out.items()
        for field in _FIELDS
    }
    for name, rates in results.rates.items():
        for i, rate in enumerate(rates):
            about = json.dumps([rate.learning_rate, rate.history]).encode("ascii")
            arrays[f"rates/{name}/{i}/about"] = np.frombuffer(about, dtype=np.uint8)
            arrays[f"rates/{name}/{i}/probabilities"] = rate.probabilities
    content = io.BytesIO()
    np.savez(content, **arrays)
    disk.publish(folder / FILE_NAME, content.getvalue())


def delete(folder: Path) -> None:
    """Delete what the run needed to go on, after the record that says that nothing is left."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def restored(stopped: Run, folder: Path) -> PartialResults:
    """Return the results of a run that was stopped.

    Raises
    ------
    ToolkitError
        If its files are missing or damaged.
    """
    try:
        with np.load(folder / FILE_NAME, allow_pickle=False) as archive:
            names = {key.split("/")[1] for key in archive.files if key.startswith("held-out/")}
            held_out = {
                name: HeldOut(*(archive[f"held-out/{name}/{field}"] for field in _FIELDS))
                for name in names
            }
            rates = _rates(archive)
    except Exception as error:  # a damaged file can fail anywhere in zipfile, NumPy or JSON
        raise ClassifierError(
            f"{folder} holds a run that was stopped, but {FILE_NAME}, which is needed to go on, "
            f"cannot be read ({type(error).__name__}: {error}); choose a new folder",
            setting="out",
        ) from error
    order = [result.classifier for result in stopped.results if result.classifier in held_out]
    return PartialResults(
        list(stopped.not_done),
        [dataclasses.replace(result, validation=None) for result in stopped.results],
        read_predictions(folder / PREDICTIONS_NAME) if stopped.results else [],
        read_evidence(folder),
        {name: held_out[name] for name in order},
        list(stopped.learning_curves),
        stopped.ungrouped,
        stopped.audit,
        stopped.embedding_map,
        rates,
        stopped.seconds,
        stopped.phases,
    )


def _rates(archive: Mapping[str, Any]) -> dict[str, list[FinishedRate]]:
    found: dict[str, list[FinishedRate]] = {}
    for key in archive:
        kind, name, *number = key.split("/")
        if kind == "rates" and number[1] == "about":
            rate, history = json.loads(archive[key].tobytes())
            probabilities = archive[f"rates/{name}/{number[0]}/probabilities"]
            found.setdefault(name, []).append(FinishedRate(rate, history, probabilities))
    return found
