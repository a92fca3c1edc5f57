"""`Model.export` and `python -m classify.export`: one file that answers as the model does."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import zipfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from classify import ModelError, load_model
from classify.export import main
from classify.exporting import card, formats, network
from classify.exporting import export as exporting
from extract import WeightsError
from reports.records.results import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from classify.serving.model import Model

pytestmark = pytest.mark.slow

SUFFIXES = (".onnx", ".xml", ".keras", ".tflite")
SKLEARN = "sklearn.linear_model:LogisticRegression"

CLASSIFIERS = ("logreg", "svm", "nearest", "centroid", "dense", "cnn")
OFTEN = {("logreg", ".xml"), ("svm", ".onnx"), ("nearest", ".tflite"), ("cnn", ".keras")}
EARLIER = {("logreg", ".onnx"), ("finetune", ".keras")}


def cases(classifiers: Iterable[str], often: set[tuple[str, str]]) -> Iterator[Any]:
    """Yield classifiers in every format; what is not tested often is one of many alike."""
    for case in product(classifiers, SUFFIXES):
        yield pytest.param(*case, marks=() if case in often else pytest.mark.exhaustive)


def load(home: Path, classifier: str, run: str = "today") -> Model:
    return load_model(
        home / run, classifier, weights=str(home / "mobilenet.weights.h5"), cache=home / "cache"
    )


def outputs_of(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    wanted = formats.find_format(None, path)
    return wanted.open(path)(images)


def draw(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height)
    return np.kron(
        rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)), np.ones((8, 8, 1))
    ).astype(np.uint8)[:height, :width]


def check(model: Model, path: Path) -> None:
    """Check an exported file with images that the export has not seen."""
    for images in (draw(90, 131)[None], np.stack([draw(7, 300), draw(8, 300)[:7]])):
        outputs = outputs_of(path, images)
        expected = model.predict_proba(list(images))
        np.testing.assert_allclose(outputs["probabilities"], expected, atol=0.01)
        answers = outputs["answers"] if "answers" in outputs else expected.argmax(axis=1)
        assert (answers == model.rule.answers(expected)).all()


@pytest.mark.parametrize(("classifier", "suffix"), list(cases(CLASSIFIERS, OFTEN)))
def test_an_export_answers_as_the_model(
    home: Path, tmp_path: Path, classifier: str, suffix: str
) -> None:
    """With calibration, priors and the decision, on images of any size and in batches."""
    model = load(home, classifier)
    path = tmp_path / f"model{suffix}"
    exported = model.export(path)
    assert exported.comparison.n_same == exported.comparison.n_images > 10
    assert exported.comparison.n_unusable == 0
    check(model, path)


@pytest.mark.parametrize(("classifier", "suffix"), list(cases(["logreg", "finetune"], EARLIER)))
def test_a_run_of_an_earlier_version_is_exported(
    home: Path, tmp_path: Path, classifier: str, suffix: str
) -> None:
    """With sigmoids, OpenCV's filter, and layers that were trained further."""
    model = load(home, classifier, "run")
    path = tmp_path / f"model{suffix}"
    model.export(path, images=home / "pictures" / "test")
    check(model, path)


def test_an_svm_that_counts_votes_is_refused(home: Path, tmp_path: Path) -> None:
    """One of an earlier version, with more than two classes."""
    with pytest.raises(ModelError, match="train again"):
        load(home, "svm", "run").export(tmp_path / "a.onnx", images=home / "pictures" / "test")
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_of_scikit_learn_is_exported_to_onnx(home: Path, tmp_path: Path) -> None:
    """And what skl2onnx or the format cannot have is refused."""
    model = load(home, SKLEARN)
    model.export(tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx")
    for suffix in (".xml", ".keras", ".tflite"):
        with pytest.raises(ModelError, match="onnx"):
            model.export(tmp_path / f"model{suffix}")
    with pytest.raises(ModelError, match="CalibratedClassifierCV"):
        load(home, "sklearn.linear_model:RidgeClassifier").export(tmp_path / "other.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.onnx.md"}


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_base_in_8_bits_stays_the_same(in_8_bits: Path, tmp_path: Path, suffix: str) -> None:
    """It is the run's own network: a byte for each of its 14.7 million weights."""
    model = load_model(in_8_bits / "int8", "logreg", cache=in_8_bits / "cache")
    exported = model.export(tmp_path / f"model{suffix}")
    assert exported.comparison.n_same == exported.comparison.n_images
    assert formats.files_of(exported.path)[-1].stat().st_size < 16e6


def test_a_classifier_of_scikit_learn_needs_nothing_after_it(
    in_8_bits: Path, tmp_path: Path
) -> None:
    """Neither calibration nor priors."""
    model = load_model(in_8_bits / "int8", SKLEARN, cache=in_8_bits / "cache")
    model.export(tmp_path / "model.onnx")
    check(model, tmp_path / "model.onnx")


def test_another_precision_may_lose_little(home: Path, tmp_path: Path) -> None:
    """Random weights lose more in 8 bits, so that nothing is written."""
    with pytest.raises(ModelError, match=r"loses \d+\.\d\d points, 0\.3 are allowed"):
        load(home, "logreg").export(tmp_path / "model.onnx", precision="int8")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_answers_otherwise_is_not_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the first image that differs."""
    square = network.square
    monkeypatch.setattr(network, "square", lambda images, pixels: 255.0 - square(images, pixels))
    with pytest.raises(ModelError, match=r"does not answer as the model.*\.jpg: .* by the export"):
        load(home, "logreg").export(tmp_path / "new" / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_file_and_its_card_say_what_they_are(home: Path, tmp_path: Path) -> None:
    """Class names, accuracy, licence and how the file was compared."""
    import onnx
    import openvino

    model = load(home, "logreg")
    about: dict[str, dict[str, Any]] = {}
    for suffix in SUFFIXES:
        model.export(tmp_path / f"model{suffix}", licence="CC BY 4.0", overwrite=True)
        text = (tmp_path / f"model{suffix}.md").read_text(encoding="utf-8")
        assert "CC BY 4.0" in text
        assert "Compared with the model" in text
        assert f"{model.result.accuracy:.1%} of {model.result.n_test} test images correct" in text
        for file in formats.files_of(tmp_path / f"model{suffix}"):
            assert file.name in text
    properties = onnx.load(tmp_path / "model.onnx").metadata_props
    about["onnx"] = {prop.key: prop.value for prop in properties}
    info = openvino.Core().read_model(tmp_path / "model.xml").get_rt_info()
    about["openvino"] = {key: info[key].astype(str) for key in about["onnx"]}
    for name in ("keras", "tflite"):
        with zipfile.ZipFile(tmp_path / f"model.{name}") as archive:
            found = json.loads(archive.read("model_card.json"))
        about[name] = {**found, "classes": json.dumps(found["classes"])}
    assert len({json.dumps(found, sort_keys=True) for found in about.values()}) == 1
    assert json.loads(about["onnx"]["classes"]) == ["disc", "square", "star"]
    assert about["onnx"]["licence"] == "CC BY 4.0"


@pytest.mark.parametrize(
    ("threshold", "words"), [(0.0, "no image undecided"), (0.7, "0.7: below this probability")]
)
def test_the_card_says_what_the_threshold_does(home: Path, threshold: float, words: str) -> None:
    """A run whose every answer is sure enough has a threshold of zero."""
    model = load(home, "logreg")
    effect = Threshold(0.9, threshold, precision=1.0, recall=1.0, undecided=0.0)
    model.result = dataclasses.replace(model.result, threshold=effect)
    assert words in card.metadata(model, "float32", None)["threshold"]


def test_existing_files_stay(home: Path, tmp_path: Path) -> None:
    """Unless the user says that they may be replaced."""
    path = tmp_path / "model.onnx"
    path.write_text("mine")
    with pytest.raises(ModelError, match="exists"):
        load(home, "logreg").export(path)
    assert path.read_text() == "mine"
    load(home, "logreg").export(path, overwrite=True)
    assert path.stat().st_size > 1000


def test_what_cannot_be_exported_is_refused(home: Path, tmp_path: Path) -> None:
    """Each with what to do, and nothing is written."""
    model = load(home, "logreg")
    with pytest.raises(ModelError, match=r"ends in one of \.onnx, \.xml"):
        model.export(tmp_path / "model.pt")
    with pytest.raises(ModelError, match="8 bits"):
        model.export(tmp_path / "model.keras", precision="int8")
    with pytest.raises(ModelError, match="float32 or int8"):
        model.export(tmp_path / "model.onnx", precision="int4")
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot write"):
        model.export(tmp_path / "file" / "model.onnx")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "text.jpg").write_text("no image")
    with pytest.raises(ModelError, match="none of"):
        model.export(tmp_path / "model.onnx", images=tmp_path / "images")
    with pytest.raises(WeightsError, match="no file of weights"):
        model.export(tmp_path / "model.keras", weights=str(tmp_path / "gone.h5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "images"]


def test_a_full_disk_leaves_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says so."""

    def fail(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ModelError, match="No space left"):
        load(home, "logreg").export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_extra(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is computed."""
    monkeypatch.setattr(exporting, "missing_packages", lambda _: ["onnxruntime"])
    with pytest.raises(ModelError, match=r"onnxruntime.*frozen-features\[export\]"):
        load(home, "logreg").export(tmp_path / "model.onnx")


def test_strange_images_are_compared_too(home: Path, tmp_path: Path) -> None:
    """One of a single pixel, one whose name has a line break, and a file that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(draw(1, 1)).save(folder / "one.png")
    Image.fromarray(draw(50, 60)).save(folder / "two\nlines.png")
    (folder / "text.jpg").write_text("no image")
    found = load(home, "logreg").export(tmp_path / "model.onnx", images=folder).comparison
    assert (found.n_images, found.n_same, found.n_unusable) == (2, 2, 1)
    assert found.accuracy is None


def test_no_class_stays_unchecked(home: Path, tmp_path: Path) -> None:
    """If all test images of one are gone, the message names it."""
    moved = home / "pictures" / "test" / "star"
    moved.rename(tmp_path / "star")
    try:
        with pytest.raises(ModelError, match="no image of star can be compared"):
            load(home, "logreg").export(tmp_path / "model.onnx")
    finally:
        (tmp_path / "star").rename(moved)


def test_the_command_exports_and_says_what_it_compared(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By default into the folder of the run; a second time only with --force."""
    run = Path(shutil.copytree(home / "today", tmp_path / "run"))
    argv = [str(run), "--clf", "logreg", "--cache", str(home / "cache"), "--quiet"]
    argv += ["--weights", str(home / "mobilenet.weights.h5")]
    assert main(argv) == 0
    assert "same class for" in capsys.readouterr().out
    assert (run / "export" / "logreg.onnx").is_file()
    assert (run / "export" / "logreg.onnx.md").is_file()
    assert main(argv) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*argv, "--to", "keras", "--precision", "int8"]) == 2
    assert "--precision" in capsys.readouterr().err
    assert main([*argv, "--to", "onnx", "--out", "model.tflite"]) == 2
    assert ".onnx" in capsys.readouterr().err
