"""The commands on pictures at addresses of a web server of this machine."""

from __future__ import annotations

import http.server
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from extract.backbones.catalog import construct
from tests.classify.test_cli import draw
from tests.commands import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

ARGUMENTS = ("--weights", "vgg16.npz", "--size", "48", "--cache", "cache")


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def log_request(self, *_: Any) -> None:
        self.asked.append(self.path)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with weights in a file."""
    home = tmp_path_factory.mktemp("home")
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    return home


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Serve two classes of 20 pictures; yield their address, and what has been asked for."""
    folder = tmp_path_factory.mktemp("web")
    for k, label in enumerate(("bright", "dark")):
        for i in range(20):
            draw(folder / "pictures" / label / f"{i}.png", label, 100 * k + i)
    handler = type("Noting", (Handler,), {"asked": []})
    make = partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/pictures/", handler.asked
        server.shutdown()


def test_a_run_on_an_address_shows_its_pictures(home: Path, web: tuple[str, list[str]]) -> None:
    """Nothing is copied; the report holds thumbnails, and is made again without asking anybody."""
    address, asked = web
    arguments = ("classify", "--data", address, *ARGUMENTS, "--clf", "svm,cnn", "--audit")
    done = run_command(*arguments, "--out", "run", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pictures: trained on ")
    run = json.loads((home / "run" / "run.json").read_text())
    assert run["data"]["root"] == address
    assert run["data"]["classes"] == ["bright", "dark"]
    tested = sum(run["data"]["test_counts"])
    listed = (home / "run" / "predictions.csv").read_text()
    assert "bright/" in listed
    assert "http" not in listed
    page = (home / "run" / "report.html").read_text()
    assert page.count("/9j/") >= tested  # how a JPEG begins in Base64
    assert not list((home / "cache").rglob("*.png"))
    asked.clear()
    again = run_command("reports", "run", cwd=home)
    assert again.returncode == 0, again.stderr
    assert "fetched only by classify" in again.stderr
    assert (home / "run" / "report.html").read_text() == page
    (home / "run" / "report.html").unlink()
    assert run_command("reports", "run", cwd=home).returncode == 0
    assert "/9j/" not in (home / "run" / "report.html").read_text()
    assert asked == []


def test_a_picture_at_an_address_is_classified(home: Path, web: tuple[str, list[str]]) -> None:
    """Beside one that is not there, which is told."""
    address, _ = web
    run = run_command(
        "classify", "--data", address, *ARGUMENTS, "--clf", "centroid", "--out", "one",
        cwd=home,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    done = run_command(
        "classify.predict", "one", f"{address}dark/3.png", f"{address}dark/none.png",
        "--cache", "cache", cwd=home,
    )  # fmt: skip
    assert f"{address}dark/3.png" in done.stdout
    assert "there is no such file" in done.stdout
    assert "Traceback" not in done.stderr


def test_pictures_at_an_address_are_fetched_into_folders(
    home: Path, web: tuple[str, list[str]]
) -> None:
    """Once; without `--copy`, the error names it, and nothing is fetched."""
    address, _ = web
    names = ("dark/3.png", "bright/3.png", "dark/4.png", "dark/none.png")
    images = [f"{address}{name}" for name in names]
    arguments = ("classify.predict", "copied", *images, "--cache", "cache")
    run = run_command(
        "classify", "--data", address, *ARGUMENTS, "--clf", "centroid", "--out", "copied",
        cwd=home,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    refused = run_command(*arguments, "--sort-into", "fetched", cwd=home)
    assert refused.returncode == 2
    assert "what is there cannot be linked; copy the images, which fetches them" in refused.stderr
    assert "(--copy)" in refused.stderr
    for _ in range(2):
        done = run_command(*arguments, "--sort-into", "fetched", "--copy", cwd=home)
        assert done.returncode == 0, done.stderr
        found = sorted(path.name for path in (home / "fetched").rglob("*.png"))
        assert found in (["3 (2).png", "3.png", "4.png"], ["3.png", "3.png", "4.png"])
        assert "1 image not sorted: not to be fetched" in done.stdout
    assert "3 images had been sorted before" in done.stdout
    assert run_command("classify.predict", "--undo", "fetched", cwd=home).returncode == 0
    assert not (home / "fetched").exists()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:1/pictures/", "cannot be listed"),
        ("s3://bucket/pictures", "pip install"),
        ("file:///etc", "expected one of s3"),
    ],
)
def test_an_address_that_does_not_work_is_one_line(home: Path, address: str, words: str) -> None:
    """With status 2."""
    done = run_command("classify", "--data", address, *ARGUMENTS, cwd=home)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    asked = run_command("classify.predict", "one", address, cwd=home)
    assert asked.returncode == 2 or "cannot be used" in asked.stdout
    assert "Traceback" not in asked.stderr
