"""The model card of an exported file: what it is, what it was trained on, and how good it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reports.ranking import ranked
from reports.wording.headline import headline
from reports.wording.text import percent
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from classify.exporting.replay import Replay
    from classify.exporting.saved import SavedModel

NO_LICENCE = "not stated; the licences of the images and of the pretrained weights apply"

_HEADINGS = {
    "trained_on": "Trained on",
    "accuracy": "Accuracy",
    "groups": "Groups",
    "weak_spots": "Known weak spots",
    "decision": "Answer",
    "threshold": "Threshold",
    "recipe": "Recipe of the embeddings",
    "precision": "Precision",
    "licence": "Licence",
    "versions": "Versions",
    "comparison": "Compared with the model",
}


def metadata(model: SavedModel, precision: str, licence: str | None) -> dict[str, str]:
    """Return what an exported file says about itself; every value is a text.

    Parameters
    ----------
    model : SavedModel
    precision : {"float32", "int8"}
        Of the exported network.
    licence : str, optional
        As the user states it.

    Returns
    -------
    dict of str to str
        ``classes`` is a JSON list of the class names, ``recipe`` and ``versions`` are JSON objects.
    """
    run, result = model.run, model.result
    fields = {
        "classes": json.dumps([str(label) for label in model.classes_]),
        "title": result.title,
        "trained_on": _training(model),
        "accuracy": _accuracy(model),
        "groups": _groups(model),
        "weak_spots": "\n".join(_weak_spots(model)),
        "decision": _decision(model),
        "recipe": model.base.recipe.canonical,
        "precision": precision,
        "licence": licence or NO_LICENCE,
        "versions": json.dumps(run.versions, sort_keys=True),
        "created": run.created,
    }
    if result.threshold is not None:
        fields["threshold"] = _threshold(result.threshold.threshold)
    return fields


def render_card(
    fields: Mapping[str, str], files: Mapping[Path, str], comparison: Replay, runtime: str
) -> str:
    """Return the model card in Markdown.

    Parameters
    ----------
    fields : mapping of str to str
        From `metadata`.
    files : mapping of Path to str
        The exported files, each with its SHA-256.
    comparison : Replay
    runtime : str
        What the exported file was run with.
    """
    classes = [_inline(label) for label in json.loads(fields["classes"])]
    lines = [f"# {fields['title']}: {plural(len(classes), 'class', 'classes')}", ""]
    lines += [", ".join(classes), ""]
    filled = dict(fields) | {"comparison": f"With {runtime}: {comparison.sentence()}."}
    for key, heading in _HEADINGS.items():
        if filled.get(key):
            lines += [f"## {heading}", "", *_paragraph(key, filled[key]), ""]
    lines += ["## Files", "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| {_inline(file.name)} | `{digest}` |" for file, digest in files.items()]
    return "\n".join(lines) + "\n"


def _paragraph(key: str, text: str) -> list[str]:
    if key in ("recipe", "versions"):
        return ["```json", json.dumps(json.loads(text), indent=1), "```"]
    if key == "weak_spots":
        return [f"- {_inline(line)}" for line in text.splitlines()]
    return [_inline(text)]


def _inline(text: str) -> str:
    """Return a text that cannot be taken for Markdown's own signs."""
    escaped = printable(text)
    for sign in ("\\", "`", "*", "_", "[", "]", "<", ">", "|", "#"):
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def _training(model: SavedModel) -> str:
    data = model.run.data
    counts = ", ".join(
        f"{label} {count:,}" for label, count in zip(data.classes, data.train_counts, strict=True)
    )
    return (
        f"{plural(sum(data.train_counts), 'image')} of {data.name} ({counts}); fingerprint of the "
        f"data {data.fingerprint}"
    )


def _accuracy(model: SavedModel) -> str:
    run, result = model.run, model.result
    answer = headline(run, ranked(run))
    remarks = answer.remarks if answer and answer.title == result.title else []
    sentence = (
        f"{percent(result.accuracy)} of {plural(result.n_test, 'test image')} correct (95% "
        f"interval {percent(result.accuracy_low)} to {percent(result.accuracy_high)})."
    )
    return " ".join([sentence, *remarks])


def _groups(model: SavedModel) -> str:
    data = model.run.data
    if data.groups is None:
        return "No groups were given: images of one object may be on both sides of the split."
    return (
        f"{plural(data.groups, 'group')} from {data.group_origin}; {data.train_groups:,} in the "
        f"training split, {data.test_groups:,} in the test split, {data.cut_groups:,} in both."
    )


def _weak_spots(model: SavedModel) -> Sequence[str]:
    audit: Any = model.run.audit
    if audit is None:
        return ["not looked for: the run has no audit"]
    found = [spot for spot in audit.weak_spots if spot.found]
    return [
        f"{spot.name} {spot.value}: {percent(spot.accuracy)} of {plural(spot.n_test, 'test image')}"
        f" correct, {percent(spot.elsewhere)} elsewhere"
        for spot in found
    ] or ["none found by the audit"]


def _threshold(threshold: float) -> str:
    if threshold == 0.0:
        return "0.0: the run leaves no image undecided"
    return f"{threshold!r}: below this probability of its answer, the run leaves an image undecided"


def _decision(model: SavedModel) -> str:
    if model.rule.decision == "equal-classes":
        return (
            "The output 'answers' is the class that would be the most probable if all classes were "
            "as frequent; it is not always the one with the highest probability."
        )
    return "The class with the highest probability."
