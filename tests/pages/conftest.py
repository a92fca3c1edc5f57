"""A real run on drawn shapes, its report, its server, and a browser to open them in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from chromium import CHROMIUM, DESK, opened

from extract.backbone import construct
from extract.quietly import import_keras
from extract.shapes import CLASSES, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classifiers on embeddings of drawn shapes by a network of random weights."""
    home = tmp_path_factory.mktemp("home")
    for split, n_images in (("train", 60), ("test", 60)):
        for index in range(n_images):
            label = CLASSES[index % len(CLASSES)]
            path = home / "pictures" / split / label / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture(split, index)[:, :, ::-1])
    import_keras().utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    command = [sys.executable, "-m", "classify", "--data", "pictures", "--weights", "vgg16.npz",
               "--size", "48", "--cache", "cache", "--clf", "svm,nearest,centroid", "--audit",
               "--learning-curve", "--out", "run"]  # fmt: skip
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home / "run" / "report.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium once."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """Open the report at a desk."""
    yield from opened(browser, report.as_uri(), DESK, "light")


@pytest.fixture(scope="session")
def server(report: Path) -> Iterator[str]:
    """Serve the run on a free port, and end the server by Ctrl-C."""
    command = [sys.executable, "-m", "classify.serve", "run", "--cache", "cache"]
    server = subprocess.Popen(
        command,
        cwd=report.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    address = server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    yield address.rstrip("/")
    server.send_signal(signal.SIGINT)
    _, complaints = server.communicate(timeout=30)
    assert server.returncode == 130, complaints
    assert "Traceback" not in complaints
