"""A real run on drawn shapes, its report, its server, and a browser to open them in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from chromium import CHROMIUM, DESK, opened

from extract.backbones.catalog import construct
from extract.datasets.sources.shapes import CLASSES, draw_image
from tests.commands import run_command
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Iterator


HOSTILE_CLASSES = (
    b"<img src=x onerror=alert(1)>",
    b'"><script>alert(2)<',
    b"caf\xe9 \xe2\x80\xae=x",
)
"""The last one is not UTF-8, and reverses the writing direction."""


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of three classifiers on drawn shapes, embedded with random weights."""
    home = tmp_path_factory.mktemp("home")
    for split, n_images in (("train", 60), ("test", 60)):
        for index in range(n_images):
            label = CLASSES[index % len(CLASSES)]
            path = home / "pictures" / split / label / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), draw_image(split, index)[:, :, ::-1])
    import_keras().utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    done = run_command(
        "classify", "--data", "pictures", "--weights", "vgg16.npz", "--size", "48",
        "--cache", "cache", "--clf", "svm,nearest,centroid", "--audit", "--learning-curve",
        "--out", "run", cwd=home,
    )  # fmt: skip
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
    """Open the report in a window of desktop size."""
    yield from opened(browser, report.as_uri(), DESK, "light")


def serving(home: Path, run: str, *arguments: str, module: str = "classify.serve") -> Iterator[str]:
    """Serve a run on a free port, yield its address, and end the server by Ctrl-C."""
    command = [sys.executable, "-m", module, run, "--cache", "cache", *arguments]
    server = subprocess.Popen(
        command,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell that runs the tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    address = server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    yield address.rstrip("/")
    server.send_signal(signal.SIGINT)
    _, complaints = server.communicate(timeout=30)
    assert server.returncode == 130, complaints
    assert "Traceback" not in complaints


@pytest.fixture(scope="session")
def server(report: Path) -> Iterator[str]:
    """Serve the run."""
    yield from serving(report.parents[1], "run")


@pytest.fixture(scope="session")
def hostile(report: Path) -> Path:
    """Return the report of a run whose classes and files have hostile names."""
    home = report.parents[1]
    for split, n_images in (("train", 10), ("test", 4)):
        for label in HOSTILE_CLASSES:
            folder = Path(os.fsdecode(os.fsencode(home / "hostile" / split) + b"/" + label))
            folder.mkdir(parents=True)
            for index in range(n_images):
                path = folder / f"{index}<b onclick=alert(1)>&.png"
                _, encoded = cv2.imencode(".png", draw_image(split, len(label) + index)[:, :, ::-1])
                path.write_bytes(encoded.tobytes())
    done = run_command(
        "classify", "--data", "hostile", "--weights", "vgg16.npz", "--size", "48",
        "--cache", "cache", "--clf", "centroid", "--audit", "--out", "hostile-out/run", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home / "hostile-out" / "run" / "report.html"


@pytest.fixture(scope="session")
def hostile_server(hostile: Path) -> Iterator[str]:
    """Serve that run."""
    yield from serving(hostile.parents[2], "hostile-out/run")
