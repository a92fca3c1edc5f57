"""The notebook in docs/ is executed in a real kernel, and its outputs are checked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from extract.datasets.sources.shapes import class_of, draw_image, encode_jpeg

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
WEIGHTS = ROOT / "tests" / "data" / "earlier-run" / "mobilenet.weights.h5"
EMBEDDER = 'Embedder("vgg16", progress=True)'
SMALL = f'Embedder("mobilenet:alpha=0.25", size=64, weights={str(WEIGHTS)!r}, progress=True)'
DATA = 'load_dataset("shapes")'
FEW = 'load_dataset("few-shapes")'
N_IMAGES = {"train": 60, "test": 36}
"""A small network with random weights, and a tenth of the shapes: the notebook's take minutes."""


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def lines_of(cell: dict[str, Any]) -> list[str]:
    return [line for line in "".join(cell["source"]).splitlines() if line]


def shown(cell: dict[str, Any], kind: str = "text/html") -> str:
    """Return what a cell shows, in one format."""
    formats = [output.get("data", {}) for output in cell["outputs"]]
    return "\n".join("".join(data.get(kind, "")) for data in formats)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Execute the notebook on little; return its code cells by their last lines."""
    home = tmp_path_factory.mktemp("notebook")
    for split, n_images in N_IMAGES.items():
        for index in range(n_images):
            path = home / "few-shapes" / split / class_of(index) / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_jpeg(draw_image(split, index)))
    text = NOTEBOOK.read_text(encoding="utf-8")
    for own, small in ((EMBEDDER, SMALL), (DATA, FEW)):
        source = json.dumps(own)[1:-1]
        assert text.count(source) == 1
        text = text.replace(source, json.dumps(small)[1:-1])
    (home / "notebook.ipynb").write_text(text)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace",
               "notebook.ipynb"]  # fmt: skip
    environment = {**os.environ, "FROZEN_FEATURES_CACHE": str(home / "cache")}
    environment |= {name: str(home / name) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    notebook = json.loads((home / "notebook.ipynb").read_text(encoding="utf-8"))
    return {lines_of(cell)[-1]: cell for cell in code_cells(notebook)}


def test_the_whole_job_takes_fewer_than_ten_lines() -> None:
    """Imports apart, the notebook has at most nine lines of code."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    lines = [line for cell in code_cells(notebook) for line in lines_of(cell)]
    assert len([line for line in lines if not line.startswith(("import ", "from "))]) < 10


def test_the_notebook_names_no_folder_of_a_machine() -> None:
    """Neither its source nor its outputs hold an absolute path."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.>])/(home|root|tmp|work|Users|var)/", text)


@pytest.mark.slow
def test_a_run_shows_its_answer_and_its_table(executed: dict[str, dict[str, Any]]) -> None:
    """The line `run` shows a sentence and the accuracies of both classifiers."""
    page = shown(executed["run"])
    for words in (f"of {N_IMAGES['test']} test images", "Logistic regression", "SVM", "<table"):
        assert words in page, words


@pytest.mark.slow
def test_progress_bars_are_shown(
    executed: dict[str, dict[str, Any]],
) -> None:
    """`compare` and `audit` show the full bars of an embedder with `progress=True`."""
    for line in ("run", "audit(data, embed).suspects"):
        assert re.search(r'<progress value="(\d+)" max="\1">', shown(executed[line])), line


@pytest.mark.slow
def test_results_are_a_table_of_accuracies(executed: dict[str, dict[str, Any]]) -> None:
    """A row for each classifier, with its interval."""
    table = shown(executed["run.results"])
    assert table.count("<tr") == 3
    for words in ("accuracy", "accuracy_low", "logreg", "svm"):
        assert words in table, words


@pytest.mark.slow
def test_suspects_and_predictions_are_shown(executed: dict[str, dict[str, Any]]) -> None:
    """The audit lists labels as a table, and the model names a class of each picture."""
    assert "<table" in shown(executed["audit(data, embed).suspects"])
    predicted = shown(executed["model.predict(data.test.paths[:5])"], "text/plain")
    assert len(re.findall(r"cross|disc|hexagon|square|star|triangle", predicted)) == 5


@pytest.mark.slow
def test_nothing_that_is_shown_is_loaded_from_elsewhere(
    executed: dict[str, dict[str, Any]],
) -> None:
    """Outputs hold no address, script or style sheet of another machine."""
    for cell in executed.values():
        assert not re.search(
            r"""(src|href)=["']?(https?:)?//|url\(["']?http|@import""", shown(cell)
        )
