"""The code blocks of README and the tutorial, run in their order on a small real data set."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from extract.backbones.catalog import find
from extract.backbones.weights import TORCHVISION_VGG16, resolve
from extract.datasets.shapes import CLASSES, draw_image

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALLING = (
    "make demo",
    ". .venv/bin/activate",
    "pip install .",
    "pip install '.[fast]'",
    "pip install '.[serve]'",
    "pip install '.[dask]'",
    "pip install '.[remote]'",
)


def blocks_of(document: str) -> list[tuple[str, str]]:
    """Return language and text of every block that can be run."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^```(sh|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a working directory with three folders of pictures, and a cache with the weights."""
    home = tmp_path_factory.mktemp("home")
    for split, folder, names in (
        ("train", "data", CLASSES),
        ("test", "my-pictures", ("cats", "dogs", *CLASSES[2:])),
    ):
        for index in range(48):
            label = names[index % len(CLASSES)]
            path = home / folder / label / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), draw_image(split, index)[:, :, ::-1])
    shutil.copytree(home / "data" / CLASSES[0], home / "new-pictures")
    cache = home / "cache"
    (cache / "weights").mkdir(parents=True)
    weights = resolve("torchvision", "vgg16", cache=cache)
    assert weights.identity == TORCHVISION_VGG16
    return home


def environment(home: Path) -> dict[str, str]:
    """Return that of a user whose cache is ours, and whose `python` is this one."""
    return {
        **os.environ,
        "FROZEN_FEATURES_CACHE": str(home / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(home: Path, *command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def served(home: Path, line: str, cwd: Path) -> Iterator[str]:
    """Start README's server, and yield the address that it prints."""
    server = subprocess.Popen(
        shlex.split(line), cwd=cwd, env=environment(home), stdout=subprocess.PIPE, text=True
    )
    try:
        yield server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_readme_has_the_blocks_that_are_run_here() -> None:
    """The two commands of the project come first, and there is a Python block."""
    blocks = blocks_of("README.md")
    assert blocks[0] == ("sh", "python -m extract\npython -m classify --clf svm\n")
    assert [kind for kind, _ in blocks].count("python") == 1
    assert find("vgg16").name in README


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine, and yield the address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def run_blocks(home: Path, document: str, cwd: Path) -> None:
    for kind, block in blocks_of(document):
        if kind == "python":
            assert "nan" not in run(home, sys.executable, "-c", block, cwd=cwd)
            continue
        for line in block.splitlines():
            if line in INSTALLING or line.startswith(("python -m classify.serve", "curl")):
                continue  # the server and what asks it have a test of their own
            if line.startswith("python -m reports") and "another-run" in line:
                shutil.copytree(cwd / "my-run", cwd / "another-run")
            with web(cwd) as address:
                words = shlex.split(line.replace("https://host/", address))
                out = run(home, *words, cwd=cwd)
            if line.startswith("python -m classify.predict") and "--csv" not in line:
                assert len(out.splitlines()) == len(list((home / "new-pictures").iterdir()))


@pytest.mark.slow
def test_every_block_of_the_tutorial_runs(home: Path, tmp_path: Path) -> None:
    """From a folder of pictures to a corrected data set and a saved model."""
    shutil.copytree(home / "my-pictures", tmp_path / "my-pictures")
    run_blocks(home, "docs/tutorial.md", tmp_path)
    assert (tmp_path / "corrected" / "logreg.skops").exists()
    assert (tmp_path / "answers.csv").exists()


@pytest.mark.slow
def test_every_block_runs(home: Path) -> None:
    """Each command leaves with status 0, in README's order, in one working directory."""
    run_blocks(home, "README.md", home)
    assert (home / "my-run" / "report.html").exists()
    assert (home / "answers.csv").exists()


@pytest.mark.slow
def test_the_server_of_readme_answers_its_curl(home: Path, tmp_path: Path) -> None:
    """On the run that README makes, with the line that README gives, at the port it prints."""
    lines = [line for _, block in blocks_of("README.md") for line in block.splitlines()]
    (serve,) = (line for line in lines if line.startswith("python -m classify.serve"))
    (curl,) = (line for line in lines if line.startswith("curl"))
    run(home, *shlex.split("python -m classify --data my-pictures --clf logreg --out served"),
        cwd=home)  # fmt: skip
    shutil.copy(next((home / "new-pictures").iterdir()), tmp_path / "photograph.jpg")
    with served(home, serve.replace("my-run", "served"), home) as address:
        line = curl.replace("http://127.0.0.1:8000/", address)
        assert line != curl
        answer = json.loads(run(home, *shlex.split(line), "--silent", cwd=tmp_path))
    assert answer["label"] in ("cats", "dogs", *CLASSES[2:])


def test_the_installing_commands_are_real() -> None:
    """`make demo` is a target that runs both commands; the folder is one that pip can install."""
    done = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-m extract --data shapes" in done.stdout
    assert "-m classify --data shapes --clf all" in done.stdout
    assert (ROOT / "pyproject.toml").is_file()
