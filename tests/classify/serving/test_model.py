"""`classify.load_model` on a run with a filled cache: paths, arrays and PIL images."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_iris

from classify import ModelError, compare, load_model
from classify.serving import blocks
from extract import ImageError, WeightsError
from reports import read_run

if TYPE_CHECKING:
    from classify.serving.model import Model

EARLIER = Path(__file__).parents[2] / "data" / "earlier-run"


def load(earlier_home: Path, classifier: str | None = None) -> Model:
    weights = str(earlier_home / "mobilenet.weights.h5")
    return load_model(
        earlier_home / "run", classifier, weights=weights, cache=earlier_home / "cache"
    )


@pytest.fixture(scope="module")
def model(earlier_home: Path) -> Model:
    return load(earlier_home)


@pytest.fixture(scope="module")
def paths(earlier_home: Path) -> list[Path]:
    """Return an image of each class."""
    names = ("disc/001.jpg", "square/003.jpg", "star/004.jpg")
    return [earlier_home / "pictures" / "test" / name for name in names]


def predicted_before(model: Model, paths: list[Path]) -> list[tuple[str, float]]:
    with (EARLIER / "predicted.csv").open(newline="") as file:
        rows = {
            Path(row["path"]).name: (row["class"], float(row["probability"]))
            for row in csv.DictReader(file)
            if row["classifier"] == model.result.classifier and row["probability"]
        }
    return [rows[path.name] for path in paths]


def test_the_default_is_the_best_in_validation(earlier_home: Path, model: Model) -> None:
    """Its name is shown; another one is loaded by its name."""
    assert model.result.classifier in repr(model)
    assert load(earlier_home, "centroid").result.classifier == "centroid"
    with pytest.raises(ModelError, match="holds no classifier 'cnn'; it holds: dense, logreg"):
        load(earlier_home, "cnn")


def test_files_get_the_probabilities_of_the_command(model: Model, paths: list[Path]) -> None:
    """Calibrated as in the run; strings are as good as paths, and one path is one image."""
    expected = predicted_before(model, paths)
    probabilities = model.predict_proba(paths)
    assert probabilities.shape == (len(paths), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities.max(axis=1), [p for _, p in expected], atol=1e-3)
    labels = model.predict([str(path) for path in paths])
    assert labels.tolist() == [label for label, _ in expected]
    assert labels.tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()
    assert model.predict(paths[0]).tolist() == labels[:1].tolist()


def test_what_is_undecided_can_be_marked(
    model: Model, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the threshold of the run."""
    monkeypatch.setattr("classify.serving.classifier.is_undecided", lambda _, p: p < 1.1)
    assert model.predict(paths, undecided="?").tolist() == ["?"] * len(paths)
    assert "?" not in model.predict(paths)


@pytest.mark.parametrize("classifier", ["logreg", "dense", "nearest"])
def test_evidence_adds_up_to_the_score(
    earlier_home: Path, paths: list[Path], classifier: str
) -> None:
    """Of the predicted class, or of one that is named; pixels in memory are as good as files."""
    model = load(earlier_home, classifier)
    found = model.explain(paths)
    assert found.exact == (classifier != "dense")
    assert found.classes.tolist() == model.predict(paths).tolist()
    np.testing.assert_allclose(found.maps.sum((1, 2)) + found.intercept, found.scores, rtol=1e-9)
    named = model.explain(paths, model.classes_[0])
    assert set(named.classes) == {model.classes_[0]}
    assert not np.allclose(named.scores, found.scores)
    pixels = cv2.imread(str(paths[0]))[:, :, ::-1]
    mixed = model.explain([pixels, paths[1]], found.classes[:2])
    np.testing.assert_allclose(mixed.scores, found.scores[:2], rtol=1e-4)


def test_evidence_for_what_is_no_class_is_refused(model: Model, paths: list[Path]) -> None:
    with pytest.raises(ModelError, match=r"no class 'disk' \(did you mean disc\?\)"):
        model.explain(paths, "disk")
    with pytest.raises(ModelError, match="a class for each of 3 images, found 1 classes"):
        model.explain(paths, ["disc"])


def test_a_file_that_is_no_image_is_named(model: Model, paths: list[Path], tmp_path: Path) -> None:
    """With its row, its path and the reason."""
    (tmp_path / "broken.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"row 1: .*broken\.jpg cannot be used as an image: not"):
        model.predict([paths[0], tmp_path / "broken.jpg"])
    with pytest.raises(ImageError, match=r"row 0: .*gone\.jpg cannot be used as an image: cannot"):
        model.predict([tmp_path / "gone.jpg"])


def test_a_run_is_as_good_as_its_folder(earlier_home: Path) -> None:
    """`compare` returns it."""
    run = read_run(earlier_home / "run")
    model = load_model(
        run, weights=str(earlier_home / "mobilenet.weights.h5"), cache=earlier_home / "cache"
    )
    assert model.result.classifier == run.best


def test_a_run_on_embeddings_has_no_model_for_images(tmp_path: Path) -> None:
    """It has no frozen base; the error says so."""
    X, y = load_iris(return_X_y=True)
    run = compare((X, y), classifiers="centroid", out=tmp_path / "run")
    with pytest.raises(ModelError, match="cannot predict images; compare classifiers on images"):
        load_model(run.folder)


def test_weights_that_are_missing_are_named(earlier_home: Path) -> None:
    """Before anything is predicted."""
    with pytest.raises(WeightsError, match=r"gone\.h5"):
        load_model(
            earlier_home / "run",
            weights=str(earlier_home / "gone.h5"),
            cache=earlier_home / "cache",
        )


def test_a_damaged_model_is_refused(earlier_home: Path, tmp_path: Path) -> None:
    """By its SHA-256 in the record of the run."""
    shutil.copytree(earlier_home / "run", tmp_path / "run")
    with (tmp_path / "run" / "svm.skops").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="not the file that the run has written"):
        load_model(tmp_path / "run", "svm")


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["logreg", "finetune"])
def test_images_in_memory_are_predicted_as_their_files(
    earlier_home: Path, paths: list[Path], classifier: str
) -> None:
    """As a list of arrays, as one array and as PIL images."""
    model = load(earlier_home, classifier)
    expected = model.predict_proba(paths)
    arrays = [cv2.imread(str(path))[:, :, ::-1] for path in paths]
    np.testing.assert_allclose(model.predict_proba(arrays), expected, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(np.stack(arrays)), expected, atol=1e-4)
    opened = [Image.open(path) for path in paths]
    np.testing.assert_allclose(model.predict_proba(opened), expected, atol=0.02)
    mixed = [paths[0], arrays[1], str(paths[2])]
    np.testing.assert_allclose(model.predict_proba(mixed), expected, atol=1e-4)


@pytest.mark.parametrize(
    "limits", [{"FILES_PER_BLOCK": 2}, {"BYTES_PER_READ": 1, "_FEWEST_PER_READ": 2}]
)
def test_files_are_predicted_one_by_one_as_they_are_together(
    model: Model,
    paths: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
) -> None:
    """In their order, with those that are no images; each block is read when it is needed."""
    (tmp_path / "broken.jpg").write_text("no image")
    files = [paths[0], tmp_path / "broken.jpg", paths[1], paths[0], paths[2]]
    together = model.predict_files(files, top=2)
    assert [prediction.path for prediction in together] == files
    assert [prediction.reason is None for prediction in together] == [True, False, True, True, True]
    for name, limit in limits.items():
        monkeypatch.setattr(blocks, name, limit)
    stream = model.stream_files([str(file) for file in files], top=2)
    for prediction, expected in zip(stream, together, strict=True):
        assert prediction.path == expected.path
        assert (prediction.label, len(prediction.top)) == (expected.label, len(expected.top))
        assert prediction.probability == pytest.approx(expected.probability)
    with pytest.raises(ImageError, match=r"row 1: .*broken\.jpg cannot be used as an image: not"):
        model.predict(files)


@pytest.mark.slow
def test_an_image_of_one_colour_is_named(
    model: Model, tmp_path: Path, notes: pytest.LogCaptureFixture
) -> None:
    """It gets a prediction, which means nothing."""
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((50, 40, 3), 90, np.uint8))
    (prediction,) = model.predict_files([tmp_path / "plain.png"])
    assert prediction.label is not None
    assert "1 image has one colour only: nothing can be seen" in notes.text
    assert "plain.png" in notes.text


@pytest.mark.slow
def test_more_bits_than_in_training_are_decided_over_the_images_given_together(
    earlier_home: Path,
    paths: list[Path],
    tmp_path: Path,
    notes: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run on 8 bits, asked about the 12-bit originals of its images; in any blocks."""
    model = load(earlier_home)
    recipe = dataclasses.replace(model.base.recipe, interpolation="bicubic")
    model.base = dataclasses.replace(model.base, recipe=recipe)
    shallow, deep = [], []
    for path in paths:
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        shallow.append(tmp_path / f"{path.stem}.png")
        deep.append(tmp_path / f"{path.stem}.tiff")
        cv2.imwrite(str(shallow[-1]), grey)
        cv2.imwrite(str(deep[-1]), (grey / 255 * 4095).astype(np.uint16))
    dark = tmp_path / "dark.tiff"  # alone, it would be taken for one of fewer bits
    cv2.imwrite(str(dark), (grey / 255 * 4095 / 8).astype(np.uint16))
    together = model.predict_proba([*deep, dark])
    np.testing.assert_allclose(together[:-1], model.predict_proba(shallow), atol=0.02)
    monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 1)
    np.testing.assert_allclose(model.predict_proba([*deep, dark]), together, atol=1e-6)
    assert "4 images have more than 8 bits, scaled as decided over them together" in notes.text
    assert "12 bits are in use" in notes.text
