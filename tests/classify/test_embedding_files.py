"""Embeddings out and in: what `extract --export` writes, and what `classify --embeddings` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
import pytest

from classify import load_model
from extract import Embedder, load_dataset
from extract.datasets.sources.shapes import CLASSES, draw_image
from tests.commands import ROOT, python, run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

WEIGHTS = str(ROOT / "tests/data/earlier-run/mobilenet.weights.h5")
BASE = (
    "--backbone", "mobilenet:alpha=0.25", "--size", "32", "--engine", "tensorflow",
    "--weights", WEIGHTS, "--pool", "none", "--cache", "cache",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety pictures of three shapes and a table of them, and a run on their embeddings."""
    home = tmp_path_factory.mktemp("home")
    lines = ["path,label,group,site"]
    for index in range(90):
        path = home / "data" / CLASSES[index % 3] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw_image("train", index))
        name, group = path.relative_to(home / "data"), f"g{index // 2}" if index % 7 else ""
        lines.append(f"{name},{CLASSES[index % 3]},{group},{'Bonn' if index % 2 else 'Jena'}")
    (home / "data" / "table.csv").write_text("\n".join(lines))
    done = run_command(
        "classify", "--data", "data/table.csv", *BASE, "--clf", "logreg,svm,nearest",
        "--out", "run", "--quiet", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home


def export(home: Path, name: str, *more: str) -> None:
    done = run_command(
        "extract", "--data", "data/table.csv", *BASE, "--export", name, *more, cwd=home
    )
    assert done.returncode == 0, done.stderr


def accuracies(home: Path, run: str) -> dict[str, float]:
    record = json.loads((home / run / "run.json").read_text())
    return {result["classifier"]: result["accuracy"] for result in record["results"]}


def test_a_warm_export_needs_neither_tensorflow_nor_scikit_learn(home: Path) -> None:
    """What is in the cache is written as it is."""
    code = (
        "import sys; from extract.cli import main; status = main(sys.argv[1:]); "
        "heavy = {'tensorflow', 'keras', 'sklearn', 'cv2'} & set(sys.modules); "
        "sys.exit(status or f'imported {heavy}' if heavy else status)"
    )
    done = python(
        "-c", code, "--data", "data/table.csv", *BASE, "--export", "warm.parquet", "--json",
        cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["export"] == {"file": "warm.parquet", "rows": 90}


def test_a_run_predicts_what_it_predicts_elsewhere(home: Path) -> None:
    """Its model is named, or the best one in validation; the answers are those of `predict`."""
    export(home, "predicted.parquet", "--run", "run", "--clf", "svm")
    frame = pd.read_parquet(home / "predicted.parquet")
    model = load_model(home / "run", "svm", cache=home / "cache")
    paths = [home / "data" / path for path in frame["path"]]
    assert frame["predicted"].tolist() == model.predict(paths).tolist()
    np.testing.assert_allclose(
        np.stack(frame["probabilities"]), model.predict_proba(paths), atol=1e-6
    )
    export(home, "best.npz", "--run", "run")
    with np.load(home / "best.npz") as found:
        about = json.loads(found["recipe"].tobytes())
    best = load_model(home / "run", cache=home / "cache").result.classifier
    assert about["model"] == {
        "run": "run", "classifier": best, "classes": sorted(CLASSES[:3]),
    }  # fmt: skip


def test_mistakes_are_found_before_anything_is_computed(home: Path) -> None:
    """Status 2 and one line that names the option."""
    (home / "there.csv").write_text("mine")
    for arguments, words in {
        ("--export", "there.csv"): ("there.csv exists", "(--force)"),
        ("--export", "e.xlsx"): (".parquet, .npz, .csv", "(--export)"),
        ("--export", "e.npz", "--run", "none"): ("none", ""),
        ("--export", "e.npz", "--run", "run", "--clf", "none"): ("svm", "(--clf)"),
        ("--export", "e.npz", "--clf", "svm"): ("expected the run", "(--run)"),
        ("--export", "e.npz", "--dry-run"): ("nothing is computed", "(--export)"),
        ("--run", "run"): ("none is to be written", "(--run)"),
        ("--export", "e.npz", "--backbone", "vgg16,xception"): ("one backbone", "(--export)"),
    }.items():
        done = run_command("extract", "--data", "nowhere", *BASE, *arguments, cwd=home)
        assert done.returncode == 2, arguments
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert all(word in line for word in words), line
    assert (home / "there.csv").read_text() == "mine"
    assert not (home / "e.npz").exists()


def test_a_frame_has_the_embeddings_of_the_file(home: Path) -> None:
    """In the same order, with the same predictions."""
    export(home, "frame.parquet", "--run", "run", "--clf", "logreg")
    written = pd.read_parquet(home / "frame.parquet")
    data = load_dataset(home / "data" / "table.csv", cache=home / "cache")
    embed = Embedder(
        "mobilenet:alpha=0.25", size=32, weights=WEIGHTS, pooling="none", cache=home / "cache"
    )
    frame = data.to_frame(embed, load_model(home / "run", "logreg", cache=home / "cache"))
    assert list(frame) == [
        *("path", "label", "split", "group", "predicted", "probabilities", "embedding")
    ]
    assert frame["predicted"].tolist() == written["predicted"].tolist()
    for column in ("probabilities", "embedding"):
        np.testing.assert_array_equal(np.stack(frame[column]), np.stack(written[column]))
    assert np.stack(frame["embedding"]).dtype == np.float32
    assert list(data.to_frame()) == ["path", "label", "split", "group"]


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_what_we_export_gives_the_same_figures_again(home: Path, suffix: str) -> None:
    """The embeddings, splits, groups and the order of the rows are those of the data."""
    export(home, f"round{suffix}")
    done = run_command(
        "classify", "--embeddings", f"round{suffix}", "--clf", "logreg,svm,nearest",
        "--cache", "cache", "--out", f"again{suffix}", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert accuracies(home, f"again{suffix}") == accuracies(home, "run")
    first, again = (
        json.loads((home / run / "run.json").read_text()) for run in ("run", f"again{suffix}")
    )
    for name in ("train_counts", "test_counts", "classes", "groups", "test_groups", "group_origin"):
        assert first["data"][name] == again["data"][name], name
    for before, after in zip(first["results"], again["results"], strict=True):
        assert before["log_loss"] == after["log_loss"]
        assert before["confusion"] == after["confusion"]
    (base,) = again["bases"]
    assert base["recipe"]["computed_by"]["backbone"] == "mobilenet:alpha=0.25"
    assert base["recipe"]["recipe_fingerprint"] == first["bases"][0]["recipe"]["fingerprint"]
