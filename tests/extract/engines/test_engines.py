"""TensorFlow and OpenVINO give the same embeddings, or explain why they cannot."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from extract import engines
from extract.backbones.catalog import find_backbone
from extract.engines import openvino
from extract.engines.int8 import quantise
from extract.engines.model_store import ModelStore
from extract.engines.openvino import OpenVINOEngine
from extract.engines.processor import has_bfloat16
from extract.engines.tensorflow import KerasEngine, TensorFlowEngine, graph
from extract.errors import EngineError, WeightsError
from extract.recipe import Recipe
from tests.extract.engines.networks import (
    OTHERS,
    random_network,
    relative_error,
    some_images,
    weights_of,
)
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from extract.backbones.weights import Weights

ROOT = Path(__file__).parents[3]
FAMILIES = (
    *("mobilenet", OTHERS[0]),
    *(pytest.param(name, marks=pytest.mark.exhaustive) for name in OTHERS[1:]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def weights(folder: Path) -> Weights:
    return weights_of("vgg16", folder)


@pytest.fixture(scope="module")
def models(folder: Path) -> ModelStore:
    return ModelStore(folder / "models")


@pytest.fixture(scope="module")
def recipe(weights: Weights) -> Recipe:
    return Recipe(weights=weights.identity, preprocessing="torch", size=48)


@pytest.fixture(scope="module")
def int8(recipe: Recipe, weights: Weights, models: ModelStore) -> Recipe:
    """Return the recipe in int8, calibrated on six images."""
    wanted = dataclasses.replace(recipe, precision="int8")
    data = quantise(wanted, weights, models, some_images(6))
    return dataclasses.replace(wanted, quantised=models.add(wanted, data))


@pytest.mark.slow
def test_vgg16_gives_the_same_with_openvino(
    recipe: Recipe, int8: Recipe, weights: Weights, models: ModelStore
) -> None:
    """Float32 differs by rounding, int8 by its 256 steps, which random weights amplify."""
    images = some_images(6)
    expected = TensorFlowEngine(recipe, weights)(images)
    for wanted, bound in ((recipe, 1e-4), (int8, 0.5)):
        found = OpenVINOEngine.from_recipe(wanted, weights, models)(images)
        assert relative_error(found, expected) < bound


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_other_family_gives_the_same_with_openvino(name: str, tmp_path: Path) -> None:
    """So do networks that TensorFlow converts."""
    weights, recipe = random_network(name, tmp_path)
    images = some_images(8, recipe.size)
    expected = TensorFlowEngine(recipe, weights)(images)
    assert expected.shape == (8, find_backbone(name).channels)
    found = OpenVINOEngine.from_recipe(recipe, weights, ModelStore(tmp_path))(images)
    assert relative_error(found, expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mobilenet", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in OTHERS)]
)
def test_every_other_family_is_close_in_int8(name: str, tmp_path: Path) -> None:
    """So are their quantised networks, which are the same bytes whenever they are made."""
    weights, recipe = random_network(name, tmp_path)
    images = some_images(8, recipe.size)
    wanted = dataclasses.replace(recipe, precision="int8")
    model = quantise(wanted, weights, ModelStore(tmp_path), images)
    found = OpenVINOEngine(model)(images)
    assert relative_error(found, TensorFlowEngine(recipe, weights)(images)) < 0.5
    assert quantise(wanted, weights, ModelStore(tmp_path / "again"), images) == model


@pytest.mark.slow
def test_a_batchs_size_does_not_change_openvinos_numbers(
    recipe: Recipe, weights: Weights, models: ModelStore
) -> None:
    """Each image is computed by itself, in order, to the last bit."""
    images = some_images(7)
    for flip in (False, True):
        engine = engines.make(dataclasses.replace(recipe, flip=flip), weights, models, "openvino")
        alone = np.concatenate([engine(images[i : i + 1]) for i in range(7)])
        np.testing.assert_array_equal(engine(images), alone)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", *FAMILIES])
def test_every_family_is_close_in_bfloat16(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rounds to 8 bits of mantissa; processors without it emulate it, with the same rounding."""
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: True)
    weights, recipe = random_network(name, tmp_path)
    images, models = some_images(8, recipe.size), ModelStore(tmp_path / "models")
    expected = engines.make(recipe, weights, models, "openvino")(images)
    bfloat16 = dataclasses.replace(recipe, precision="bfloat16")
    engine = engines.make(bfloat16, weights, models, "openvino")
    found = engine(images)
    assert found.dtype == np.float32
    assert 1e-4 < relative_error(found, expected) < 0.05
    np.testing.assert_array_equal(engine(images[3:4]), found[3:4])
    assert len(list(models.folder.glob("*.zip"))) == 1  # both are the same network


def test_bfloat16_is_refused_where_it_would_be_emulated(
    weights: Weights, recipe: Recipe, models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says why, and what to choose instead."""
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: False)
    bfloat16 = dataclasses.replace(recipe, precision="bfloat16")
    with pytest.raises(EngineError, match=r"no bfloat16 instructions.*choose float32 or int8"):
        engines.make(bfloat16, weights, models, "openvino")


@pytest.mark.slow
def test_bfloat16_is_native_where_the_kernel_says_so() -> None:
    """OpenVINO and Linux agree on what the processor has."""
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("there is no /proc/cpuinfo")
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    assert has_bfloat16() == ("avx512_bf16" in flags or "amx_bf16" in flags)


@pytest.mark.slow
def test_the_engine_for_other_backends_gives_the_same(recipe: Recipe, weights: Weights) -> None:
    """It uses only Keras, so it works with PyTorch or JAX; here the backend is TensorFlow."""
    images = some_images()
    before = images.copy()
    expected = TensorFlowEngine(recipe, weights)(images)
    assert relative_error(KerasEngine(recipe, weights)(images), expected) < 1e-5
    np.testing.assert_array_equal(images, before)


@pytest.mark.slow
def test_float32_is_not_rounded_on_gpus(recipe: Recipe, weights: Weights) -> None:
    """TensorFlow's setting is that of the user again after every batch."""
    from toolkit.libraries import import_tensorflow

    config = import_tensorflow().config.experimental
    engine, during = TensorFlowEngine(recipe, weights), []
    forward = engine._forward

    def watched(images: np.ndarray) -> Any:
        during.append(config.tensor_float_32_execution_enabled())
        return forward(images)

    engine._forward = watched
    for setting in (True, False):
        config.enable_tensor_float_32_execution(setting)
        engine(some_images(1))
        assert config.tensor_float_32_execution_enabled() is setting
    config.enable_tensor_float_32_execution(True)  # the default
    assert during == [False, False]


def test_another_backend_needs_no_tensorflow() -> None:
    """TensorFlow would take the memory of the GPU, and seconds to import."""
    code = f"""
import sys, types
sys.path.insert(0, {str(ROOT)!r})
sys.modules["keras"] = types.ModuleType("keras")
from toolkit.libraries import import_keras
import_keras()
print("tensorflow" in sys.modules)
"""
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, timeout=60, env=env, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.slow
def test_converting_needs_tensorflow_behind_keras(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another backend there is no graph to convert; the message says what to do."""
    weights = weights_of("mobilenet", folder)
    recipe = Recipe(weights.identity, "tf", "mobilenet", size=48)
    monkeypatch.setattr(import_keras().backend, "backend", lambda: "torch")
    with pytest.raises(EngineError, match="unset KERAS_BACKEND"):
        engines.make(recipe, weights, ModelStore(tmp_path), "openvino")


@pytest.mark.slow
def test_a_conversion_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    weights, recipe = random_network("mobilenet", tmp_path)
    forward = graph(recipe, weights)
    converted = openvino._convert_from_tensorflow(recipe, weights)
    for wrong in (1.01, np.nan):
        with pytest.raises(EngineError, match="OpenVINO computes other embeddings") as raised:
            openvino.check_conversion(converted, lambda image, w=wrong: w * forward(image).numpy())
        assert raised.value.setting == "engine"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_flip_is_the_mean_with_the_mirror_image(
    recipe: Recipe, weights: Weights, models: ModelStore, engine: str
) -> None:
    """The embeddings of an image and of its flip are then equal."""
    plain = engines.make(recipe, weights, models, engine)
    flipped = engines.make(dataclasses.replace(recipe, flip=True), weights, models, engine)
    images = some_images()
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    np.testing.assert_array_equal(flipped(images), flipped(mirrored))
    np.testing.assert_allclose(flipped(images), (plain(images) + plain(mirrored)) / 2, rtol=1e-6)


@pytest.mark.slow
def test_a_converted_network_is_loaded_without_tensorflow(
    recipe: Recipe, weights: Weights, models: ModelStore
) -> None:
    """It is converted once; a later process reads it from the cache, with the same results."""
    expected = engines.make(recipe, weights, models, "openvino")(some_images())
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from extract import engines
from extract.engines.model_store import ModelStore
from extract.recipe import Recipe
from pathlib import Path
recipe = Recipe.from_dict({recipe.to_dict()!r})
engine = engines.make(recipe, None, ModelStore(Path({str(models.folder)!r})), "openvino")
images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
np.save({str(models.folder / "found.npy")!r}, engine(images))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(models.folder / "found.npy"), expected)


@pytest.mark.slow
def test_int8_is_the_same_without_int8_instructions(int8: Recipe, models: ModelStore) -> None:
    """OneDNN restricted to AVX2 adds in 16 bits, and must get the same numbers."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
from extract.engines.openvino import OpenVINOEngine
from extract.engines.model_store import ModelStore
from pathlib import Path
engine = OpenVINOEngine(ModelStore(Path({str(models.folder)!r})).read({int8.quantised!r}))
images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
np.save(sys.argv[1], engine(images))
"""
    found = {}
    for isa in ("DEFAULT", "AVX2"):
        path = str(models.folder / f"{isa}.npy")
        command = [sys.executable, "-c", code, path]
        env = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
        subprocess.run(command, check=True, timeout=120, env=env)
        found[isa] = np.load(path)
    assert relative_error(found["AVX2"], found["DEFAULT"]) < 1e-3


@pytest.mark.slow
def test_a_processor_without_int8_instructions_is_told_of(
    int8: Recipe,
    weights: Weights,
    models: ModelStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user is told that int8 is no faster there; on other processors nothing is logged."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(openvino, "has_int8", lambda: True)
    OpenVINOEngine.from_recipe(int8, weights, models)
    assert "int8" not in caplog.text
    monkeypatch.setattr(openvino, "has_int8", lambda: False)
    OpenVINOEngine.from_recipe(int8, weights, models)
    assert "is not faster than float32" in caplog.text


@pytest.mark.slow
def test_a_lost_or_damaged_int8_model_says_what_to_do(
    int8: Recipe, weights: Weights, models: ModelStore, tmp_path: Path
) -> None:
    """No other model can replace it, because the recipe names it by its SHA-256."""
    with pytest.raises(WeightsError, match="no longer in"):
        engines.make(int8, weights, ModelStore(tmp_path))
    (tmp_path / f"{int8.quantised}.zip").write_bytes(b"PK damaged")
    with pytest.raises(WeightsError, match="has changed"):
        engines.make(int8, weights, ModelStore(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_is_close_to_float32(
    recipe: Recipe, weights: Weights, precision: str
) -> None:
    """It is available only on GPUs, but the network is the same everywhere."""
    expected = graph(recipe, weights)(some_images()).numpy()
    half = graph(dataclasses.replace(recipe, precision=precision), weights)(some_images()).numpy()
    assert half.dtype == np.float32
    assert 0 < relative_error(half, expected) < 0.05
    again = graph(recipe, weights)(some_images()).numpy()
    np.testing.assert_array_equal(again, expected)  # the policy was for that network alone


@pytest.mark.slow
def test_half_precision_needs_a_gpu(recipe: Recipe, weights: Weights, models: ModelStore) -> None:
    """On a processor it is slower than float32, so it is refused with an explanation."""
    from toolkit.libraries import import_tensorflow

    if import_tensorflow().config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match="on a GPU, and finds none"):
        engines.make(dataclasses.replace(recipe, precision="float16"), weights, models)


def test_what_is_asked_for_is_chosen_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto is OpenVINO if it is installed and there is no GPU; int8 needs OpenVINO."""
    monkeypatch.setattr(engines, "_NVIDIA", Path("/nonexistent"))
    assert {engines.choose(name) for name in ("float32", "bfloat16", "int8")} == {"openvino"}
    assert engines.choose("float32", "tensorflow") == engines.choose("float16") == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert engines.choose("float32") == "tensorflow"
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(engines, "_NVIDIA", Path("/dev/null"))
    assert engines.choose("float32") == engines.choose("bfloat16") == "tensorflow"
    assert engines.choose("float32", "openvino") == "openvino"
    assert engines.choose("bfloat16", "openvino") == engines.choose("int8") == "openvino"
    for precision, engine in (("int8", "tensorflow"), ("float16", "openvino")):
        with pytest.raises(EngineError, match=f"{engine} does not compute in {precision}"):
            engines.choose(precision, engine)
    with pytest.raises(EngineError, match="choose one of: auto, tensorflow, openvino"):
        engines.choose("float32", "abacus")


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install; without it, TensorFlow computes float32."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert engines.choose("float32") == engines.choose("bfloat16") == "tensorflow"
    for precision, engine in (("int8", "auto"), ("float32", "openvino")):
        with pytest.raises(EngineError, match=r"pip install '\.\[fast\]'$"):
            engines.choose(precision, engine)
