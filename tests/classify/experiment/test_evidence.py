"""A run records where the evidence lies: for mistakes, sure predictions, and each class."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from classify import compare, load_model
from classify.experiment import evidence as evidence_of_runs
from extract import Embedder, load_dataset
from reports.evidence import EVIDENCE_NAME, read_evidence
from reports.records import PredictionRow
from tests.extract.backbones.onnx_networks import write

if TYPE_CHECKING:
    from pathlib import Path

    from reports import RunResults

SIDE = 16
CORNERS = {"left": (0, 0), "right": (12, 12), "up": (0, 12)}


def draw(folder: Path, classes: list[str], n_train: int = 24, n_test: int = 16) -> Path:
    """Draw noise with a patch in the corner of its class; of a quarter, in that of another."""
    rng = np.random.default_rng(0)
    for split, number in (("train", n_train), ("test", n_test)):
        for i in range(number * len(classes)):
            label = classes[i % len(classes)]
            shown = classes[(i + 1) % len(classes)] if i % 9 == 0 else label
            image = rng.integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8)
            row, column = CORNERS[shown]
            image[row : row + 4, column : column + 4] += 120
            path = folder / split / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    return folder


def run_of(home: Path, classes: list[str], classifiers: Any, **settings: Any) -> RunResults:
    output, side = settings.pop("output", "pixels"), settings.pop("side", SIDE)
    network = write(home / "net.onnx", outputs=[output], sides=(side, side))
    data = load_dataset(draw(home / "pictures", classes), cache=home / "cache")
    given = {"pooling": "none", "preprocess": "tf", "cache": home / "cache", **settings}
    return compare(data, Embedder(str(network), **given), classifiers, out=home / "run")


@pytest.mark.parametrize("classes", [["left", "right"], ["left", "right", "up"]])
@pytest.mark.parametrize("settings", [{}, {"pooling": "avg"}, {"flip": True}], ids=str)
def test_mistakes_and_sure_predictions_are_explained(
    tmp_path: Path, classes: list[str], settings: dict[str, Any]
) -> None:
    run = run_of(tmp_path, classes, ["logreg", "centroid"], **settings)
    rows = read_evidence(run.folder)
    for classifier, predictions in run.predictions.groupby("classifier"):
        own = [row for row in rows if row.classifier == classifier]
        assert {row.exact for row in own} == {classifier == "logreg"}
        labels = Counter((row.path, row.label) for row in own if row.path)
        wrong = predictions.query("true != predicted")
        assert len(wrong) > 2
        for mistake in wrong.itertuples():
            assert labels.pop((mistake.path, mistake.predicted)) == 1
            if len(classes) > 2:
                assert labels.pop((mistake.path, mistake.true)) == 1
        correct = predictions.query("true == predicted").sort_values(
            "probability", ascending=False, kind="stable"
        )
        surest = correct.groupby("predicted").head(evidence_of_runs.SUREST)
        assert set(labels) == set(zip(surest.path, surest.predicted, strict=True))


@pytest.mark.parametrize("classifier", ["logreg", "svm", "centroid"])
@pytest.mark.parametrize("classes", [["left", "right"], ["left", "right", "up"]])
def test_the_mean_of_a_class_lies_where_its_patch_is(
    tmp_path: Path, classes: list[str], classifier: str
) -> None:
    run = run_of(tmp_path, classes, classifier)
    means = {row.label: row for row in read_evidence(run.folder) if not row.path}
    assert list(means) == classes
    for label, row in means.items():
        assert row.n_images == 16
        place = np.unravel_index(np.argmax(row.map), np.shape(row.map))
        middle = (np.array(place) + 0.5) * SIDE / len(row.map)
        assert (middle >= CORNERS[label]).all()
        assert (middle < np.array(CORNERS[label]) + 4).all()
    assert 'id="evidence"' in run.report().read_text()


@pytest.mark.parametrize("settings", [{}, {"pooling": "avg"}, {"flip": True}], ids=str)
def test_the_record_says_what_the_saved_model_says(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """From the cache, or with the network that pools at the end."""
    run = run_of(tmp_path, ["left", "right"], "logreg", **settings)
    model = load_model(run, cache=tmp_path / "cache")
    rows = [row for row in read_evidence(run.folder) if row.path]
    found = model.explain([tmp_path / "pictures" / row.path for row in rows])
    for i, row in enumerate(rows):
        sign = 1 if row.label == "right" else -1  # of two classes, the second is explained
        np.testing.assert_allclose(sign * np.array(row.map), found.maps[i], rtol=1e-4, atol=1e-5)
        total = sum(map(sum, row.map)) + row.intercept
        assert total == pytest.approx(row.score, abs=1e-5)
        assert row.score == pytest.approx(sign * found.scores[i], abs=1e-5)
        assert (row.score > 0) == (model.predict([tmp_path / "pictures" / row.path]) == row.label)


def test_at_most_as_many_mistakes_as_stated_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most confident ones."""
    monkeypatch.setattr(evidence_of_runs, "MISTAKES", 2)
    run = run_of(tmp_path, ["left", "right"], "logreg")
    wrong = run.predictions.query("true != predicted").sort_values("probability")
    paths = {row.path for row in read_evidence(run.folder)}
    assert paths & set(wrong.path) == set(wrong.path[-2:])


@pytest.mark.parametrize(
    ("n_classes", "most", "averaged"), [(3, 60, 20), (20, 60, 0), (20, 100, 5)]
)
def test_few_images_are_those_that_are_predicted_most_surely(
    n_classes: int, most: int, averaged: int
) -> None:
    """Not those of the first classes; and no mean is made of a few images."""
    rng = np.random.default_rng(0)
    classes = [f"{i:02}" for i in range(n_classes)]
    rows = [
        PredictionRow("logreg", f"{i}.png", classes[i % n_classes], classes[i % n_classes], p)
        for i, p in enumerate(rng.uniform(size=40 * n_classes))
    ]
    labelled = evidence_of_runs._Labelled.of(rows, classes)
    sure = [rows[row].probability for row in labelled.to_explain(most).rows]
    assert sure == sorted(sure, reverse=True)
    assert len(sure) == min(most // n_classes, 10) * n_classes
    of_classes = np.bincount(labelled.to_average(most, 0).codes, minlength=n_classes)
    assert set(of_classes) == {averaged}
    few = evidence_of_runs._Labelled.of(rows[: 5 * n_classes - 1], classes)  # four of the last one
    of_classes = np.bincount(few.to_average(1000, 0).codes, minlength=n_classes)
    assert of_classes.tolist() == [5] * (n_classes - 1) + [0]


def test_embeddings_without_places_have_no_evidence(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["left", "right"], "logreg", output="features")
    assert not (run.folder / EVIDENCE_NAME).exists()
    assert 'id="evidence"' not in run.report().read_text()


def test_a_run_goes_on_without_evidence_if_images_are_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as pixels are needed for it."""

    def gone(self: Any, estimator: Any, split: str) -> Any:
        for path in (tmp_path / "pictures" / "test").rglob("*.png"):
            path.unlink()
        return original(self, estimator, split)

    from classify.experiment.features import ImageFeatures

    original = ImageFeatures.__call__
    monkeypatch.setattr(ImageFeatures, "__call__", gone)
    run = run_of(tmp_path, ["left", "right"], "logreg", pooling="avg")
    assert len(run.results) == 1
    assert not (run.folder / EVIDENCE_NAME).exists()
    assert "no evidence is shown" in caplog.text


def test_rendering_again_keeps_the_evidence(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["left", "right"], "logreg")
    first = run.report().read_text()
    run.report().unlink()
    assert run.report().read_text() == first


@pytest.mark.slow
def test_a_network_on_images_is_explained_by_covering(tmp_path: Path) -> None:
    run = run_of(tmp_path, ["left", "right"], "cnn", side=48)
    rows = read_evidence(run.folder)
    assert rows
    assert not any(row.exact for row in rows)
    assert np.shape(rows[0].map) == (5, 5)
