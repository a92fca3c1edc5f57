"""The fast engine: OpenVINO, one image a core at a time, in float32 or int8.

A network is written down or converted once, and kept in the cache: later runs load it without
TensorFlow.
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
from extract.engines.vgg import build_vgg
from extract.errors import EngineError
from extract.libraries import import_openvino

if TYPE_CHECKING:
    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe

logger = logging.getLogger(__name__)

_XML, _BIN = "model.xml", "model.bin"
_INT8_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8", "avx_vnni_int8"}


class OpenVINOEngine:
    """Run a model with OpenVINO on all cores that this process may use.

    Every core computes an image of its own: no core waits for another inside a layer, and one that
    decodes images in between holds nobody up.

    Parameters
    ----------
    model : bytes
        What `convert` returned, or a quantised model.
    """

    def __init__(self, model: bytes) -> None:
        import joblib

        ov = import_openvino()
        cores = joblib.cpu_count()
        compiled = ov.Core().compile_model(
            unpack(model),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",  # never bfloat16, where a processor has it
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
                "ENABLE_CPU_PINNING": False,  # decoders run on the same cores
            },
        )
        self._queue = ov.AsyncInferQueue(compiled, cores)
        self._queue.set_callback(_take)
        self._shape = tuple(compiled.output().shape)[1:]

    @classmethod
    def from_recipe(cls, recipe: Recipe, weights: Weights, models: ModelStore) -> OpenVINOEngine:
        """Make the engine of a recipe, converting its network if that was not done before.

        Raises
        ------
        EngineError
            If the recipe is to be computed in int8 and has not been calibrated.
        WeightsError
            If the weights do not fit, or the quantised model is no longer there.
        """
        if recipe.precision == "int8":
            if recipe.quantised is None:
                raise EngineError("int8 needs a calibration on training images first")
            if not has_int8_instructions():
                logger.info(
                    "this processor has no instructions for int8: it computes the same embeddings, "
                    "but gains nothing over float32"
                )
            return cls(models.read(recipe.quantised))
        return cls(models.read(convert(recipe, weights, models)))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `extract.engines.Engine`."""
        embeddings = np.empty((len(images), *self._shape), dtype=np.float32)
        for image, embedding in zip(images, embeddings, strict=True):
            self._queue.start_async([image[np.newaxis]], embedding)
        self._queue.wait_all()
        return embeddings


def _take(request: Any, embedding: np.ndarray) -> None:
    embedding[...] = request.get_output_tensor().data[0]


def convert(recipe: Recipe, weights: Weights, models: ModelStore) -> str:
    """Return the SHA-256 of a recipe's network for OpenVINO in float32, converting it if need be.

    Parameters
    ----------
    recipe : Recipe
        Of any precision: int8 is calibrated on the network in float32.
    weights : Weights
        The weights that `recipe.weights` identifies.
    models : ModelStore
        Where it is kept.
    """
    plain = dataclasses.replace(recipe, precision="float32", quantised=None)
    with models.locked(plain):
        kept = models.find(plain)
        if kept is None:
            model = build_vgg(plain, weights) or _from_tensorflow(plain, weights)
            kept = models.add(plain, pack(model))
    return kept


def _from_tensorflow(recipe: Recipe, weights: Weights) -> Any:
    from extract.engines.tensorflow import graph

    ov = import_openvino()
    model = ov.convert_model(graph(recipe, weights))
    # Swish's custom gradient makes an output of every activation: the first is asked for.
    results, name = model.get_results()[:1], find_backbone(recipe.backbone).family
    model = ov.Model(results, model.get_parameters(), name)
    # A batch of one, known beforehand: with open shapes, some networks run at half speed.
    model.reshape([1, recipe.size, recipe.size, 3])
    return model


def pack(model: Any) -> bytes:
    """Return an `openvino.Model` as the bytes of one file."""
    ov = import_openvino()
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(packed, "w") as archive:
        ov.save_model(model, Path(name) / _XML, compress_to_fp16=False)
        for part in (_XML, _BIN):
            archive.writestr(zipfile.ZipInfo(part), (Path(name) / part).read_bytes())
    return packed.getvalue()


def unpack(data: bytes) -> Any:
    """Return the `openvino.Model` that `pack` has made bytes of."""
    ov = import_openvino()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        numbers = np.frombuffer(archive.read(_BIN), dtype=np.uint8)
        return ov.Core().read_model(archive.read(_XML), ov.Tensor(numbers))


def has_int8_instructions() -> bool:
    """Tell whether the processor multiplies 8-bit integers faster than 32-bit numbers.

    Only Linux on x86 is asked; where nothing is known, it is taken to be so.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    if platform.machine() not in ("x86_64", "AMD64") or not flags:
        return True
    return not _INT8_INSTRUCTIONS.isdisjoint(flags.split())
