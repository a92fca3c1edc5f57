"""Int8 from end to end: calibrated once for a data set, named by the recipe, kept in the run."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cache import Store
from classify import load_model
from classify.serving.live_model import LiveModel
from extract import Embedder
from extract.backbones.catalog import construct
from extract.engines.calibration import images_digest
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from extract.errors import EngineError
from extract.recipe import Recipe
from tests.commands import python, run_command

LAYER = "block3_pool"
"""Half of VGG16: calibrating the whole takes longer, and shows no more here."""
ARGUMENTS = (
    *("--weights", "vgg16.npz", "--size", "32", "--preset", "fast", "--cache", "cache"),
    *("--layer", LAYER, "--pool", "avg"),
)

pytestmark = pytest.mark.slow


def draw(folder: Path, numbers: range, brightness: int = 150) -> None:
    """Draw a reddish and a bluish picture for each number."""
    for label, channel in (("blue", 0), ("red", 2)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in numbers:
            picture = np.random.default_rng(i).integers(0, 60, (40, 40, 3)).astype(np.uint8)
            picture[:, :, channel] += brightness
            cv2.imwrite(str(folder / label / f"{i}.png"), picture)


def run(home: Path, module: str, *arguments: str) -> str:
    done = run_command(module, *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures in data/, random VGG16 weights, and the embeddings of a first run."""
    home = tmp_path_factory.mktemp("prepared")
    draw(home / "data", range(8))
    np.savez(home / "vgg16.npz", *construct("vgg16", 32).get_weights())
    (home / "first.json").write_text(run(home, "extract", *ARGUMENTS, "--json"))
    return home


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    """Return a copy of the prepared folder that a test may change."""
    return Path(shutil.copytree(prepared, tmp_path / "home"))


@pytest.fixture
def uncalibrated(home: Path) -> Path:
    """Return the same without the record of the quantised model."""
    uncalibrate(home)
    return home


def uncalibrate(home: Path) -> None:
    for record in (home / "cache" / "models").glob("vgg16-int8-*.json"):
        record.unlink()


def first_run(home: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((home / "first.json").read_text())
    assert (summary["computed"], summary["recipe"]["precision"]) == (16, "int8")
    return summary


def test_running_the_images_is_a_phase_of_its_own(home: Path) -> None:
    """It is most of a calibration, and ends before the network is quantised."""
    phases = first_run(home)["phases"]
    assert phases["calibrating int8: running images in float32"] > 0
    assert phases["calibrating int8"] > 0


def test_adding_images_does_not_calibrate_again(home: Path) -> None:
    """Four more images give four more embeddings under the same recipe and model."""
    recipe = first_run(home)["recipe"]
    model = home / "cache" / "models" / f"{recipe['quantised']}.zip"
    made = model.stat().st_mtime_ns
    draw(home / "data", range(8, 10))
    second = json.loads(run(home, "extract", *ARGUMENTS, "--json"))
    assert (second["computed"], second["cached"]) == (4, 16)
    assert second["recipe"]["fingerprint"] == recipe["fingerprint"]
    assert second["recipe"]["calibration"]["sha256"] == recipe["calibration"]["sha256"]
    assert model.stat().st_mtime_ns == made


def test_a_warm_run_needs_neither_tensorflow_nor_openvino(home: Path) -> None:
    """It reads only the record of the model and the embeddings."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'openvino', 'nncf']))"
        f"; from extract.cli import main; sys.exit(main({[*ARGUMENTS, '--json']!r}))"
    )
    done = python("-c", code, cwd=home)
    assert json.loads(done.stdout)["cached"] == 16, done.stderr


def test_another_data_set_changes_nothing(home: Path) -> None:
    """A after B gives what A alone gives, byte for byte, although both have the same recipe."""
    alone = first_run(home)
    draw(home / "other", range(20, 28), brightness=40)
    cache = home / "both"
    shared = [*ARGUMENTS[:6], "--cache", "both", *ARGUMENTS[8:], "--json"]
    other = json.loads(run(home, "extract", *shared, "--data", "other"))
    again = json.loads(run(home, "extract", *shared))
    assert (other["computed"], again["computed"]) == (16, 16)
    assert other["recipe"]["quantised"] != alone["recipe"]["quantised"]
    assert again["recipe"] == alone["recipe"]
    paths = sorted((home / "data").rglob("*.png"))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    fingerprint = alone["recipe"]["fingerprint"]
    expected, found = (
        Store(folder).read(fingerprint, digests) for folder in (home / "cache", cache)
    )
    assert found.tobytes() == expected.tobytes()


def test_a_data_set_that_becomes_another_one_is_calibrated_anew(home: Path) -> None:
    """With most images replaced, and with its own calibration again when they are back."""
    own = first_run(home)["recipe"]
    (home / "data").rename(home / "before")
    draw(home / "data", range(6, 14))
    replaced = json.loads(run(home, "extract", *ARGUMENTS, "--json"))["recipe"]
    assert replaced["quantised"] != own["quantised"]
    assert replaced["calibration"]["in_training_split"] == replaced["calibration"]["images"]
    back = json.loads(run(home, "extract", *ARGUMENTS, "--data", "before", "--json"))
    assert (back["recipe"]["quantised"], back["computed"]) == (own["quantised"], 0)


def test_another_split_goes_on_with_the_calibration_and_says_so(home: Path) -> None:
    """Nothing is computed again; the record counts the images that are test images now."""
    own = first_run(home)["recipe"]
    summary = json.loads(run(home, "extract", *ARGUMENTS, "--seed", "1", "--json"))
    assert summary["computed"] == 0
    assert summary["recipe"]["quantised"] == own["quantised"]
    calibration = summary["recipe"]["calibration"]
    assert own["calibration"]["in_training_split"] == calibration["images"]
    assert 0 < calibration["in_training_split"] < calibration["images"]
    text = run(home, "extract", *ARGUMENTS, "--seed", "1")
    n_images, n_training = calibration["images"], calibration["in_training_split"]
    assert f"on {n_images} images of data, {n_training} of them in this training split" in text


def test_the_network_of_an_earlier_version_is_left_to_its_runs(home: Path) -> None:
    """It can be read by its name, but a data set is calibrated anew, because nobody knows on what.

    Earlier versions recorded it under the recipe alone.
    """
    models = ModelStore(home / "cache" / "models")
    recipe = dataclasses.replace(Recipe.from_dict(first_run(home)["recipe"]), quantised=None)
    uncalibrate(home)
    earlier = models.add(recipe, b"an earlier network")
    summary = json.loads(run(home, "extract", *ARGUMENTS, "--json"))
    assert summary["recipe"]["quantised"] == first_run(home)["recipe"]["quantised"]
    assert summary["cached"] == 16
    assert models.read(earlier) == b"an earlier network"


def test_calibration_sees_training_images_alone(uncalibrated: Path) -> None:
    """Black test images or white ones: the model computes the same."""
    home = uncalibrated
    models = ModelStore(home / "cache" / "models")
    found = []
    (home / "split").mkdir()
    (home / "data").rename(home / "split" / "train")
    for low in (0, 255):
        for label in ("blue", "red"):
            (home / "split" / "test" / label).mkdir(parents=True, exist_ok=True)
            plain = np.full((40, 40, 3), low, np.uint8)
            cv2.imwrite(str(home / "split" / "test" / label / "1.png"), plain)
        summary = json.loads(run(home, "extract", *ARGUMENTS, "--data", "split", "--json"))
        engine = OpenVINOEngine(models.read(summary["recipe"]["quantised"]))
        found.append(engine(np.full((1, 32, 32, 3), 77, np.uint8)))
        uncalibrate(home)
    np.testing.assert_array_equal(*found)


def test_two_commands_calibrate_once(uncalibrated: Path) -> None:
    """The second waits for the first, and both use its model."""
    code = f"""
import sys
from extract.cli import main
from extract.engines import int8

def noting(*arguments, quantise=int8.quantise):
    open("calibrations", "a").write("one\\n")
    return quantise(*arguments)

int8.quantise = noting
sys.exit(main({[*ARGUMENTS, "--json"]!r}))
"""
    command = partial(python, "-c", code, cwd=uncalibrated)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(command) for _ in range(2)]
    done = [process.result() for process in both]
    assert [process.returncode for process in done] == [0, 0], done[0].stderr + done[1].stderr
    recipes = [json.loads(process.stdout)["recipe"] for process in done]
    assert recipes[0] == recipes[1]
    assert (uncalibrated / "calibrations").read_text() == "one\n"


def test_a_run_in_int8_is_reported_and_predicts(home: Path) -> None:
    """The report names the preset and the recipe; predict uses the recorded model."""
    run(home, "classify", "--clf", "logreg", *ARGUMENTS, "--out", "run")
    record = json.loads((home / "run" / "run.json").read_text())
    recipe = record["bases"][0]["recipe"]
    preset = f"fast, but size 32, pooling avg, layer {LAYER}"
    assert recipe["preset"] == preset
    page = (home / "run" / "report.html").read_text()
    assert preset in page
    assert recipe["quantised"] in page
    calibration = recipe["calibration"]
    assert calibration["source"] == "data"
    n_images = calibration["images"]
    shown = f"on {n_images} images of data, {n_images} of them in the training split"
    assert f"{shown}; SHA-256 of the list of their SHA-256: {calibration['sha256']}" in page
    with (home / "run" / "pictures.csv").open(newline="") as file:
        training = [row["sha256"] for row in csv.DictReader(file) if row["split"] == "train"]
    assert images_digest(training) == calibration["sha256"]
    (record,) = (home / "run" / "networks").glob("*.json")
    assert json.loads(record.read_text())["images"].split() == sorted(training)


def test_a_run_folder_is_enough(home: Path, tmp_path: Path) -> None:
    """It predicts alike without the cache, the weights and the pictures, for example elsewhere."""
    run(home, "classify", "--clf", "svm", *ARGUMENTS, "--out", "run")
    cv2.imwrite(str(home / "new.png"), np.full((40, 40, 3), (200, 30, 30), np.uint8))
    expected = load_model(home / "run", cache=home / "cache").predict_proba(home / "new.png")
    assert "deleted" in run(home, "cache", "clear", "--models", "--cache", "cache")
    away = tmp_path / "away"
    away.mkdir()
    shutil.move(home / "run", away / "run")
    shutil.move(home / "new.png", away / "new.png")
    shutil.rmtree(home)
    found = load_model(away / "run", cache=away / "cache").predict_proba(away / "new.png")
    np.testing.assert_array_equal(found, expected)
    said = run(away, "classify.predict", "run", "new.png", "--cache", "cache-2")
    assert "new.png" in said
    with LiveModel(away / "run", cache=str(away / "cache-3")) as live:
        prediction = live.predict((away / "new.png").read_bytes())
    assert prediction.probability == pytest.approx(expected.max())


def test_a_damaged_network_of_a_run_is_not_used(home: Path) -> None:
    """The error names the file."""
    run(home, "classify", "--clf", "centroid", *ARGUMENTS, "--out", "run")
    (network,) = (home / "run" / "networks").glob("*.zip")
    network.write_bytes(network.read_bytes()[:-1] + b"!")
    cv2.imwrite(str(home / "new.png"), np.zeros((40, 40, 3), np.uint8))
    refused = run_command("classify.predict", "run", "new.png", "--cache", "cache", cwd=home)
    assert refused.returncode == 2
    assert f"{network.relative_to(home)} has changed" in refused.stderr


def test_clearing_names_the_runs_that_have_no_network(home: Path) -> None:
    """Only a run of an earlier version has none, and it cannot predict afterwards."""
    for name in ("earlier", "own"):
        run(home, "classify", "--clf", "centroid", *ARGUMENTS, "--out", f"runs/{name}")
    shutil.rmtree(home / "runs" / "earlier" / "networks")
    cv2.imwrite(str(home / "new.png"), np.zeros((40, 40, 3), np.uint8))
    predict = ("classify.predict", "runs/earlier", "new.png", "--cache", "cache")
    assert "new.png" in run(home, *predict)
    shutil.rmtree(home / "cache" / "shards")
    (home / "cache" / "index.sqlite").unlink()
    clear = ("cache", "clear", "--models", "--cache", "cache")
    announced = run(home, *clear, "--dry-run")
    assert announced.startswith("would delete")
    assert "1 run below runs cannot predict" in announced
    assert announced.splitlines()[2:] == ["runs/earlier"]
    assert run(home, *clear).splitlines()[1:] == announced.splitlines()[1:]
    assert "new.png" in run(home, "classify.predict", "runs/own", *predict[2:])
    cv2.imwrite(str(home / "new.png"), np.ones((40, 40, 3), np.uint8))
    refused = run_command(*predict, cwd=home)
    assert refused.returncode == 2
    assert "run python -m classify again" in refused.stderr


def test_the_embedder_calibrates_on_what_it_is_fitted_on(uncalibrated: Path) -> None:
    """And only on that: without a fit it refuses, instead of calibrating on what it is to embed."""
    home = uncalibrated
    paths = [str(path) for path in sorted((home / "data").rglob("*.png"))]
    settings = {"size": 32, "layer": LAYER, "pooling": "avg", "precision": "int8"}
    settings |= {"weights": str(home / "vgg16.npz"), "cache": home / "cache"}
    embedder = Embedder(**settings).fit(paths[:8])
    features = embedder.transform(paths)
    assert features.shape == (16, 256)
    records = (home / "cache" / "models").glob("vgg16-int8-*.json")
    (record,) = (path for path in records if "-batch-" not in path.name)
    digests = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths[:8]]
    assert json.loads(record.read_text())["images"].split() == sorted(digests)
    again = Embedder(**settings).fit(paths[:8]).transform(paths[3:4])
    np.testing.assert_array_equal(again, features[3:4])
    with pytest.raises(EngineError, match="call fit on the training images first"):
        Embedder(**settings).transform(paths)
    with pytest.raises(EngineError, match="call fit on the training images first"):
        embedder.set_params(size=40).transform(paths)
