"""Refusing images that are unlike the training images: in a run, in `predict` and in Python."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
import pytest

from classify import load_model
from classify.errors import ModelError
from classify.serving.live_model import LiveModel
from classify.serving.output.rows import COLUMNS
from extract.backbones.catalog import construct
from reports.ranking import best_in_validation
from reports.reading import read_record
from tests.classify.test_cli import draw
from tests.commands import run_command
from tests.html import text_of
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ARGUMENTS = ("--weights", "vgg16.npz", "--cache", "cache")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run that refuses, one that does not, and new images."""
    home = tmp_path_factory.mktemp("home")
    for k, label in enumerate(("bright", "dark", "striped")):
        for i in range(24):
            draw(home / "pictures" / label / f"{i}.png", label, 100 * k + i)
    for i in range(4):
        draw(home / "new" / f"{i}-familiar.png", "dark", 100 + i)  # as dark/{i}.png
        shape = np.zeros((48, 48, 3), np.uint8)
        cv2.circle(shape, (24, 24), 8 + i, (0, 0, 255), -1)
        cv2.imwrite(str(home / "new" / f"{i}-strange.png"), shape)
    keras.utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    for out, names, options in (
        ("run", "logreg,cnn,finetune", ["--reject", "0.1"]),
        ("plain", "logreg", []),
    ):
        done = run_command(
            "classify", "--data", "pictures", "--size", "48", *ARGUMENTS,
            "--clf", names, *options, "--out", out, cwd=home,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (home / f"{out}.txt").write_text(done.stdout, encoding="utf-8")
    return home


def predict(home: Path, *options: str, run: str = "run", classifier: str = "logreg") -> Any:
    named = ("--clf", classifier)
    return run_command("classify.predict", run, "new", *ARGUMENTS, *named, *options, cwd=home)


def test_the_report_states_how_many_test_images_are_refused(home: Path) -> None:
    """With the accuracy on the others, for each classifier, in the terminal and on the page."""
    run = read_record(home / "run")
    assert run.settings["reject"] == 0.1
    page, printed = text_of(home / "run" / "report.html"), (home / "run.txt").read_text()
    for result in run.results[:2]:
        rejection = result.rejection
        assert rejection is not None
        assert (rejection.share, rejection.n_test) == (0.1, result.n_test)
        low, high = wilson(rejection.n_refused, rejection.n_test)
        assert (rejection.refused_low, rejection.refused_high) == (low, high)
        sentence = f"refuses {rejection.n_refused} of {result.n_test} test images"
        assert sentence in page
        assert f"{result.classifier}: {sentence}" in printed
    can_refuse = best_in_validation(run).rejection is not None
    assert ("classify.predict run IMAGE --reject 0.1" in printed) == can_refuse


def test_nothing_is_said_of_it_if_nobody_asks(home: Path) -> None:
    """Neither on the page nor in the terminal; the file to compare new images with is saved."""
    run = read_record(home / "plain")
    assert all(result.rejection is None for result in run.results)
    for text in (text_of(home / "plain" / "report.html"), (home / "plain.txt").read_text()):
        assert "refuse" not in text
        assert "familiar" not in text
    saved = run.bases[0].familiarity
    assert saved is not None
    assert saved.n_images == sum(run.data.train_counts)
    assert (home / "plain" / saved.file).is_file()


def test_fine_tuning_says_that_it_refuses_nothing(home: Path) -> None:
    """It works on a part of the base; `predict` names the classifiers that can."""
    result = next(one for one in read_record(home / "run").results if one.classifier == "finetune")
    assert result.rejection is None
    assert "no image is refused" in " ".join(result.notes)
    done = predict(home, "--reject", "0.1", classifier="finetune")
    assert done.returncode == 2
    assert "'finetune' cannot refuse images" in done.stderr
    assert "choose one of: logreg, cnn" in done.stderr


@pytest.mark.parametrize("classifier", ["logreg", "cnn"])
def test_strange_images_are_refused(home: Path, classifier: str) -> None:
    """By classifiers of embeddings and of images; familiar ones keep their class."""
    done = predict(home, "--reject", "0.1", classifier=classifier)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    for line in lines:
        assert ("unlike anything it was trained on" in line) == ("strange" in line)


def test_the_table_says_how_familiar_images_are(home: Path) -> None:
    """In any case; which are refused is only there if somebody asks."""
    for options, columns in (
        ([], [*COLUMNS]),
        (["--reject", "0.1"], [*COLUMNS, "refused"]),
    ):  # fmt: skip
        done = predict(home, "--csv", "-", *options)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        assert list(rows[0]) == columns
        for row in rows:
            strange = "strange" in row["path"]
            assert (float(row["familiarity"]) <= 0.1) == strange
            assert (row.get("refused") == "yes") == (strange and bool(options))


def test_the_json_says_how_familiar_images_are(home: Path) -> None:
    """And whether they are refused, if somebody asks."""
    plain, asked = (
        json.loads(predict(home, "--json", *options).stdout)["predictions"]
        for options in ([], ["--reject", "0.1"])
    )
    assert [row["familiarity"] for row in plain] == [row["familiarity"] for row in asked]
    assert all("refused" not in row for row in plain)
    assert [row["refused"] for row in asked] == ["strange" in row["path"] for row in asked]


def test_a_model_in_python_refuses(home: Path) -> None:
    """Files and images in memory alike."""
    model = load_model(
        home / "run", "logreg", weights=str(home / "vgg16.npz"), cache=home / "cache"
    )
    paths = sorted((home / "new").iterdir())
    strange = ["strange" in path.name for path in paths]
    arrays = [cv2.imread(str(path))[:, :, ::-1] for path in paths]
    for images in (paths, arrays):
        assert (model.familiarity(images) <= 0.1).tolist() == strange
        with pytest.raises(ModelError, match="is a class"):
            model.predict(images, reject=0.1, refused=str(model.classes_[0]))
        labels = model.predict(images, reject=0.1, refused="none of these")
        assert (labels == "none of these").tolist() == strange
        assert set(model.predict(images)) <= set(model.classes_)


def test_too_small_a_share_is_an_error(home: Path) -> None:
    """So few training images cannot show it; the message says how many it takes."""
    n_train = sum(read_record(home / "run").data.train_counts)
    done = predict(home, "--reject", "0.001")
    assert done.returncode == 2
    assert f"takes at least 999 training images, and run was fitted on {n_train}" in done.stderr
    assert "--reject" in done.stderr


def test_a_changed_file_is_refused(home: Path, tmp_path: Path) -> None:
    """If images are to be refused; else a warning says that familiarity is unknown."""
    shutil.copytree(home / "run", tmp_path / "run")
    saved = read_record(home / "run").bases[0].familiarity
    assert saved is not None
    with (tmp_path / "run" / saved.file).open("ab") as file:
        file.write(b"x")
    run = str(tmp_path / "run")
    done = predict(home, "--reject", "0.1", run=run)
    assert done.returncode == 2
    assert "not the file that the run has written" in done.stderr
    done = predict(home, "--json", run=run)
    assert done.returncode == 0
    assert "it is not said how familiar images are" in done.stderr
    assert {row["familiarity"] for row in json.loads(done.stdout)["predictions"]} == {None}


def test_a_run_of_an_earlier_version_says_that_it_cannot(earlier_home: Path) -> None:
    """If images are to be refused; else nothing is said."""
    model = load_model(
        earlier_home / "run",
        weights=str(earlier_home / "mobilenet.weights.h5"),
        cache=earlier_home / "cache",
    )
    path = earlier_home / "pictures" / "test" / "disc" / "001.jpg"
    with pytest.raises(ModelError, match=r"has not saved how familiar images are, .*; train again"):
        model.predict([path], reject=0.05)
    (prediction,) = model.predict_files([path])
    assert (prediction.familiarity, prediction.refused) == (None, False)


def test_a_server_refuses_strange_images(home: Path) -> None:
    """Its model says so for each image, as `predict` does; without a share, none is refused."""
    weights, cache = str(home / "vgg16.npz"), str(home / "cache")
    for reject in (0.1, None):
        with LiveModel(
            home / "run", "logreg", weights=weights, cache=cache, reject=reject
        ) as model:
            for path in sorted((home / "new").iterdir()):
                found = model.predict(path.read_bytes())
                assert found.familiarity is not None
                assert (found.familiarity <= 0.1) == ("strange" in path.name)
                assert found.refused == (reject is not None and "strange" in path.name)
