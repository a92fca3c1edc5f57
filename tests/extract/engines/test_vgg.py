"""VGG16 and VGG19 without TensorFlow: the same embeddings as with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from extract.backbones.weights import Weights, identity
from extract.engines.openvino import OpenVINOEngine, pack
from extract.engines.tensorflow import TensorFlowEngine
from extract.engines.vgg import BLOCKS, build_vgg
from extract.recipe import Recipe

ROOT = Path(__file__).parents[3]
SIZE = 40

pytestmark = pytest.mark.slow


def weights_of(name: str, folder: Path) -> Weights:
    """Return random weights from a file, whose activations stay in the range of trained ones."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(0, (2 / array[..., 0].size) ** 0.5 if array.ndim == 4 else 0.1, array.shape)
        for array in construct(name, SIZE).get_weights()
    ]
    arrays = [array.astype(np.float32) for array in arrays]
    path = folder / f"{name}.npz"
    np.savez(path, *arrays)
    return Weights(str(path), identity(arrays), None, path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Weights]:
    folder = tmp_path_factory.mktemp("vgg")
    return {name: weights_of(name, folder) for name in BLOCKS}


def some_images(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "preprocessing", "pooling", "layer"),
    [
        ("vgg16", "torch", "none", None),
        ("vgg16", "tf", "avg", "block4_pool"),
        ("vgg16", "identity", "max", "block4_pool"),
        ("vgg16", "caffe", "none", "block4_pool"),
        ("vgg16", "notebook", "none", "block5_conv2"),
        ("vgg19", "caffe", "none", None),
    ],
)
def test_it_gives_what_tensorflow_gives(
    weights: dict[str, Weights], name: str, preprocessing: str, pooling: str, layer: str | None
) -> None:
    """With every preprocessing, pooling and layer, to the precision of float32."""
    recipe = Recipe(
        weights[name].identity, preprocessing, name, layer=layer, size=SIZE, pooling=pooling
    )
    model = build_vgg(recipe, weights[name])
    found = OpenVINOEngine(pack(model))(some_images(3))
    expected = TensorFlowEngine(recipe, weights[name])(some_images(3))
    assert found.shape == expected.shape
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error < 1e-5


def test_what_is_no_vgg_or_has_no_such_layer_is_left_to_tensorflow(
    weights: dict[str, Weights], tmp_path: Path
) -> None:
    """Another network, another layer, and weights that only Keras can find."""
    usual = weights["vgg16"]

    def recipe(**fields: object) -> Recipe:
        return Recipe(
            **{"weights": usual.identity, "preprocessing": "caffe", "size": SIZE} | fields
        )

    assert build_vgg(recipe(), usual) is not None
    assert build_vgg(recipe(layer="block9"), usual) is None
    assert build_vgg(recipe(backbone="mobilenet"), usual) is None
    assert build_vgg(recipe(backbone="vgg19"), usual) is None
    assert build_vgg(recipe(), Weights("imagenet", usual.identity, None, None)) is None
    assert build_vgg(recipe(weights="0" * 64), usual) is None


@pytest.mark.parametrize("preset", ["default", "fast"])
def test_a_cold_run_needs_no_tensorflow(
    weights: dict[str, Weights], tmp_path: Path, preset: str
) -> None:
    """TensorFlow is not imported even if the cache is empty."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for i in range(4):
            picture = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "data" / label / f"{i}.png"), picture)
    code = (
        "import sys; from extract.cli import main; status = main(sys.argv[1:]); "
        "sys.exit('imported TensorFlow' if 'tensorflow' in sys.modules else status)"
    )
    file = str(weights["vgg16"].path)
    done = subprocess.run(
        [sys.executable, "-c", code, "--data", "data", "--weights", file, "--size", str(SIZE),
         "--cache", "cache", "--preset", preset, "--engine", "openvino", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["computed"] == 8
