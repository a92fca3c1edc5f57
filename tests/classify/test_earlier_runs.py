"""Runs, models and caches of earlier versions can still be used."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from classify import ModelError, Nearest, load_model
from reports.reading import read_record
from tests.commands import run_command
from tests.html import text_of

EARLIER = Path(__file__).parents[1] / "data" / "earlier-run"
BASE = ("--weights", "mobilenet.weights.h5", "--cache", "cache")


@pytest.mark.parametrize("name", ["run", "streamed"])
def test_records_are_read(name: str) -> None:
    """Every result of `run.json` is there."""
    raw = json.loads((EARLIER / name / "run.json").read_text())
    run = read_record(EARLIER / name)
    assert [result.classifier for result in run.results] == [
        result["classifier"] for result in raw["results"]
    ]
    assert run.recipe["fingerprint"] == raw["recipe"]["fingerprint"]
    assert run.phases == {}


@pytest.mark.parametrize(
    ("name", "classifier", "method"),
    [
        ("run", "svm", "cross-validation"),
        ("run", "nearest", "leave-one-out"),
        ("streamed", "svm", "hold-out"),
    ],
)
def test_earlier_searches_get_a_method(name: str, classifier: str, method: str) -> None:
    """Earlier records only hold the number of folds, from which the method follows."""
    results = {result.classifier: result for result in read_record(EARLIER / name).results}
    search = results[classifier].search
    assert search is not None
    assert search.method == method


def test_earlier_bases_are_read_once() -> None:
    """Earlier records stored the first base apart, and again if there were several."""
    several, one = (read_record(EARLIER / name) for name in ("run", "streamed"))
    assert [base.backbone for base in several.bases] == [
        "mobilenet:alpha=0.25",
        "mobilenet:alpha=0.25 up to conv_pw_13",
    ]
    assert [base.backbone for base in one.bases] == ["mobilenet:alpha=0.25"]
    raw = json.loads((EARLIER / "streamed" / "run.json").read_text())
    assert one.bases[0].recipe == raw["recipe"]
    assert one.extraction.computed == raw["extraction"]["computed"]


def test_a_classifier_without_a_model_is_told_with_those_that_have_one(tmp_path: Path) -> None:
    """As for a forest, whose model is never saved."""
    folder = shutil.copytree(EARLIER / "streamed", tmp_path / "run")
    raw = json.loads((folder / "run.json").read_text())
    raw["results"].append({**raw["results"][0], "classifier": "forest", "model": None})
    (folder / "run.json").write_text(json.dumps(raw))
    with pytest.raises(ModelError, match=r"'forest' was not saved .*choose one of: svm"):
        load_model(folder, classifier="forest")


def test_reports_are_rendered_again(earlier_home: Path) -> None:
    """`python -m reports` writes the page of each, and a comparison of both."""
    done = run_command("reports", "run", "streamed", cwd=earlier_home)
    assert done.returncode == 0, done.stderr
    comparison = text_of(earlier_home / "comparison.html")
    for name in ("run", "streamed"):
        report = text_of(earlier_home / name / "report.html")
        for result in read_record(EARLIER / name).results:
            accuracy = f"{100 * result.accuracy:.1f}%"
            assert result.title in report
            assert accuracy in report
            assert accuracy in comparison


def test_the_cache_is_warm(earlier_home: Path) -> None:
    """With the arithmetic of earlier versions, no embedding is computed again."""
    done = run_command(
        "extract", "--data", "pictures", "--backbone", "mobilenet:alpha=0.25",
        "--size", "64", "--pool", "avg", "--resize", "lanczos", *BASE, "--json", cwd=earlier_home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["computed"] == 0


def test_a_run_that_is_named_last_is_recognised(earlier_home: Path) -> None:
    """Its folder is not searched for images."""
    done = run_command("classify.predict", "pictures/test", "run", *BASE, cwd=earlier_home)
    assert done.returncode == 2
    assert "name the run first, then the images" in done.stderr


def test_a_table_of_predictions_is_csv_and_nothing_else(earlier_home: Path) -> None:
    """A name that ends as another format does is refused before anything is predicted."""
    arguments = ("run", "pictures/test", *BASE, "--csv", "answers.xlsx")
    done = run_command("classify.predict", *arguments, cwd=earlier_home)
    assert done.returncode == 2
    assert "answers.xlsx has the suffix of another format; give it the suffix .csv" in done.stderr
    assert not (earlier_home / "answers.xlsx").exists()
    done = run_command(
        "classify.predict", "run", "pictures/test", *BASE, "--csv", "-", "--json", cwd=earlier_home
    )
    assert done.returncode == 2
    assert "cannot both be printed" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "classifier",
    [
        "dense",
        "logreg",
        "svm",
        "nearest",
        "centroid",
        "finetune",
        "sklearn.linear_model:RidgeClassifier",
    ],
)
def test_models_predict_what_they_predicted(earlier_home: Path, classifier: str) -> None:
    """Every model gives the classes and probabilities that it gave when it was saved."""
    table = earlier_home / f"{classifier}.csv"
    done = run_command(
        "classify.predict", "run", "pictures/test", *BASE,
        "--clf", classifier, "--csv", str(table), cwd=earlier_home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (EARLIER / "predicted.csv").open() as file:
        expected = [row for row in csv.DictReader(file) if row["classifier"] == classifier]
    with table.open() as file:
        predicted = list(csv.DictReader(file))
    assert len(predicted) == len(expected) == 26
    for row, earlier in zip(predicted, expected, strict=True):
        assert (row["path"], row["class"]) == (earlier["path"], earlier["class"])
        if row["class"]:
            assert float(row["probability"]) == pytest.approx(
                float(earlier["probability"]), abs=1e-3
            )


def test_a_comparison_names_the_options_that_differ(earlier_home: Path) -> None:
    """One run is calibrated, the other has other labels: both are said, in the words of the CLI."""
    labels = "path,label\ntrain/star/004.jpg,disc\n"
    (earlier_home / "labels.csv").write_text(labels)
    common = (
        "classify", "--data", "pictures", "--backbone", "mobilenet:alpha=0.25", "--size", "64",
        "--pool", "avg", "--resize", "lanczos", *BASE, "--clf", "centroid",
    )  # fmt: skip
    for out, *options in (("plain",), ("calibrated", "--calibrate"), ("corrected", "--labels")):
        more = [*options, "labels.csv"] if "--labels" in options else options
        done = run_command(*common, *more, "--out", out, cwd=earlier_home)
        assert done.returncode == 0, done.stderr
    for other, words in (
        ("calibrated", "calibrate no yes"),
        ("corrected", " labels.csv"),
        ("corrected", "different labels of the same images"),
    ):
        done = run_command("reports", "plain", other, cwd=earlier_home)
        assert done.returncode == 0, done.stderr
        assert words in text_of(earlier_home / "comparison.html")


def test_predictions_as_json(earlier_home: Path) -> None:
    """One object, with what the lines say; files that are no images have a problem."""
    done = run_command("classify.predict", "run", "pictures/test", *BASE, "--clf", "centroid",
                       "--json", cwd=earlier_home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["classifier"] == "centroid"
    assert found["threshold"] == pytest.approx(0.4243, abs=1e-4)
    assert len(found["predictions"]) == 26
    assert sum(row["problem"] is not None for row in found["predictions"]) == 1
    assert {row["class"] for row in found["predictions"]} <= {"disc", "square", "star", None}


def test_predict_warns_of_a_threshold_that_was_not_found(earlier_home: Path) -> None:
    """The run asked for one that its few images cannot show; the record and predict say so."""
    common = (
        "classify", "--data", "pictures", "--backbone", "mobilenet:alpha=0.25", "--size", "64",
        "--pool", "avg", "--resize", "lanczos", *BASE, "--clf", "centroid",
    )  # fmt: skip
    done = run_command(*common, "--target-precision", "0.99", "--json", "--out", "sure",
                       cwd=earlier_home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["settings"]["target_precision"] == 0.99
    assert summary["results"][0]["threshold"] is None
    assert summary["audit"] is None
    done = run_command("classify.predict", "sure", "pictures/test", *BASE, cwd=earlier_home)
    assert "centroid has no threshold: the run could not show that 99.0%" in done.stderr


def test_a_command_that_is_stopped_prints_what_is_not_done(
    earlier_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json, on standard output; the same command then goes on."""
    common = (
        "classify", "--data", "pictures", "--backbone", "mobilenet:alpha=0.25", "--size", "64",
        "--pooling", "avg", "--resize", "lanczos", *BASE, "--clf", "centroid,nearest", "--json",
        "--out", "stopped",
    )  # fmt: skip

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Nearest, "_fit", stop)
        done = run_command(*common, cwd=earlier_home)
    assert done.returncode == 130
    assert "the same command with this folder as its output goes on" in done.stderr
    assert json.loads(done.stdout)["not_done"] == ["nearest", "map of the images"]
    done = run_command(*common, cwd=earlier_home)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["not_done"] == []
    assert [row["classifier"] for row in summary["results"]] == ["centroid", "nearest"]
