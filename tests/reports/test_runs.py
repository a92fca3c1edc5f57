"""A run as a notebook sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reports import Quarantined, RecordError, RunResults, read_run
from reports.tables import remarks, write_predictions
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run without a page."""
    run, predictions = sample(["cats", "dogs"], n_per_class=10, classifiers=("svm", "cnn"))
    (tmp_path / "run.json").write_text(run.to_json(), encoding="utf-8")
    write_predictions(predictions, tmp_path / "predictions.csv")
    return tmp_path


def test_a_run_is_read_with_its_tables(folder: Path) -> None:
    """From the folder's path or its name."""
    run = read_run(str(folder))
    assert isinstance(run, RunResults)
    assert run.folder == folder
    assert list(run.results["classifier"]) == ["svm", "cnn"]
    assert len(run.predictions) == 40
    assert run.comparisons.empty
    assert run.learning_curves.empty
    assert run.record.data.classes == ["cats", "dogs"]


def test_the_best_is_chosen_without_the_test_split(folder: Path) -> None:
    """Only the SVM was validated, so a better test accuracy of the CNN changes nothing."""
    run = read_run(folder)
    svm, cnn = run.record.results
    better = replace(run.record, results=[replace(svm, accuracy=0.1), replace(cnn, accuracy=1.0)])
    (folder / "run.json").write_text(better.to_json(), encoding="utf-8")
    assert read_run(folder).best == run.best == "svm"


def test_the_page_is_written_once(folder: Path) -> None:
    """One that exists is kept: it may show images that are gone by now."""
    path = read_run(folder).report()
    assert path == folder / "report.html"
    assert "<!doctype html>" in path.read_text(encoding="utf-8")
    path.write_text("kept")
    assert read_run(folder).report().read_text() == "kept"


def test_files_that_were_not_used_are_counted(folder: Path) -> None:
    """In a terminal, in a notebook and below the table of the command line."""
    run = read_run(folder)
    files = [Quarantined("cats/a.jpg", "not an image"), Quarantined("b.jpg", "empty")]
    (folder / "run.json").write_text(replace(run.record, quarantine=files).to_json())
    run = read_run(folder)
    words = "2 files could not be used as images: cats/a.jpg (not an image), "
    words += "b.jpg (empty); quarantine.csv lists them"
    assert words in repr(run)
    assert words in run._repr_html_()
    assert any(words in line for line in remarks(run.record))
    many = [Quarantined(f"{i}.jpg", "empty") for i in range(9)]
    words = "2.jpg (empty) and 6 more; quarantine.csv lists them"
    assert any(words in line for line in remarks(replace(run.record, quarantine=many)))


def test_it_displays_the_answer_and_the_table(folder: Path) -> None:
    """As text in a terminal, as HTML without scripts or external resources in a notebook."""
    run = read_run(folder)
    assert "of 20 test images correct" in repr(run)
    assert "balanced" in repr(run)
    html = run._repr_html_()
    assert html.count("<tr>") == 3
    assert "of 20 test images correct" in html
    for forbidden in ("<script", "src=", "href=", "http"):
        assert forbidden not in html


def test_hostile_names_stay_text(folder: Path) -> None:
    """A data set may be called anything."""
    record = read_run(folder).record
    results = [replace(result, title=HOSTILE, classifier=HOSTILE) for result in record.results]
    hostile = replace(record, results=results, data=replace(record.data, name=HOSTILE))
    (folder / "run.json").write_text(hostile.to_json(), encoding="utf-8")
    assert "<script" not in read_run(folder)._repr_html_()


def test_a_run_without_classifiers_is_displayed(folder: Path) -> None:
    """It has no best one."""
    record = replace(read_run(folder).record, results=[])
    (folder / "run.json").write_text(record.to_json(), encoding="utf-8")
    run = read_run(folder)
    assert run.best is None
    assert "No classifier was trained" in run._repr_html_()
    assert "Run of" in repr(run)


def test_missing_predictions_are_an_empty_table(folder: Path) -> None:
    """Everything else of the run is there."""
    (folder / "predictions.csv").unlink()
    assert read_run(folder).predictions.empty


def test_a_folder_that_is_no_run_is_an_error(tmp_path: Path) -> None:
    """At once, not when a table is asked for."""
    with pytest.raises(RecordError, match="is not a run"):
        read_run(tmp_path)
