"""A run with the decisions of a review: what is said about test images whose label was changed."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from classify.evaluation.relabelled import relabelled_apart
from extract.datasets.decisions import HEADER, Decision
from reports.reading import read_record
from reports.tables import remarks
from tests.commands import run_command
from tests.html import text_of
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (
    "classify", "--data", "pictures", "--backbone", "mobilenet:alpha=0.25", "--size", "64",
    "--pool", "avg", "--resize", "lanczos", "--weights", "mobilenet.weights.h5",
    "--cache", "cache", "--clf", "centroid",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(earlier_home: Path) -> Path:
    """Return the folder of a run without and of one with corrections, some of test images."""
    rows = [
        ("test/star/004.jpg", "disc", "relabel"),
        ("test/star/010.jpg", "square", "relabel"),
        ("test/disc/007.jpg", "disc", "keep"),
        ("train/disc/007.jpg", "star", "relabel"),
        ("train/disc/001.jpg", "", "leave out"),
        ("test/disc/001.jpg", "", "leave out"),
    ]
    decisions = b"".join(Decision(*row, "2026-01-31T12:00:00+00:00").encode() for row in rows)
    (earlier_home / "corrections.csv").write_bytes(HEADER + decisions)
    for out, labels in (("plain", ()), ("mended", ("--labels", "corrections.csv"))):
        done = run_command(*COMMAND, *labels, "--json", "--out", out, cwd=earlier_home)
        assert done.returncode == 0, done.stderr
        (earlier_home / f"{out}.json").write_text(done.stdout)
    return earlier_home


def test_the_test_images_with_other_labels_are_apart(home: Path) -> None:
    """In the record, the JSON, the terminal and the report; a run without any has none of it."""
    with (home / "mended" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    changed = [row for row in rows if row["path"] in {"test/star/004.jpg", "test/star/010.jpg"}]
    others = [row["true"] == row["predicted"] for row in rows if row not in changed]
    assert {row["true"] for row in changed} == {"disc", "square"}
    found = read_record(home / "mended").results[0].relabelled
    assert found is not None
    assert found.n_relabelled == 2
    assert found.n_relabelled_correct == sum(row["true"] == row["predicted"] for row in changed)
    assert (found.n_others, found.n_others_correct) == (len(others), sum(others))
    assert (found.others_low, found.others_high) == wilson(sum(others), len(others))
    summary = json.loads((home / "mended.json").read_text())
    assert summary["results"][0]["relabelled"]["n_others"] == len(others)
    words = f"on the {len(others)} test images whose label was not changed"
    assert words in text_of(home / "mended" / "report.html")
    assert any(words in line for line in remarks(read_record(home / "mended")))
    assert read_record(home / "plain").results[0].relabelled is None


def test_images_that_are_left_out_are_counted(home: Path) -> None:
    summary = json.loads((home / "mended.json").read_text())
    assert summary["passed_over"]["images that corrections.csv leaves out"] == 2
    assert "2 images that corrections.csv leaves out" in text_of(home / "mended" / "report.html")


def test_groups_widen_the_interval_of_the_others() -> None:
    """Ten groups of ten are not a hundred images; the relabelled ones are not in it."""
    correct = np.repeat(np.arange(10) > 1, 10)
    relabelled = np.zeros(100, bool)
    relabelled[:3] = True
    strata = np.zeros(100, int)
    alone = relabelled_apart(correct, relabelled, strata)
    grouped = relabelled_apart(correct, relabelled, strata, np.repeat(np.arange(10), 10))
    assert (alone.n_others, alone.n_others_correct) == (97, 80)
    assert alone.others_low is not None
    assert grouped.others_low is not None
    assert grouped.others_low < alone.others_low - 0.05
    none_left = relabelled_apart(correct, np.ones(100, bool), strata)
    assert (none_left.n_others, none_left.others_low) == (0, None)
