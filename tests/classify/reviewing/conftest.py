"""A run of drawn shapes with planted wrong labels, to review."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from extract.datasets.sources.shapes import CLASSES, draw_image
from tests.commands import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator

EARLIER = Path(__file__).parents[2] / "data" / "earlier-run"
BASE = (
    "--backbone", "mobilenet:alpha=0.25", "--size", "64", "--pool", "avg",
    "--weights", "mobilenet.weights.h5", "--cache", "cache",
)  # fmt: skip
"""Small weights that the repository has."""
SHAPES = CLASSES[:3]
N_TRAIN, N_TEST, N_WRONG = 90, 60, 24


@pytest.fixture(scope="session")
def shapes_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an audited run `run`; a few training and test labels are wrong."""
    home = tmp_path_factory.mktemp("review")
    shutil.copy(EARLIER / "mobilenet.weights.h5", home)
    for split, n_images in (("train", N_TRAIN), ("test", N_TEST)):
        for i in range(n_images):
            shape = CLASSES.index(SHAPES[i % 3])
            label = SHAPES[(i + 1) % 3] if i < N_WRONG and split == "train" else SHAPES[i % 3]
            if split == "test" and i < 3:
                label = SHAPES[(i + 1) % 3]
            path = home / "pictures" / split / label / f"{SHAPES[i % 3]}-{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = draw_image(split, shape + len(CLASSES) * (i // 3))
            cv2.imwrite(str(path), image[:, :, ::-1])
            os.utime(path, (1e9, 1e9))
    done = run_command(
        "classify", "--data", "pictures", *BASE, "--clf", "logreg,centroid", "--audit",
        "--out", "run", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(shapes_home: Path, tmp_path: Path) -> Path:
    """Return a copy of it, whose files a test may change."""
    return copied(shapes_home, tmp_path / "home")


def copied(home: Path, target: Path) -> Path:
    """Copy the folder of a run and its images, whose place the run then knows."""
    shutil.copytree(home, target)
    record = target / "run" / "run.json"
    record.write_text(record.read_text().replace(f'"{home}/', f'"{target}/'))
    return target


@pytest.fixture(scope="session")
def truth(shapes_home: Path) -> dict[str, str]:
    """Return the shape that each image shows, which its name says."""
    with (shapes_home / "run" / "pictures.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    return {path: Path(path).name.partition("-")[0] for path in paths}


@contextlib.contextmanager
def serving(home: Path, *arguments: str, run: str = "run", said: str = "") -> Iterator[str]:
    """Serve the review of a run in a process of its own, yield its address, and end it.

    Its messages contain `said`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "classify.review", run, "--cache", "cache", *arguments],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().rstrip("/")
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 130, complaints
    assert "Traceback" not in complaints
    assert said in complaints


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    """Serve the review of the run in `home`."""
    with serving(home) as found:
        yield found


@pytest.fixture(scope="module")
def served(
    shapes_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Serve a copy of the run once for the tests of a module; its folder and address."""
    home = copied(shapes_home, tmp_path_factory.mktemp("served") / "home")
    with serving(home) as address:
        yield home, address
