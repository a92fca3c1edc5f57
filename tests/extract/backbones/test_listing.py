"""The list of backbones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from extract.backbones.catalog import BACKBONES
from extract.backbones.listing import backbone_table, list_backbones

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_backbone_is_listed_with_what_a_choice_needs(tmp_path: Path) -> None:
    """Each line has the name, parameters, size, embedding and weights."""
    lines = {line["name"]: line for line in list_backbones(tmp_path)}
    assert list(lines) == list(BACKBONES)
    assert lines["vgg16"] == {
        "name": "vgg16",
        "parameters": 14_714_688,
        "size": 150,
        "native_size": 224,
        "embedding_shape": [7, 7, 512],
        "preprocessing": "caffe",
        "weights_on_disk": False,
        "alpha": False,
        "speeds": [],
    }
    assert lines["xception"]["embedding_shape"] == [2048]
    assert lines["mobilenet"]["alpha"]


def test_weights_that_are_here_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Keras's folder, or torchvision's in the cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    (tmp_path / "keras" / "models" / "mobilenet_2_5_224_tf_no_top.h5").touch()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg16-torchvision.npz").touch()
    here = [line["name"] for line in list_backbones(tmp_path) if line["weights_on_disk"]]
    assert here == ["vgg16", "mobilenet"]


def test_the_table_fits_a_terminal_and_says_what_the_columns_mean(tmp_path: Path) -> None:
    """At most 100 columns, one line for each."""
    text = backbone_table(list_backbones(tmp_path))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert sum(line.split()[:1] == ["resnet50"] for line in text.splitlines()) == 1


def test_the_command_lists_them_at_once(tmp_path: Path) -> None:
    """It needs no TensorFlow, and there is a JSON form."""
    code = (
        "import sys; from extract.cli import main; "
        f"main(['--list-backbones', '--json', '--cache', {str(tmp_path)!r}]); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)) == len(BACKBONES)
