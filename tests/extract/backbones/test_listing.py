"""The list of backbones."""

from __future__ import annotations

import http.server
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from extract.backbones import listing
from extract.backbones.catalog import BACKBONES
from extract.backbones.listing import backbone_table, list_backbones, list_sources
from extract.backbones.network_files import open_network
from tests.extract.backbones.onnx_networks import write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


SOURCES = {
    "keras": {"package": "keras", "version": "3.15.1", "reachable": True},
    "hub": {"package": "keras-hub", "version": None, "reachable": False},
    "file": {"package": "openvino", "version": "2026.4.1", "reachable": None},
}


def test_every_backbone_is_listed_with_what_a_choice_needs(tmp_path: Path) -> None:
    """Each line has the name, parameters, size, embedding and weights."""
    lines = {line["name"]: line for line in list_backbones(tmp_path)}
    assert list(lines) == list(BACKBONES)
    assert lines["vgg16"] == {
        "name": "vgg16",
        "source": "keras",
        "parameters": 14_714_688,
        "size": 150,
        "native_size": 224,
        "embedding_shape": [7, 7, 512],
        "preprocessing": "caffe",
        "licence": "CC BY",
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
    lines = backbone_table(list_backbones(tmp_path), SOURCES)
    assert all(len(line) <= 100 for line in lines)
    assert sum(line.split()[:1] == ["resnet50"] for line in lines) == 1
    text = "\n".join(lines)
    assert "keras 3.15.1; downloads: reachable" in text
    assert "keras-hub is not installed: pip install '.[hub]'" in text
    assert "(openvino 2026.4.1)" in text


def test_networks_in_files_are_listed_once_they_have_been_used(tmp_path: Path) -> None:
    """With what was found, and whether the file is still there."""
    cache = tmp_path / "cache"
    for name, outputs in (("a.onnx", ["tokens"]), ("b.onnx", ["pixels"])):
        open_network(write(tmp_path / name, outputs=outputs), cache=cache)
    (tmp_path / "b.onnx").unlink()
    lines = {line["name"]: line for line in list_backbones(cache) if line["source"] == "file"}
    first, second = lines[str(tmp_path / "a.onnx")], lines[str(tmp_path / "b.onnx")]
    assert (first["size"], first["embedding_shape"]) == (16, [65, 5])
    assert second["embedding_shape"] == [5]
    assert 0 < first["parameters"] < 10_000
    assert (first["weights_on_disk"], second["weights_on_disk"]) == (True, False)
    text = backbone_table(list_backbones(cache, [("a.onnx", 16, "float32", 99.0)]), SOURCES)
    (line,) = (line for line in text if line.startswith(f"{tmp_path / 'a.onnx'} "))
    assert line.endswith("99 (float32, 16)")


def test_a_source_that_answers_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it answers; within seconds, a port that nobody listens at is not."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here, nowhere = f"http://127.0.0.1:{server.server_port}", "http://127.0.0.1:9"
        monkeypatch.setattr(listing, "_SOURCES", {"keras": here, "hub": nowhere})
        found = list_sources()
        server.shutdown()
    assert [found[source]["reachable"] for source in ("keras", "hub", "file")] == [
        True,
        False,
        None,
    ]
    assert found["keras"]["version"] == importlib.metadata.version("keras")


def test_the_command_lists_them_at_once(tmp_path: Path) -> None:
    """It needs no TensorFlow, and there is a JSON form."""
    offline = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    code = (
        "import sys; from extract.cli import main; "
        f"main(['--list-backbones', '--json', '--cache', {str(tmp_path)!r}]); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **offline},
    )
    assert len(json.loads(done.stdout)["backbones"]) == len(BACKBONES)
