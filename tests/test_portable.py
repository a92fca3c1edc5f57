"""The whole job where Python lacks what Windows lacks: file locks of POSIX, forks, timers, limits.

`tests/portable/sitecustomize.py` takes them away in every process. What only Windows itself has
(its paths, its locks, its pipes) is not tested.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest

from extract.datasets.sources.shapes import CLASSES, draw_image
from tests.commands import ROOT, python

pytestmark = pytest.mark.slow

HIDING = Path(__file__).parent / "portable"
BASE = (
    "--backbone", "mobilenet:alpha=0.25", "--size", "32", "--engine", "tensorflow",
    "--weights", str(ROOT / "tests/data/earlier-run/mobilenet.weights.h5"),
)  # fmt: skip


def command(*arguments: str, cwd: Path) -> str:
    """Run a command without POSIX's modules; return what it printed."""
    done = python(
        "-m",
        *arguments,
        cwd=cwd,
        PYTHONPATH=os.pathsep.join(map(str, (HIDING, ROOT))),
        FROZEN_FEATURES_CACHE=str(cwd / "cache"),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_whole_job_without_posix(tmp_path: Path) -> None:
    """Extract, compare, predict, report and look after the cache."""
    for index in range(60):
        path = tmp_path / "data" / CLASSES[index % 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw_image("train", index))
    (tmp_path / "data" / CLASSES[0] / "broken.jpg").write_bytes(b"no image")

    hidden = python(
        "-c", "import fcntl", cwd=tmp_path, PYTHONPATH=os.pathsep.join(map(str, (HIDING, ROOT)))
    )
    assert "import of fcntl halted" in hidden.stderr

    job = ("--data", "data", *BASE, "--json")
    extracted = json.loads(command("extract", *job, cwd=tmp_path))
    assert extracted["computed"] == 60
    command("classify", *job, "--clf", "svm,logreg", "--audit", "--out", "run", cwd=tmp_path)
    assert json.loads(command("extract", *job, cwd=tmp_path))["computed"] == 0
    predicted = command("classify.predict", "run", f"data/{CLASSES[1]}", cwd=tmp_path)
    assert predicted.count(CLASSES[1]) >= 20
    (tmp_path / "run/report.html").unlink()
    command("reports", "run", cwd=tmp_path)
    assert (tmp_path / "run/report.html").is_file()
    command("cache", "verify", cwd=tmp_path)
    command("cache", "prune", "--max-size", "0", cwd=tmp_path)
    assert not list((tmp_path / "cache/shards").glob("*.npy"))
