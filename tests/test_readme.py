"""The code blocks of README and of the pages in docs/ run, in order, on a small real data set."""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
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
from unittest import mock

import cv2
import pytest
import requests

from extract.backbones.weights import TORCHVISION_VGG16, resolve
from extract.datasets.sources.shapes import CLASSES, draw_image
from tests.commands import run_command, run_program

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
NOT_RUN = ("make ", ". .venv/bin/activate", "pip install ")
"""Commands that set up the environment, which the tests have already."""
SERVER = ("python -m classify.serve", "curl ")
"""The server does not end by itself; it and its client have a test of their own."""

LABELS = ("cats", "dogs", CLASSES[2])
"""What `my-pictures` holds nine pictures of each, so that one in twenty can be refused. The pages
name the first two."""


def blocks_of(document: Path) -> list[tuple[str, str]]:
    """Return language and text of every block that can be run.

    Those that export networks from PyTorch, which the tests do without, cannot.
    """
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "torch.onnx.export" not in block[1]]


PAGES = sorted(page.stem for page in (ROOT / "docs").glob("*.md") if blocks_of(page))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with folders of pictures, and a cache with the weights."""
    home = tmp_path_factory.mktemp("home")
    for split, folder, names, number in (
        ("train", "data", CLASSES[:2], 5),
        ("test", "my-pictures", LABELS, 9),
    ):
        for index in range(number * len(CLASSES)):
            shape = index % len(CLASSES)
            if shape < len(names):
                path = home / folder / names[shape] / f"{index}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), draw_image(split, index)[:, :, ::-1])
    shutil.copytree(home / "data" / CLASSES[0], home / "new-pictures")
    shutil.copy(next((home / "new-pictures").iterdir()), home / "new.jpg")
    cache = home / "cache"
    (cache / "weights").mkdir(parents=True)
    weights = resolve("torchvision", "vgg16", cache=cache)
    assert weights.identity == TORCHVISION_VGG16
    return home


@pytest.fixture(scope="module")
def after_readme(home: Path) -> Path:
    """Return the working directory after README's blocks have run in it."""
    run_blocks(ROOT / "README.md", home)
    return home


@pytest.fixture
def folder(after_readme: Path, tmp_path: Path) -> Path:
    """Return a copy of that directory for one page, its cache included."""
    folder, weights = tmp_path / "home", Path("cache", "weights")
    ignored = shutil.ignore_patterns("leases", "weights")
    shutil.copytree(after_readme, folder, ignore=ignored)
    shutil.copytree(after_readme / weights, folder / weights, copy_function=os.link)
    return folder


def environment(cwd: Path) -> dict[str, str]:
    """Return the environment of a user whose cache is in `cwd`, and whose `python` is this one."""
    return {
        **os.environ,
        "FROZEN_FEATURES_CACHE": str(cwd / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(*command: str, cwd: Path) -> str:
    """Run a command, which must succeed; return its standard output.

    Our commands and Python programs run in this process, which has imported TensorFlow already.
    """
    with mock.patch.dict(os.environ, environment(cwd)):
        match command:
            case "python", "-m", module, *arguments:
                done = run_command(module, *arguments, cwd=cwd)
            case "python", "-c", program:
                done = run_program(program, cwd=cwd)
            case _:
                done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def run_blocks(document: Path, cwd: Path) -> None:
    """Run every block of a page in its order; all of them must succeed.

    Consecutive blocks of Python are one script.
    """
    for language, blocks in itertools.groupby(blocks_of(document), key=lambda block: block[0]):
        code = "\n".join(text for _, text in blocks)
        if language == "python":
            run("python", "-c", code, cwd=cwd)
            continue
        for line in code.splitlines():
            if line and not line.startswith((*NOT_RUN, *SERVER)):
                run_line(line, cwd)


def run_line(line: str, cwd: Path) -> None:
    """Run one line of a shell block."""
    if line.startswith("python -m classify.review"):
        with serving(line, cwd) as address:
            keep_first(address)
        return
    if "another-run" in line:
        shutil.copytree(cwd / "my-run", cwd / "another-run")
    with web(cwd) as address:
        output = run(*shlex.split(line.replace("https://host/", address)), cwd=cwd)
    if line.startswith("python -m classify.predict") and not re.search("--(csv|sort|undo)", line):
        assert len(output.splitlines()) == len(list((cwd / "new-pictures").iterdir()))


def keep_first(address: str) -> None:
    """Decide on the page of a review that the first two labels are right."""
    for number in range(2):
        url = f"{address}api/queue/{number}/decision"
        requests.post(url, json={"decision": "keep"}, timeout=60).raise_for_status()


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost, and yield its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def serving(line: str, cwd: Path) -> Iterator[str]:
    """Start the server of the documentation, and yield the address that it prints."""
    server = subprocess.Popen(
        shlex.split(line), cwd=cwd, env=environment(cwd), stdout=subprocess.PIPE, text=True
    )
    try:
        yield server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_readme_begins_with_the_two_commands_and_is_short() -> None:
    """The two commands come first, a notebook example is there, and all fits in 200 lines."""
    blocks = blocks_of(ROOT / "README.md")
    assert blocks[0] == ("sh", "python -m extract\npython -m classify --clf svm\n")
    (example,) = (text for language, text in blocks if language == "python")
    assert len([line for line in example.splitlines() if line]) < 10
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.slow
def test_every_block_of_readme_runs(after_readme: Path) -> None:
    """The commands leave a run with a report behind."""
    assert (after_readme / "my-run" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page: str, folder: Path) -> None:
    """Every command and every Python block works where README has been followed before."""
    run_blocks(ROOT / "docs" / f"{page}.md", folder)
    if page == "review":
        decisions = (folder / "doubted" / "corrections.csv").read_text().splitlines()
        assert [line.split(",")[2] for line in decisions[1:]] == ["keep", "keep"]
        assert (folder / "mended" / "report.html").exists()
    if page == "tutorial":
        assert (folder / "corrected" / "logreg.skops").exists()
        assert (folder / "answers.csv").exists()


@pytest.mark.slow
def test_the_documented_server_answers_the_documented_request(folder: Path) -> None:
    """The server's command and the curl line of the page fit together."""
    blocks = blocks_of(ROOT / "docs" / "serving.md")
    lines = [line for _, block in blocks for line in block.splitlines()]
    (serve,) = (line for line in lines if line.startswith("python -m classify.serve"))
    (curl,) = (line for line in lines if line.startswith("curl"))
    shutil.copy(folder / "new.jpg", folder / "photograph.jpg")
    with serving(serve, folder) as address:
        line = curl.replace("http://127.0.0.1:8000/", address)
        assert line != curl
        answer = json.loads(run(*shlex.split(line), "--silent", cwd=folder))
    assert answer["label"] in LABELS
