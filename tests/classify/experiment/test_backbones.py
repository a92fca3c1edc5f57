"""Several frozen bases compared in one run, each with its own weights."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

BACKBONES = ("vgg16", "mobilenet:alpha=0.25")
ARGUMENTS = (
    *("--data", "pictures", "--cache", "cache", "--size", "48", "--backbone", ",".join(BACKBONES)),
    *("--weights", "vgg16.npz, mobilenet.npz"),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two classes, one five times as large, and weights of two networks."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label, n_images, brightness in (("bright", 60, 150), ("dark", 12, 0)):
        (home / "pictures" / label).mkdir(parents=True)
        for i in range(n_images):
            picture = rng.integers(0, 100, (48, 48, 3)) + brightness
            cv2.imwrite(str(home / "pictures" / label / f"{i}.png"), picture.astype(np.uint8))
    for name in BACKBONES:
        np.savez(home / name.partition(":")[0], *construct(name, 48).get_weights())
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """Run two classifiers on each of two bases, and the network that needs none."""
    wanted = ("--clf", "logreg,centroid,cnn", "--out", "run")
    done = run_command("classify", *ARGUMENTS, *wanted, cwd=home)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"The classes are unbalanced \(.. training images of bright, .. of dark\)", done.stdout
    )
    return home / "run"


def test_every_classifier_is_evaluated_on_every_base(run: Path) -> None:
    """The CNN, which is trained on images, is evaluated once."""
    record = json.loads((run / "run.json").read_text())
    names = [f"{name}@{base}" for base in BACKBONES for name in ("logreg", "centroid")]
    assert [result["classifier"] for result in record["results"]] == [
        *names[:2], "cnn", *names[2:],
    ]  # fmt: skip
    assert [base["backbone"] for base in record["bases"]] == list(BACKBONES)
    assert record["bases"][0]["recipe"]["pooling"] == "none"
    assert record["bases"][1]["recipe"]["pooling"] == "avg"
    assert record["bases"][1]["extraction"]["computed"] == 72


def test_the_page_tells_the_bases_apart(run: Path) -> None:
    """The classifiers' titles name the base, and each recipe is shown."""
    html = (run / "report.html").read_text()
    assert "Logistic regression on frozen features (mobilenet:alpha=0.25)" in html
    assert html.count("Recipe of the embeddings") == 2


@pytest.mark.parametrize("base", BACKBONES)
def test_predict_takes_the_base_that_a_model_was_trained_on(
    run: Path, home: Path, base: str
) -> None:
    """Each model predicts what it predicted in the run."""
    name = f"logreg@{base}"
    with (run / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["classifier"] == name]
    images = [str(home / "pictures" / row["path"]) for row in rows]
    done = run_command("classify.predict", "run", *images, "--clf", name, "--cache", "cache",
                  cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [line.rsplit("  ", 2) for line in done.stdout.splitlines()]
    assert [answer[1] for answer in answers] == [row["predicted"] for row in rows]
    assert [float(answer[2]) for answer in answers] == pytest.approx(
        [float(row["probability"]) for row in rows], abs=2e-3
    )


def test_extract_does_them_one_after_the_other(run: Path, home: Path) -> None:
    """There is a line for each, and a list as JSON; everything is in the cache by now."""
    done = run_command("extract", *ARGUMENTS, "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    summaries = json.loads(done.stdout)
    assert [line["recipe"]["backbone"] for line in summaries] == list(BACKBONES)
    assert [(line["cached"], line["computed"]) for line in summaries] == [(72, 0)] * 2
