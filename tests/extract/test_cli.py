"""`python -m extract` from end to end: a real network, small pictures, real processes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from tests.commands import python, run_command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of two classes in data/, random VGG16 weights in a file, an empty cache."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label, channel in (("blue", 0), ("red", 2)):
        (home / "data" / label).mkdir(parents=True)
        for i in range(6):
            picture = rng.integers(0, 60, (40, 40, 3)).astype(np.uint8)
            picture[:, :, channel] += 150
            cv2.imwrite(str(home / "data" / label / f"{i}.png"), picture)
    np.savez(home / "vgg16.npz", *construct("vgg16", 32).get_weights())
    return home


ARGUMENTS = ("--weights", "vgg16.npz", "--size", "32", "--cache", "cache")


@pytest.mark.slow
def test_cold_then_warm_then_ten_more(home: Path) -> None:
    """First all, then nothing and without TensorFlow, then only new images are computed."""
    cold = python("-m", "extract", *ARGUMENTS, "--json", cwd=home)
    assert cold.returncode == 0, cold.stderr
    summary = json.loads(cold.stdout)
    assert (summary["images"], summary["computed"], summary["cached"]) == (12, 12, 0)
    assert summary["recipe"]["backbone"] == "vgg16"
    assert summary["recipe"]["weights_source"] == "vgg16.npz"
    assert summary["layout"] == "class-folders"
    assert sum(n for splits in summary["classes"].values() for n in splits.values()) == 12
    assert summary["passed_over"] == {}

    code = (
        "import sys; from extract.cli import main; status = main(sys.argv[1:]); "
        "heavy = {'tensorflow', 'keras', 'sklearn', 'cv2'} & set(sys.modules); "
        "sys.exit(status or f'imported {heavy}' if heavy else status)"
    )
    warm = python("-c", code, *ARGUMENTS, "--json", cwd=home)
    assert warm.returncode == 0, warm.stderr
    assert json.loads(warm.stdout)["computed"] == 0
    assert json.loads(warm.stdout)["cached"] == 12

    rng = np.random.default_rng(1)
    for i in range(10):
        picture = rng.integers(0, 255, (40, 40, 3)).astype(np.uint8)
        cv2.imwrite(str(home / "data" / "red" / f"new{i}.png"), picture)
    for name in ("=cmd()", "a", "b", "c", "d", "e", "f"):
        (home / "data" / "red" / f"{name}.jpg").write_text(f"no image {name.replace('f', 'a')}")
    more = run_command("extract", *ARGUMENTS, cwd=home)
    assert more.returncode == 0, more.stderr
    assert "embeddings: 10 computed, 12 from the cache" in more.stdout
    assert "not used: 7 files, listed in" in more.stdout
    assert more.stdout.count("red/") == more.stdout.count(".jpg': not an image") == 5
    assert "and 2 more; quarantine.csv lists them" in more.stdout
    assert "Traceback" not in more.stderr
    (listed,) = (home / "cache" / "quarantine").rglob("quarantine.csv")
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["path"].rpartition("/")[2] for row in rows]
    assert names == [f"{name}.jpg" for name in ("=cmd()", "a", "b", "c", "d", "e", "f")]
    assert [row["reason"].split(",")[0] for row in rows] == ["not an image"] * 7


@pytest.fixture
def microscope(tmp_path: Path) -> Path:
    """Pictures of 12 bits in two classes, one of which is of one colour."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(5):
            picture = rng.integers(0, 4096, (40, 40)).astype(np.uint16)
            cv2.imwrite(str(tmp_path / "data" / label / f"{i}.tiff"), picture)
    cv2.imwrite(str(tmp_path / "data" / "b" / "0.tiff"), np.full((40, 40), 900, np.uint16))
    return tmp_path


@pytest.mark.slow
def test_what_is_odd_about_pixels_is_said_cold_and_warm(home: Path, microscope: Path) -> None:
    """The second time, nothing is decoded, and OpenCV is not even imported."""
    arguments = ("--weights", str(home / "vgg16.npz"), "--size", "32", "--cache", "cache")
    code = (
        "import sys; from extract.cli import main; status = main(sys.argv[1:]); "
        "sys.exit(status or ('cv2' in sys.modules))"
    )
    cold = run_command("extract", *arguments, cwd=microscope)
    warm = python("-c", code, *arguments, cwd=microscope)
    for done in (cold, warm):
        assert done.returncode == 0, done.stderr
        assert "10 images have more than 8 bits, scaled as decided over the tr" in done.stderr
        assert "12 bits are in use, so 4,095 is white" in done.stderr
        assert "1 image has one colour only: nothing can be seen (b/0.tiff)" in done.stderr
    earlier = run_command("extract", *arguments, "--resize", "lanczos", cwd=microscope)
    assert "10 images have more than 8 bits, of which the resizing 'lanczos'" in earlier.stderr


@pytest.mark.slow
def test_a_class_without_a_usable_image_stops_the_run(home: Path, tmp_path: Path) -> None:
    """Status 2 and one line with the class and the reason."""
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "data" / label / f"{i}.jpg").write_text("no image")
    done = run_command(
        "extract",
        "--weights",
        str(home / "vgg16.npz"),
        "--cache",
        str(tmp_path / "c"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "no usable image in class 'a'" in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "absent"], "error:"),
        (["--backbone", "vgg17"], "there is no backbone called 'vgg17'"),
        (["--size", "0"], "expected a positive integer"),
        (["--size", "31"], "accepts images of 32 to 4096"),
        (["--weights", "absent.h5"], "absent.h5"),
        (["--test-size", "1.5"], "expected a share between 0 and 1"),
        (["--seed", "-1"], "expected an integer from 0"),
        (["--pool", "mean"], "invalid choice: 'mean'"),
        (["--back", "vgg16"], "unrecognized arguments"),
        (["pictures"], "unrecognized arguments: pictures: put the name of an option before it"),
    ],
)
def test_a_users_mistake_is_one_clear_error(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Status 2 and one sentence, no traceback."""
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "1.jpg").write_text("no image")
    weights = [] if "--weights" in arguments else ["--weights", "absent.h5"]
    done = run_command("extract", *weights, *arguments, "--cache", "cache", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(message, done.stderr), done.stderr


@pytest.mark.slow
def test_a_picture_in_two_classes_is_mentioned(home: Path, tmp_path: Path) -> None:
    """No classifier can be right about both; a copy within one class is not counted."""
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(3):
            picture = np.random.default_rng(i + 5 * (name == "b" and i > 0)).integers(
                0, 255, (9, 9, 3)
            )
            cv2.imwrite(str(tmp_path / "data" / name / f"{i}.png"), picture.astype(np.uint8))
    shutil.copy(tmp_path / "data" / "b" / "1.png", tmp_path / "data" / "b" / "copy.png")
    weights = ("--weights", str(home / "vgg16.npz"), "--size", "32", "--cache", "cache")
    done = run_command("extract", *weights, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 image is in more than one class" in done.stderr
    (remark,) = json.loads(done.stdout)["remarks"]
    assert "a/0.png and b/0.png, which are the same file" in remark


@pytest.mark.slow
def test_a_test_split_that_repeats_the_training_split_is_mentioned(
    home: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data/train" / name).mkdir(parents=True)
        for i in range(2):
            picture = rng.integers(0, 255, (9, 9, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f"data/train/{name}/{i}.png"), picture)
    shutil.copytree(tmp_path / "data/train", tmp_path / "data/test")
    weights = ("--weights", str(home / "vgg16.npz"), "--size", "32", "--cache", "cache")
    done = run_command("extract", *weights, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 test images are the same file as a training image" in done.stderr
    assert "4 of 4 test images" in json.loads(done.stdout)["remarks"][0]
