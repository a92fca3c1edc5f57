"""Int8 from end to end: calibrated once, named by the recipe, and reused."""

from __future__ import annotations

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
from extract import Embedder
from extract.backbones.catalog import construct
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from tests.commands import python, run_command

LAYER = "block3_pool"
"""Half of VGG16: calibrating the whole takes longer, and shows no more here."""
ARGUMENTS = (
    *("--weights", "vgg16.npz", "--size", "32", "--preset", "fast", "--cache", "cache"),
    *("--layer", LAYER, "--pool", "avg"),
)

pytestmark = pytest.mark.slow


def draw(folder: Path, numbers: range) -> None:
    """Draw a reddish and a bluish picture for each number."""
    for label, channel in (("blue", 0), ("red", 2)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in numbers:
            picture = np.random.default_rng(i).integers(0, 60, (40, 40, 3)).astype(np.uint8)
            picture[:, :, channel] += 150
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


def test_adding_images_does_not_calibrate_again(home: Path) -> None:
    """Four more images give four more embeddings under the same recipe and model."""
    recipe = first_run(home)["recipe"]
    model = home / "cache" / "models" / f"{recipe['quantised']}.zip"
    made = model.stat().st_mtime_ns
    draw(home / "data", range(8, 10))
    second = json.loads(run(home, "extract", *ARGUMENTS, "--json"))
    assert (second["computed"], second["cached"]) == (4, 16)
    assert second["recipe"] == recipe
    assert model.stat().st_mtime_ns == made


def test_a_warm_run_needs_neither_tensorflow_nor_openvino(home: Path) -> None:
    """It reads only the record of the model and the embeddings."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras', 'openvino', 'nncf']))"
        f"; from extract.cli import main; sys.exit(main({[*ARGUMENTS, '--json']!r}))"
    )
    done = python("-c", code, cwd=home)
    assert json.loads(done.stdout)["cached"] == 16, done.stderr


def test_a_second_calibration_is_another_recipe(home: Path) -> None:
    """After the model is deleted, the next one has another name, and no rows are mixed up."""
    run(home, "cache", "clear", "--models", "--cache", "cache")
    draw(home / "data", range(8, 12))
    second = json.loads(run(home, "extract", *ARGUMENTS, "--json"))
    assert second["computed"] == 24
    assert second["recipe"]["quantised"] != first_run(home)["recipe"]["quantised"]
    assert len(Store(home / "cache").recipes()) == 2


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
    before = len(list((uncalibrated / "cache" / "models").glob("*.zip")))
    command = partial(python, "-m", "extract", *ARGUMENTS, "--json", cwd=uncalibrated)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(command) for _ in range(2)]
    done = [process.result() for process in both]
    assert [process.returncode for process in done] == [0, 0], done[0].stderr + done[1].stderr
    recipes = [json.loads(process.stdout)["recipe"] for process in done]
    assert recipes[0] == recipes[1]
    assert len(list((uncalibrated / "cache" / "models").glob("*.zip"))) == before + 1


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
    picture = str(home / "data" / "red" / "0.png")
    assert "red" in run(home, "classify.predict", "run", picture, "--cache", "cache")
    run(home, "cache", "clear", "--models", "--cache", "cache")
    cv2.imwrite(str(home / "new.png"), np.zeros((40, 40, 3), np.uint8))
    refused = run_command("classify.predict", "run", str(home / "new.png"), "--cache", "cache",
                          cwd=home)  # fmt: skip
    assert refused.returncode == 2
    assert "run python -m classify again" in refused.stderr


def test_the_embedder_calibrates_on_what_it_is_fitted_on(uncalibrated: Path) -> None:
    """A clone finds the same model and returns the same features."""
    home = uncalibrated
    paths = [str(path) for path in sorted((home / "data").rglob("*.png"))]
    settings = {"size": 32, "layer": LAYER, "pooling": "avg", "precision": "int8"}
    settings |= {"weights": str(home / "vgg16.npz"), "cache": home / "cache"}
    features = Embedder(**settings).fit(paths[:8]).transform(paths)
    assert features.shape == (16, 256)
    (record,) = (home / "cache" / "models").glob("vgg16-int8-*.json")
    assert json.loads(record.read_text())["calibrated_on"] == "8 images of yours"
    again = Embedder(**settings).transform(paths)
    np.testing.assert_array_equal(again, features)
