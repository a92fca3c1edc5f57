"""Runs that need something that is kept in the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cache import file_records
from cache.cli import main
from cache.maintenance.dependents import runs_without_network, runs_without_weights

if TYPE_CHECKING:
    from pathlib import Path

NETWORK, WEIGHTS = "ab" * 32, "cd" * 32
INT8 = {"fingerprint": "1" * 64, "weights": WEIGHTS, "quantised": NETWORK}
FLOAT32 = {**INT8, "quantised": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a cache with a quantised network and downloaded weights, and runs beside it."""
    (tmp_path / "cache" / "models").mkdir(parents=True)
    (tmp_path / "cache" / "models" / f"{NETWORK}.zip").write_bytes(b"a network")
    record = tmp_path / "cache" / "weights" / "vgg16.json"
    file_records.write_record(record, identity=WEIGHTS, file="vgg16.npz", sha256="0" * 64)
    write_run(tmp_path / "runs" / "a", {"run": {"bases": [{"recipe": INT8}]}})
    write_run(tmp_path / "runs" / "b", {"run": {"bases": [{"recipe": FLOAT32}]}})
    write_run(tmp_path / "runs" / "c", {"run": {"bases": [{"recipe": INT8}]}})
    (tmp_path / "runs" / "c" / "networks").mkdir()
    (tmp_path / "runs" / "c" / "networks" / f"{NETWORK}.zip").write_bytes(b"a network")
    write_run(tmp_path / "runs" / "d", {"recipe": INT8})
    for name, text in (("broken", "{"), ("other", "[[3]]"), ("odd", '{"recipe": {"weights": 3}}')):
        (tmp_path / "runs" / name).mkdir()
        (tmp_path / "runs" / name / "run.json").write_text(text)
    return tmp_path


def write_run(folder: Path, record: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))


def test_runs_without_a_copy_of_their_network_are_found(folder: Path) -> None:
    """Those whose network is in this cache, with records of both schemas."""
    found = runs_without_network(folder / "cache", folder / "runs")
    assert [path.name for path in found] == ["a", "d"]
    (folder / "cache" / "models" / f"{NETWORK}.zip").unlink()
    assert runs_without_network(folder / "cache", folder / "runs") == []


def test_runs_that_need_downloaded_weights_are_found(folder: Path) -> None:
    """A quantised network needs none."""
    found = runs_without_weights(folder / "cache", folder / "runs")
    assert [path.name for path in found] == ["b"]
    record = folder / "cache" / "weights" / "vgg16.json"
    file_records.write_record(record, identity=WEIGHTS)  # weights that are kept elsewhere
    assert runs_without_weights(folder / "cache", folder / "runs") == []


def test_clear_names_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it deletes anything, with --dry-run; and when it does."""
    monkeypatch.chdir(folder)
    for dry_run in (["--dry-run"], []):
        assert main(["clear", "--models", "--cache", "cache", *dry_run]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("would delete" if dry_run else "deleted")
        assert lines[1] == (
            "2 runs below runs cannot predict without these networks, of which they have no copy:"
        )
        assert [line.replace("\\", "/") for line in lines[2:]] == ["runs/a", "runs/d"]
        assert (folder / "cache" / "models").exists() == bool(dry_run)
        assert main(["clear", "--weights", "--cache", "cache", *dry_run]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == "1 run below runs will download these weights again to predict:"
        assert main(["clear", "--data", "--cache", "cache", *dry_run]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1


def test_clear_without_runs_says_nothing_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["clear", "--models", "--cache", "cache"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
