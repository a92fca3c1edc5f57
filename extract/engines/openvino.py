"""The fast engine: OpenVINO, one image per core at a time, in float32 or int8.

A network is converted once and kept in the cache; later runs load it without TensorFlow.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import platform
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.backbones.catalog import find_backbone
from extract.engines import FORWARD_PASSES
from extract.engines.vgg import build_vgg
from extract.errors import EngineError
from extract.libraries import import_openvino
from toolkit.phases import phase

if TYPE_CHECKING:
    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe

logger = logging.getLogger(__name__)

_XML, _BIN = "model.xml", "model.bin"
_INT8_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8", "avx_vnni_int8"}


class OpenVINOEngine:
    """Run a model with OpenVINO on all cores that this process may use.

    Each core computes an image of its own. So no core waits for another inside a layer, and a core
    that also decodes images delays only its own image.

    Parameters
    ----------
    model : bytes
        From `pack`: a converted or quantised model.
    """

    def __init__(self, model: bytes) -> None:
        import joblib

        ov = import_openvino()
        cores = joblib.cpu_count()
        compiled = ov.Core().compile_model(
            unpack(model),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",  # not bfloat16, even if the processor has it
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
                "ENABLE_CPU_PINNING": False,  # decoders share the cores
            },
        )
        self._queue = ov.AsyncInferQueue(compiled, cores)
        self._queue.set_callback(_copy_output)
        self._shape = tuple(compiled.output().shape)[1:]

    @classmethod
    def from_recipe(cls, recipe: Recipe, weights: Weights, models: ModelStore) -> OpenVINOEngine:
        """Create the engine of a recipe, converting its network if that was not done before.

        Raises
        ------
        EngineError
            If the precision is int8 and the recipe has not been calibrated.
        WeightsError
            If the weights do not fit, or the quantised model is missing.
        """
        if recipe.precision == "int8" and not has_int8_instructions():
            logger.info(
                "this processor has no int8 instructions: int8 gives the same embeddings as on "
                "others, but is not faster than float32"
            )
        return cls(_packed(recipe, weights, models))

    @phase(FORWARD_PASSES)
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `extract.engines.Engine`."""
        embeddings = np.empty((len(images), *self._shape), dtype=np.float32)
        for image, embedding in zip(images, embeddings, strict=True):
            self._queue.start_async([image[np.newaxis]], embedding)
        self._queue.wait_all()
        return embeddings


def read_network(recipe: Recipe, weights: Weights, models: ModelStore) -> Any:
    """Return a recipe's network as an `openvino.Model`, converting it if need be.

    Raises
    ------
    EngineError
        If the precision is int8 and the recipe has not been calibrated.
    WeightsError
        If the weights do not fit, or the quantised model is missing.
    """
    return unpack(_packed(recipe, weights, models))


def _packed(recipe: Recipe, weights: Weights, models: ModelStore) -> bytes:
    if recipe.precision != "int8":
        return models.read(convert(recipe, weights, models))
    if recipe.quantised is None:
        raise EngineError("int8 needs a calibration on training images first")
    return models.read(recipe.quantised)


def _copy_output(request: Any, embedding: np.ndarray) -> None:
    embedding[...] = request.get_output_tensor().data[0]


@phase("converting the network")
def convert(recipe: Recipe, weights: Weights, models: ModelStore) -> str:
    """Convert a recipe's network for OpenVINO in float32, unless that was done before.

    Parameters
    ----------
    recipe : Recipe
        Of any precision: int8 is calibrated on the network in float32.
    weights : Weights
        The weights that `recipe.weights` identifies.
    models : ModelStore
        Where the converted network is kept.

    Returns
    -------
    str
        SHA-256 of the converted network, for `ModelStore.read`.
    """
    plain = dataclasses.replace(recipe, precision="float32", quantised=None)
    with models.locked(plain):
        sha256 = models.find(plain)
        if sha256 is None:
            model = build_vgg(plain, weights) or _convert_from_tensorflow(plain, weights)
            sha256 = models.add(plain, pack(model))
    return sha256


def _convert_from_tensorflow(recipe: Recipe, weights: Weights) -> Any:
    from extract.engines.tensorflow import graph

    ov = import_openvino()
    model = ov.convert_model(graph(recipe, weights))
    # Because of Swish's custom gradient, every activation becomes an output; the first one counts.
    results, name = model.get_results()[:1], find_backbone(recipe.backbone).family
    model = ov.Model(results, model.get_parameters(), name)
    # With a fixed batch of one: with dynamic shapes, some networks run at half speed.
    model.reshape([1, recipe.size, recipe.size, 3])
    return model


def pack(model: Any) -> bytes:
    """Return an `openvino.Model` as the bytes of one zip file.

    Its nodes and tensors are named by their position. The names that OpenVINO and NNCF give contain
    numbers that a process counts up, with which the same network would not be the same bytes.
    """
    ov = import_openvino()
    for position, node in enumerate(model.get_ordered_ops()):
        name = f"{node.get_type_name()}_{position}"
        node.set_friendly_name(name)
        for output in node.outputs():
            output.get_tensor().set_names({f"{name}:{output.get_index()}"})
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(packed, "w") as archive:
        ov.save_model(model, Path(name) / _XML, compress_to_fp16=False)
        for part in (_XML, _BIN):
            archive.writestr(zipfile.ZipInfo(part), (Path(name) / part).read_bytes())
    return packed.getvalue()


def unpack(data: bytes) -> Any:
    """Return the `openvino.Model` in the bytes that `pack` returned."""
    ov = import_openvino()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        numbers = np.frombuffer(archive.read(_BIN), dtype=np.uint8)
        return ov.Core().read_model(archive.read(_XML), ov.Tensor(numbers))


def has_int8_instructions() -> bool:
    """Return whether the processor multiplies 8-bit integers faster than 32-bit numbers.

    It is read from ``/proc/cpuinfo`` on Linux with an x86 processor, and assumed elsewhere.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    if platform.machine() not in ("x86_64", "AMD64") or not flags:
        return True
    return not _INT8_INSTRUCTIONS.isdisjoint(flags.split())
