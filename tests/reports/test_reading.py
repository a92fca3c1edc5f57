from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from reports import RecordError
from reports.reading import parse_record, read_record
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def raw() -> dict:
    """Return the record of a small run as JSON holds it."""
    run, _ = sample(["cats", "dogs"], n_per_class=10)
    return json.loads(run.to_json())


def test_a_record_comes_back_from_json_as_it_went_in():
    """Every field of every nested record survives, names that are not UTF-8 included."""
    run, _ = sample(["cats\udcff", "dogs\n"], n_per_class=10)
    assert parse_record(run.to_json()) == run


def test_a_missing_field_is_named(raw):
    """The message names the field and the result that lacks it."""
    del raw["results"][1]["accuracy"]
    with pytest.raises(RecordError, match=r"run\.results\[1\]\.accuracy is missing"):
        parse_record(json.dumps(raw))


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", "0"), ("seed", True), ("seconds", None), ("command", "x"), ("seconds", 10**400)],
)
def test_a_field_of_another_type_is_refused(raw, field, value):
    """A value of the wrong type is a RecordError that names the field."""
    raw[field] = value
    with pytest.raises(RecordError, match=field):
        parse_record(json.dumps(raw))


def test_a_negative_count_is_refused(raw):
    """Counts are not negative."""
    raw["results"][0]["confusion"][0][1] = -1
    with pytest.raises(RecordError, match=r"confusion\[0\]\[1\] is -1, expected 0 or more"):
        parse_record(json.dumps(raw))


def test_a_matrix_that_does_not_fit_the_classes_is_refused(raw):
    """A confusion matrix without a row for every class is a RecordError, not a crash later."""
    raw["results"][0]["confusion"].pop()
    with pytest.raises(RecordError, match=r"confusion does not match 2 classes"):
        parse_record(json.dumps(raw))


@pytest.mark.parametrize("cell", [[40, 0, 1], [0, 1], [0, 1, 0]])
def test_a_cell_that_does_not_fit_the_classes_is_refused(cell):
    """A cell is a true class, a predicted class and a number of images."""
    run, _ = sample([f"class {i:02d}" for i in range(40)], n_per_class=2)
    raw = json.loads(run.to_json())
    assert parse_record(json.dumps(raw)) == run
    raw["results"][0]["confusion_cells"].append(cell)
    with pytest.raises(RecordError, match="expected two of 40 classes and a number of images"):
        parse_record(json.dumps(raw))


def test_a_curve_with_a_point_missing_is_refused(raw):
    """A ROC curve needs as many x values as y values."""
    raw["results"][0]["roc"][0]["fpr"].pop()
    with pytest.raises(RecordError, match="as many of each"):
        parse_record(json.dumps(raw))


@pytest.mark.parametrize(
    ("fpr", "tpr"),
    [([], []), ([0.0], [0.0]), ([0.0, 0.0], [0.0, 0.0]), ([0.0, 1.0], [0.0, float("nan")]),
     ([0.0, 2.0], [0.0, 1.0])],
)  # fmt: skip
def test_a_curve_outside_the_unit_square_is_refused(raw, fpr, tpr):
    """It must stay in the unit square and reach the true positive rate 1."""
    raw["results"][0]["roc"][0].update(fpr=fpr, tpr=tpr)
    with pytest.raises(RecordError, match="leaves the unit square"):
        parse_record(json.dumps(raw))


def test_a_curve_of_a_class_that_all_images_have_is_refused(raw):
    """There is no other class to distinguish it from."""
    first = raw["results"][0]
    for score in first["classes"]:
        score["support"] = first["n_test"]
    with pytest.raises(RecordError, match="others do not"):
        parse_record(json.dumps(raw))


def test_a_gain_without_both_ends_of_its_range_is_refused(raw):
    """The page would fail on it."""
    curve = {"classifier": "svm", "sizes": [5], "accuracies": [[0.5]], "gain_range": [0.1]}
    raw["learning_curves"] = [curve]
    with pytest.raises(RecordError, match="gain_range of svm has 1 numbers, expected two"):
        parse_record(json.dumps(raw))


@pytest.mark.parametrize("label", ["birds", ""])
def test_a_curve_of_no_class_is_refused(raw, label):
    """A curve needs images of its class and others: precision is computed from their numbers."""
    raw["results"][0]["roc"][0]["label"] = label
    with pytest.raises(RecordError, match="expected a class that some test images belong to"):
        parse_record(json.dumps(raw))


def as_schema_1(raw: dict) -> dict:
    """Return a record as earlier versions wrote it."""
    (base,) = raw.pop("bases")
    audit = {"leaks": [], "suspects": [], "oddities": [], "accuracies_without_leaks": {}}
    odd = {"path": "a.jpg", "split": "test", "label": "cats", "reason": "tiny"}
    for result in raw["results"]:
        if result["search"]:
            del result["search"]["method"]
    return {
        **raw,
        "recipe": base["recipe"],
        "extraction": base["extraction"],
        "bases": [],
        "audit": {**audit, "oddities": [odd], "seconds": 1.0},
        "schema": 1,
    }


@pytest.mark.parametrize(
    ("folds", "method"),
    [(5, "cross-validation"), (1, "hold-out"), (40, "leave-one-out"), (2000, "leave-one-out")],
)
def test_a_record_of_schema_1_is_read(raw, folds, method):
    """Its base, outliers and searches are converted to those of later records."""
    raw = as_schema_1(raw)
    raw["results"][1]["search"]["folds"] = folds
    run = parse_record(json.dumps(raw))
    assert run.recipe == run.bases[0].recipe == raw["recipe"]
    assert [image.reason for image in run.audit.outliers] == ["tiny"]
    assert run.results[1].search.method == method
    assert parse_record(run.to_json()) == run


@pytest.mark.parametrize(
    ("field", "value"),
    [("recipe", None), ("extraction", 3), ("bases", 3), ("results", [1]), ("audit", [1]),
     ("data", [])],
)  # fmt: skip
def test_a_malformed_record_of_schema_1_is_refused(raw, field, value):
    """Whatever is wrong with it is a RecordError."""
    with pytest.raises(RecordError, match="not a run record"):
        parse_record(json.dumps({**as_schema_1(raw), field: value}))


def test_a_record_without_a_base_is_refused(raw):
    """A run has at least one."""
    with pytest.raises(RecordError, match="at least one base"):
        parse_record(json.dumps({**raw, "bases": []}))


def test_an_unknown_method_of_validation_is_refused(raw):
    """A report has no words for it."""
    raw["results"][1]["search"]["method"] = "guessing"
    with pytest.raises(RecordError, match="guessing"):
        parse_record(json.dumps(raw))


def test_a_newer_schema_says_to_upgrade(raw):
    """The reader does not guess the fields of a later version."""
    raw["schema"] += 1
    with pytest.raises(RecordError, match="upgrade"):
        parse_record(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "1"}', "[" * 100_000])
def test_other_text_is_refused(text):
    """Any other text is a RecordError."""
    with pytest.raises(RecordError, match="not a run record"):
        parse_record(text)


def test_deeply_nested_values_are_refused(raw):
    """A record that would cause a RecursionError later is refused at once."""
    raw["results"][0]["params"] = {"C": "deep"}
    text = json.dumps(raw).replace('"deep"', "[" * 500 + "]" * 500)
    with pytest.raises(RecordError, match=r"params\['C'\] is nested more than 32 deep"):
        parse_record(text)


def test_a_record_that_is_a_fifo_does_not_block(tmp_path: Path):
    """A FIFO without a writer is one clear error."""
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(RecordError, match="not a regular file"):
        read_record(tmp_path)


def test_a_folder_without_a_record_is_no_run(tmp_path: Path):
    """The message names the folder and the missing file."""
    with pytest.raises(RecordError, match=r"is not a run: cannot read run\.json"):
        read_record(tmp_path)
