"""What the cache keeps about how fast networks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from extract.backbones.listing import backbone_table, list_backbones
from extract.engines import speeds
from extract.engines.speeds import ENOUGH, Speed, recall_speeds, remember_speed, speed_of
from extract.recipe import Recipe
from tests.commands import run_command
from tests.extract.backbones.onnx_networks import write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RECIPE = Recipe(weights="ab" * 32, preprocessing="caffe")
PHASES = {"forward passes": 3.0, "committing embeddings": 1.0, "loading the network": 100.0}


def test_the_latest_speed_of_each_kind_is_kept(tmp_path: Path) -> None:
    """Without the time of what is done once."""
    remember_speed(tmp_path, RECIPE, 200, PHASES)
    remember_speed(tmp_path, RECIPE, 400, PHASES)
    assert recall_speeds(tmp_path) == [Speed("vgg16", 150, "float32", 100.0)]


def test_few_images_are_not_worth_keeping(tmp_path: Path) -> None:
    remember_speed(tmp_path, RECIPE, ENOUGH - 1, PHASES)
    assert recall_speeds(tmp_path) == []
    assert speed_of(0, PHASES) is None
    assert speed_of(10, {}) is None


def test_another_machine_with_the_same_cache_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_speed(tmp_path, RECIPE, 200, PHASES)
    monkeypatch.setattr(speeds.platform, "node", lambda: "another")
    assert recall_speeds(tmp_path) == []
    remember_speed(tmp_path, RECIPE, 400, PHASES)
    assert [speed.images_per_second for speed in recall_speeds(tmp_path)] == [100.0]


def test_the_table_shows_the_highest_speed(tmp_path: Path) -> None:
    known = [Speed("vgg16", 150, "float32", 16.61), Speed("vgg16", 224, "int8", 94.4)]
    sources = {
        source: {"package": "keras", "version": "3", "reachable": None}
        for source in ("keras", "hub", "file")
    }
    text = backbone_table(list_backbones(tmp_path, known), sources)
    assert all(len(line) <= 100 for line in text)
    (line,) = (line for line in text if line.startswith("vgg16 "))
    assert line.endswith("94.4 (int8, 224)")


def test_an_extraction_keeps_its_speed(tmp_path: Path) -> None:
    write(tmp_path / "net.onnx")
    rng = np.random.default_rng(0)
    for i in range(ENOUGH):
        (tmp_path / "pictures" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png"), picture)
    done = run_command(
        "extract", "--data", "pictures", "--backbone", "net.onnx", "--preprocess", "none",
        "--cache", "cache", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (speed,) = recall_speeds(tmp_path / "cache")
    assert speed[:3] == ("net.onnx", 16, "float32")
    assert speed.images_per_second > 1
