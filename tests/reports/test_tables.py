from __future__ import annotations

import csv
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reports import PredictionRow, RecordError
from reports.records import PictureRecord, Validation
from reports.tables import (
    format_results,
    read_pictures,
    read_predictions,
    write_metrics,
    write_pictures,
    write_predictions,
)
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "classifier,path,true,predicted,probability\n"
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "'quoted",
    'a "b", c',
    "two\nlines",
    "not utf-8 \udcff\udc80",
    "\ud800",
    "back\\slash \\n",
    "nul \0",
    "",
]


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_metrics_have_the_agreed_columns(tmp_path):
    """One row per classifier; accuracy and interval come first, each class has its three scores."""
    run, _ = sample(["cats", "dogs"], n_per_class=10)
    write_metrics(run, tmp_path / "metrics.csv")
    header, *body = rows(tmp_path / "metrics.csv")
    assert header == [
        "classifier",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "balanced_accuracy",
        "precision[cats]",
        "recall[cats]",
        "f1[cats]",
        "precision[dogs]",
        "recall[dogs]",
        "f1[dogs]",
        "roc_auc",
        "log_loss",
        "fit_seconds",
        "predict_seconds",
        "balanced_accuracy_low",
        "balanced_accuracy_high",
        "roc_auc_low",
        "roc_auc_high",
        "log_loss_low",
        "log_loss_high",
        "validation_accuracy",
        "validation_log_loss",
    ]
    assert [row[0] for row in body] == [result.classifier for result in run.results]
    assert [float(row[1]) for row in body] == [result.accuracy for result in run.results]


def test_a_metric_that_is_not_known_is_an_empty_cell(tmp_path):
    """Without a ROC AUC the cell is empty."""
    run, _ = sample(["cats", "dogs"], n_per_class=10, classifiers=("svm",))
    run = replace(run, results=[replace(run.results[0], roc_auc=None, classes=[])])
    write_metrics(run, tmp_path / "metrics.csv")
    assert rows(tmp_path / "metrics.csv")[1][5:12] == [""] * 7


def test_the_files_are_written_byte_for_byte_as_agreed(tmp_path):
    """Numbers as Python writes them, None as an empty cell, quotes only where needed."""
    run, _ = sample(["=cats", 'do"gs'], n_per_class=10, classifiers=("svm",))
    result = replace(
        run.results[0], accuracy=1 / 3, log_loss=float("nan"), roc_auc=None, classes=[],
        accuracy_low=0.25, accuracy_high=1.0, balanced_accuracy=1e-20, fit_seconds=2.0,
        predict_seconds=1e20, validation=Validation(100, 0.97, 0.08),
    )  # fmt: skip
    write_metrics(replace(run, results=[result]), tmp_path / "metrics.csv")
    assert (tmp_path / "metrics.csv").read_bytes() == (
        b"classifier,accuracy,accuracy_low,accuracy_high,balanced_accuracy,precision['=cats],"
        b'recall[\'=cats],f1[\'=cats],"precision[do""gs]","recall[do""gs]","f1[do""gs]",'
        b"roc_auc,log_loss,fit_seconds,predict_seconds,balanced_accuracy_low,"
        b"balanced_accuracy_high,roc_auc_low,roc_auc_high,log_loss_low,log_loss_high,"
        b"validation_accuracy,validation_log_loss\n"
        b"svm,0.3333333333333333,0.25,1.0,1e-20,,,,,,,,nan,2.0,1e+20,,,,,,,0.97,0.08\n"
    )
    write_predictions([PredictionRow("svm", "a,b.jpg", "", "-1", 1.0)], tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_bytes() == (HEADER.encode() + b'svm,"a,b.jpg",,\'-1,1.0\n')


def test_predictions_survive_a_round_trip(tmp_path):
    """Formulas, quotes, line breaks and bytes outside UTF-8 are read back unchanged."""
    path = tmp_path / "predictions.csv"
    predictions = [PredictionRow(name, name, name, name, 1 / 3) for name in HOSTILE]
    write_predictions(predictions, path)
    path.read_bytes().decode("utf-8")
    assert read_predictions(path) == predictions


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n",
        HEADER.encode() + b"svm,a.jpg,cats,dogs\n",
        HEADER.encode() + b"svm,a.jpg,cats,dogs,maybe\n",
        HEADER.encode() + b"svm,a.jpg,cats,dogs,nan\n",
        HEADER.encode() + b"svm,a.jpg,cats,dogs,1.5\n",
        HEADER.encode() + b'svm,"a.jpg,cats,dogs,0.5\n',
        HEADER.encode() + b'svm,"a"b,cats,dogs,0.5\n',
        HEADER.encode() + b"svm,\xff.jpg,cats,dogs,0.5\n",
        HEADER.encode() + b"svm," + b"a" * 200_000 + b",cats,dogs,0.5\n",
    ],
)
def test_a_malformed_table_is_refused(tmp_path, content):
    """Whatever is wrong with predictions.csv is a RecordError that names the file."""
    path = tmp_path / "predictions.csv"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"predictions\.csv"):
        read_predictions(path)


def test_a_table_saved_again_by_a_spreadsheet_is_read(tmp_path):
    """With a byte order mark and Windows line ends."""
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.strip().encode() + b"\r\nsvm,a.jpg,cats,dogs,0.5\r\n")
    assert read_predictions(path) == [PredictionRow("svm", "a.jpg", "cats", "dogs", 0.5)]


def test_a_place_that_cannot_be_written_to_is_a_clear_error(tmp_path):
    """A missing folder is a RecordError with the path."""
    with pytest.raises(RecordError, match="cannot write"):
        write_predictions([], tmp_path / "missing" / "predictions.csv")


def test_the_terminal_table_is_aligned_and_narrow():
    """All lines have the same length of at most 100 characters, whatever the names."""
    run, _ = sample(["cats", "dogs"], n_per_class=10)
    odd = replace(run.results[0], classifier="x\n" * 80, roc_auc=None, log_loss=float("inf"))
    lines = format_results(replace(run, results=[*run.results, odd])).splitlines()
    assert {len(line) for line in lines} == {100}
    assert "svm" in lines[4]
    shown = "".join(line.split("  ")[0].strip() for line in lines[6:])
    assert shown == r"x\n" * 80


@pytest.mark.parametrize("names", [("a{}b", "a{}c"), ("{0}1{0}", "{0}2{0}"), ("a{}", "b{}")])
def test_long_names_that_differ_anywhere_stay_tellable(names):
    """At the end, in the middle and at the beginning: each name is complete."""
    run, _ = sample(["cats", "dogs"], n_per_class=10)
    full = [name.format("long" * 15) for name in names]
    results = [replace(run.results[0], classifier=name) for name in full]
    lines = format_results(replace(run, results=results)).splitlines()[2:]
    starts = [i for i, line in enumerate(lines) if " to " in line]
    parts = [lines[: starts[1]], lines[starts[1] :]]
    shown = ["".join(line[:30].split("  ")[0].rstrip() for line in part) for part in parts]
    assert [name.removesuffix(" *") for name in shown] == full


def test_a_table_that_is_a_fifo_does_not_block(tmp_path: Path) -> None:
    """A FIFO without a writer is one clear error."""
    os.mkfifo(tmp_path / "predictions.csv")
    with pytest.raises(RecordError, match="not a regular file"):
        read_predictions(tmp_path / "predictions.csv")


def test_the_list_of_pictures_survives_any_name(tmp_path):
    """What is written is read back, to the byte."""
    pictures = [
        PictureRecord("=1+1/\udcff\n.png", 'c\\lass,"', "train", "0" * 64, "=patient\n\udcff"),
        PictureRecord("plain.jpg", "cats", "test", "f" * 64),
    ]
    write_pictures(pictures, tmp_path / "pictures.csv")
    assert read_pictures(tmp_path / "pictures.csv") == pictures


def test_a_list_of_pictures_of_an_earlier_version_has_no_groups(tmp_path):
    (tmp_path / "pictures.csv").write_text("path,label,split,sha256\n1.jpg,cats,test,ab\n")
    assert read_pictures(tmp_path / "pictures.csv") == [
        PictureRecord("1.jpg", "cats", "test", "ab")
    ]
    (tmp_path / "pictures.csv").write_text("path,label,split,sha256,site\n1.jpg,cats,test,ab,x\n")
    with pytest.raises(RecordError, match="expected the columns path,label,split,sha256"):
        read_pictures(tmp_path / "pictures.csv")
