"""The lines of docs/embeddings.md that need other programs, or what those write, run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from extract import load_embeddings
from extract.embedding_files.export import export
from tests.commands import ROOT
from tests.extract.embedding_files.samples import Guess, prepared_of

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")
PATHS = [f"pictures/{'cats' if i % 2 else 'dogs'}/{i:02}.jpg" for i in range(12)]
X = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)


def block(program: str) -> str:
    """Return the first block of Python after a program's name."""
    found = re.search(rf"^\*\*{program}\*\*.*?^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, program
    return found[1]


def run(program: str, **names: Any) -> dict[str, Any]:
    """Run a block with some names defined; return all of its names."""
    exec(compile(block(program), program, "exec"), names)
    return names


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the page has read from an export, in whose folder the test runs."""
    monkeypatch.chdir(tmp_path)
    export(prepared_of(tmp_path), tmp_path / "my-pictures.parquet", predictor=Guess())
    frame = pd.read_parquet("my-pictures.parquet")
    return {"frame": frame, "X": np.stack(frame["embedding"]), "np": np}


def test_anndata_takes_an_export(exported: dict[str, Any]) -> None:
    """With the labels as annotations."""
    anndata = pytest.importorskip("anndata", reason="anndata is not installed")
    run("AnnData", **exported)
    found = anndata.read_h5ad("my-pictures.h5ad")
    np.testing.assert_array_equal(found.X, exported["X"])
    assert found.obs["label"].tolist() == exported["frame"]["label"].tolist()


def test_faiss_takes_an_export(exported: dict[str, Any]) -> None:
    """The nearest picture of each is itself."""
    pytest.importorskip("faiss", reason="FAISS is not installed")
    names = run("FAISS", **exported)
    assert names["rows"][:, 0].tolist() == list(range(12))


def test_the_output_of_pybioclip_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `bioclip embed`: a JSON object with the model, and a list of numbers for each path."""
    monkeypatch.chdir(tmp_path)
    output = {
        "model": "hf-hub:imageomics/bioclip",
        "embeddings": dict(zip(PATHS, X.tolist(), strict=True)),
    }
    (tmp_path / "bioclip.json").write_text(json.dumps(output, indent=4))
    run("pybioclip")
    check(tmp_path / "bioclip.npz")


def test_the_output_of_thingsvision_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a class dataset: features.npy, and the paths in the same order, a line each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "features").mkdir()
    np.save(tmp_path / "features" / "features.npy", X)
    (tmp_path / "features" / "file_names.txt").write_text("".join(f"{p}\n" for p in PATHS))
    run("thingsvision")
    check(tmp_path / "things.npz")


def test_the_output_of_timm_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its inference script: the name of each file as the index, and a column of lists."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"filename": PATHS, "logit": list(X)})
    frame.set_index("filename").to_parquet("timm.parquet")
    run("timm")
    check(tmp_path / "timm-labelled.parquet")


def check(path: Path) -> None:
    """Check that a file has all paths with the right embeddings and labels."""
    found = load_embeddings(path, cache=path.parent / "cache")
    rows = dict(zip(PATHS, X, strict=True))
    assert {item.label for item in found.dataset.items} == {"cats", "dogs"}
    assert len(found.X) == len(PATHS)
    for item, row in zip(found.dataset.items, found.X, strict=True):
        name = found.dataset.relative(item.path)
        np.testing.assert_array_equal(row, rows[name])
        assert item.label == name.split("/")[1]
