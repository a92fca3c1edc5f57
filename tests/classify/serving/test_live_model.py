"""A model kept ready predicts the same as one that reads files, whatever kind of model it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from classify.serving.live_model import LiveModel
from classify.serving.model import Model
from extract.backbones.catalog import construct
from extract.datasets.sources.shapes import CLASSES, draw_image
from reports import records, tables
from reports.reading import read_record
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a calibrated run of a model on embeddings and of one on images."""
    home = tmp_path_factory.mktemp("home")
    for split, n_images in (("train", 48), ("test", 24)):
        for index in range(n_images):
            path = home / "pictures" / split / CLASSES[index % 6] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), draw_image(split, index)[:, :, ::-1])
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    done = run_command(
        "classify", "--data", "pictures", "--weights", "vgg16.npz", "--size", "48",
        "--cache", "cache", "--clf", "logreg,cnn", "--calibrate", "--out", "run", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home


def live(home: Path, run: str = "run", classifier: str | None = None) -> LiveModel:
    weights, cache = str(home / "vgg16.npz"), str(home / "cache")
    return LiveModel(home / run, classifier, weights=weights, cache=cache)


@pytest.mark.parametrize("classifier", ["logreg", "cnn"])
def test_it_predicts_what_a_model_of_files_predicts(
    home: Path, tmp_path: Path, classifier: str
) -> None:
    """Calibrated, from embeddings and from pixels alike."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), draw_image("test", 200)[:, :, ::-1])
    weights, cache = str(home / "vgg16.npz"), home / "cache"
    (expected,) = Model(home / "run", classifier, weights=weights, cache=cache).predict_files(
        [path]
    )
    with live(home, classifier=classifier) as model:
        prediction = model.predict(path.read_bytes())
    assert prediction.label == expected.label
    assert prediction.probability == pytest.approx(expected.probability, abs=1e-5)
    assert prediction.undecided == expected.undecided
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    assert len(prediction.neighbours) == 5


@pytest.mark.parametrize("classifier", ["logreg", "cnn"])
def test_it_explains_what_a_model_of_files_explains(
    home: Path, tmp_path: Path, classifier: str
) -> None:
    """The predicted class, from embeddings and from pixels alike."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), draw_image("test", 200)[:, :, ::-1])
    weights, cache = str(home / "vgg16.npz"), home / "cache"
    expected = Model(home / "run", classifier, weights=weights, cache=cache).explain([path])
    with live(home, classifier=classifier) as model:
        row = model.explain(path.read_bytes())
    assert row.label == expected.classes[0]
    assert row.exact == expected.exact == (classifier == "logreg")
    np.testing.assert_allclose(row.map, expected.maps[0], atol=1e-4)
    assert row.score == pytest.approx(expected.scores[0], abs=1e-4)


def test_it_is_undecided_below_the_threshold(home: Path) -> None:
    """The threshold is in the record of the run."""
    run = read_record(home / "run")
    (result,) = (result for result in run.results if result.classifier == "logreg")
    model_file, path = str(result.model), home / "pictures" / "test" / "cross" / "0.png"
    for threshold, expected in ((1.0, True), (0.0, False)):
        with_threshold = dataclasses.replace(
            result, threshold=records.Threshold(0.9, threshold, 1.0, 0.5, 0.5)
        )
        folder = home / f"threshold-{threshold}"
        folder.mkdir()
        (folder / model_file).write_bytes((home / "run" / model_file).read_bytes())
        (folder / "run.json").write_text(
            dataclasses.replace(run, results=[with_threshold]).to_json()
        )
        with live(home, folder.name) as model:
            assert model.predict(path.read_bytes()).undecided is expected


def test_a_run_without_its_list_of_images_is_served(
    home: Path, notes: pytest.LogCaptureFixture
) -> None:
    """Without neighbours and positions, and with a warning; runs of old have no such list."""
    pictures_csv = home / "run" / tables.PICTURES_NAME
    content = pictures_csv.read_bytes()
    pictures_csv.unlink()
    try:
        with live(home) as model:
            path = home / "pictures" / "test" / "cross" / "0.png"
            prediction = model.predict(path.read_bytes())
        assert (prediction.neighbours, prediction.position) == ([], None)
        assert not model.has_positions
        assert "similar images and positions are not shown" in notes.text
    finally:
        pictures_csv.write_bytes(content)
