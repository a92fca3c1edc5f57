"""`python -m cache` as a user calls it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cache import Store
from cache.cli import main
from cache.file_records import write_record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store(tmp_path)
    for i in range(2):
        canonical = json.dumps({"backbone": "vgg16", "layer": None, "size": 150 + i})
        fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
        store.append(fingerprint, canonical, ["0" * 64], np.full((1, 4), i, np.float32))
    return tmp_path


def fingerprints(folder: Path) -> list[str]:
    return [recipe.fingerprint for recipe in Store(folder).recipes()]


def test_ls_names_recipes_rows_and_bytes(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Each recipe is listed with its fields, and so are the other files in the cache."""
    (folder / "data" / "shapes").mkdir(parents=True)
    (folder / "data" / "shapes" / "a.jpg").write_bytes(b"x" * 2_000_000)
    assert main(["ls", "--cache", str(folder)]) == 0
    out = capsys.readouterr().out
    assert all(fingerprint[:12] in out for fingerprint in fingerprints(folder))
    assert "backbone=vgg16 size=151" in out
    assert "shapes, 2.0 MB" in out


@pytest.fixture
def with_network(folder: Path) -> Path:
    """Add a quantised network of 2 MB, and another one whose record is lost."""
    recipe = json.dumps({"backbone": "vgg16", "size": 150, "precision": "int8"})
    (folder / "models").mkdir()
    for name in ("a" * 64, "b" * 64):
        (folder / "models" / f"{name}.zip").write_bytes(b"x" * 1_000_000)
    write_record(
        folder / "models" / "vgg16-int8-00.json", file=f"{'a' * 64}.zip", sha256="a" * 64,
        recipe=recipe, images="1 2 3", source="shapes",
    )  # fmt: skip
    (folder / "models" / "vgg16-int8-00.lock").touch()
    return folder


def test_ls_says_what_a_network_is(with_network: Path, capsys: pytest.CaptureFixture) -> None:
    """Backbone, size, precision, calibration, bytes and date; without a record, its name."""
    assert main(["ls", "--cache", str(with_network)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("models")]
    today = time.strftime("%Y-%m-%d")
    assert len(lines) == 2
    assert lines[0].startswith(f"models        {'b' * 64}.zip, 1.0 MB, made {today}")
    what = "vgg16, 150 pixels, int8, calibrated on 3 images of shapes, 1.0 MB, made "
    assert lines[1].startswith(f"models        {what}{today}")


def test_prune_counts_the_networks(with_network: Path, capsys: pytest.CaptureFixture) -> None:
    """They are part of the size, are never deleted, and must fit."""
    prune = ["prune", "--cache", str(with_network), "--max-size"]
    assert main([*prune, "3MB"]) == 0
    assert len(fingerprints(with_network)) == 2
    assert main([*prune, "1MB"]) == 2
    assert "more than 1.0 MB without any embedding: nothing was deleted" in capsys.readouterr().err
    assert len(fingerprints(with_network)) == 2
    assert main([*prune, "2MB"]) == 0
    out = capsys.readouterr().out
    assert "0.0 MB of embeddings and 2.0 MB of networks are left" in out
    assert fingerprints(with_network) == []
    assert len(list((with_network / "models").glob("*.zip"))) == 2


def test_ls_of_an_empty_cache_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The output names the command that fills the cache."""
    assert main(["ls", "--cache", str(tmp_path)]) == 0
    assert "python -m extract" in capsys.readouterr().out


def test_verify_passes_and_fails(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Status 0 and a count without problems; status 2 and the name of the file with one."""
    assert main(["verify", "--cache", str(folder)]) == 0
    assert "2 embeddings in 2 shards" in capsys.readouterr().out
    shard = next((folder / "shards").glob("*.npy"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert main(["verify", "--cache", str(folder), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert shard.name in err
    assert "error: 1 problem in 2 shards" in err


def test_clear_takes_the_first_digits_of_a_recipe(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    """One recipe is deleted, the other stays; an unknown recipe is an error with a list."""
    first, second = fingerprints(folder)
    assert main(["clear", "--recipe", first[:5], "--cache", str(folder)]) == 0
    assert fingerprints(folder) == [second]
    assert main(["clear", "--recipe", "zz", "--cache", str(folder)]) == 2
    assert f"the cache contains: {second[:12]}" in capsys.readouterr().err


def test_clear_data_leaves_the_embeddings(folder: Path) -> None:
    """As at the end of the lesson: the images are deleted, the embeddings stay."""
    (folder / "data" / "shapes").mkdir(parents=True)
    assert main(["clear", "--data", "--cache", str(folder)]) == 0
    assert not (folder / "data").exists()
    assert len(Store(folder).recipes()) == 2


def test_a_folder_that_cannot_be_created_is_an_error_for_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Status 2 and one line with the option for another folder."""
    (tmp_path / "file").write_text("")
    assert main(["ls", "--cache", str(tmp_path / "file" / "sub")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: cannot use")
    assert err.count("\n") == 1
    assert "FROZEN_FEATURES_CACHE" in err


def test_ls_survives_a_forged_recipe(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Text that is no recipe is shown as such: one nested too deeply, and a number."""
    store = Store(folder)
    for i, canonical in enumerate(["[" * 100_000, "7"]):
        fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
        store.append(fingerprint, canonical, ["0" * 64], np.full((1, 4), 9 + i, np.float32))
    assert main(["ls", "--cache", str(folder)]) == 0
    assert capsys.readouterr().out.count("not a recipe: ") == 2
