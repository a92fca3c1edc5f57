"""Networks of OpenVINO become the same networks in ONNX."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify import ModelError
from classify.export import FORMATS as CHOICES
from classify.export import PRECISIONS as PRECISION_CHOICES
from classify.exporting.export import PRECISIONS
from classify.exporting.formats import FORMATS
from classify.exporting.network import to_openvino
from classify.exporting.onnx.network import to_onnx
from extract.engines.int8 import quantise
from extract.engines.model_store import ModelStore
from extract.engines.openvino import read_network, unpack
from tests.extract.engines.networks import OTHERS, random_network, relative_error, some_images
from toolkit.libraries import import_keras, import_openvino

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OFTEN = ("convnexttiny", "resnet50")
MORE = ("mobilenetv2", "efficientnetv2b0", "densenet121", "inceptionv3", "nasnetmobile")
FAMILIES = [
    "mobilenet",
    *(
        pytest.param(name, marks=() if name in OFTEN else pytest.mark.exhaustive)
        for name in (*OTHERS, *MORE)
    ),
]


def outputs_of(network: Any, batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a network gives by OpenVINO, and by ONNX Runtime after the conversion."""
    import onnxruntime

    ov = import_openvino()
    compiled = ov.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(to_onnx(network).SerializeToString())
    (taken,) = session.get_inputs()
    converted = [session.run(None, {taken.name: batch})[0] for batch in batches]
    return np.stack([compiled(batch)[0] for batch in batches]), np.stack(converted)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_the_same_in_onnx(name: str, tmp_path: Path) -> None:
    """But for the order of sums."""
    weights, recipe = random_network(name, tmp_path)
    network = read_network(recipe, weights, ModelStore(tmp_path))
    expected, found = outputs_of(network, some_images(2, recipe.size)[:, None])
    assert relative_error(found, expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_close_in_8_bits(name: str, tmp_path: Path) -> None:
    """As close to float32 as by OpenVINO: at the edges of steps, they round differently."""
    weights, recipe = random_network(name, tmp_path)
    images, models = some_images(8, recipe.size), ModelStore(tmp_path)
    batches = images[:, None]
    exact, _ = outputs_of(read_network(recipe, weights, models), batches)
    recipe = dataclasses.replace(recipe, precision="int8")
    by_openvino, found = outputs_of(unpack(quantise(recipe, weights, models, images)), batches)
    assert relative_error(by_openvino, exact) < 0.5
    assert relative_error(found, exact) < 1.2 * relative_error(by_openvino, exact)


def test_an_operation_without_a_counterpart_is_named() -> None:
    """The message says what to do."""
    ov = import_openvino()
    ops = ov.opset14
    taken = ops.parameter([2, 3], ov.Type.f32, name="images")
    for unknown in (
        ops.round(taken, "half_away_from_zero"),
        ops.selu(taken, np.float32(1), np.float32(1)),
        ops.pad(taken, [1, 1], [1, 1], "symmetric"),
    ):
        model = ov.Model([unknown], [taken], "part")
        model.inputs[0].get_tensor().set_names({"images"})
        with pytest.raises(ModelError, match="cannot be exported to ONNX; export it to OpenVINO"):
            to_onnx(model)


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x[..., ::-1],
        lambda x: x[:, 1:-1, ..., 0],
        lambda x: x[..., None, 1:],
        lambda x: x[0, :, -1],
        lambda x: x[:, None, ::2],
    ],
)
@pytest.mark.slow
def test_slices_are_those_of_tensorflow(cut: Callable[[Any], Any]) -> None:
    """With ellipses, new axes, single positions and negative steps."""
    keras = import_keras()
    inputs = keras.Input((4, 5, 3), name="images")
    network = to_openvino(keras.Model({"images": inputs}, {"cut": cut(inputs)}))
    images = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    _, (found,) = outputs_of(network, images[None])
    np.testing.assert_array_equal(found, cut(images))


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1.28, 1.27), (0.0, 2.55), (-0.51, 2.04), ([-1.0, -2.0, 0.0], [1.0, 1.0, 3.0])],
    ids=["signed", "unsigned", "neither", "each channel"],
)
def test_values_are_rounded_within_the_same_limits(low: Any, high: Any) -> None:
    """To the same steps, and those beyond a limit to the limit."""
    ov = import_openvino()
    ops = ov.opset14
    taken = ops.parameter([1, 3, 400], ov.Type.f32, name="images")
    limits = [np.array(limit, np.float32).reshape(1, -1, 1) for limit in (low, high)]
    rounded = ops.fake_quantize(taken, *limits, *limits, 256)
    network = ov.Model([rounded], [taken], "part")
    network.inputs[0].get_tensor().set_names({"images"})
    network.outputs[0].get_tensor().set_names({"rounded"})
    values = np.linspace(-4, 4, 1200, dtype=np.float32).reshape(1, 1, 3, 400)
    expected, found = outputs_of(network, values)
    step = (np.max(high) - np.min(low)) / 255
    assert np.abs(found - expected).max() < 1.01 * step
    assert (np.abs(found - expected) > 1e-4).mean() < 0.01


def test_the_command_offers_what_there_is() -> None:
    """It lists formats and precisions without importing what writes them."""
    assert list(FORMATS) == list(CHOICES)
    assert PRECISIONS == PRECISION_CHOICES
