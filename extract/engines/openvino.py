"""The fast engine: OpenVINO in float32, bfloat16 or int8, each core with images of its own.

A network is converted once and kept in the cache; later runs load it without TensorFlow.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import io
import logging
import tempfile
import threading
import weakref
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.backbones.catalog import is_network_file
from extract.engines import FORWARD_PASSES
from extract.engines.batching import SIZES, fastest_size, kept_size
from extract.engines.from_file import build_from_file
from extract.engines.processor import has_bfloat16, has_int8, machine
from extract.engines.vgg import build_vgg
from extract.errors import EngineError
from toolkit.libraries import import_openvino, openvino_core
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe

logger = logging.getLogger(__name__)

_XML, _BIN = "model.xml", "model.bin"
_HINTS = {"float32": "f32", "int8": "f32", "bfloat16": "bf16"}
"""OpenVINO's names of what is computed where a network does not say so itself."""
SECONDS_BETWEEN_CHECKS = 1.0
"""An inference that fails keeps nothing; its queue tells when it is asked."""
_LARGEST_ERROR = 1e-3
"""Of a converted network, relative; the sums of all that were tried differ by less than 1e-5."""


class OpenVINOEngine:
    """Run a model with OpenVINO on all cores that this process may use.

    Each core computes images of its own. So no core waits for another inside a layer, and a core
    that also decodes images delays only its own images.

    Parameters
    ----------
    model : bytes
        From `pack`: a converted or quantised model.
    precision : {"float32", "int8", "bfloat16"}, default="float32"
        In which to compute. What is quantised stays in 8 bits.
    record : Path, default=None
        Where the fastest size of a batch is kept; see `extract.engines.batching`. In float32,
        images are computed one by one.
    """

    def __init__(
        self, model: bytes, precision: str = "float32", record: Path | None = None
    ) -> None:
        self._network, self._precision = unpack(model), precision
        self._queues: dict[int, Any] = {}
        self._shape = tuple(self._network.output().shape)[1:]
        self._record = record
        self._size = 1 if precision == "float32" else record and kept_size(record)

    @classmethod
    def from_recipe(cls, recipe: Recipe, weights: Weights, models: ModelStore) -> OpenVINOEngine:
        """Create the engine of a recipe, converting its network if that was not done before.

        Raises
        ------
        EngineError
            If the precision is int8 and the recipe has not been calibrated, or bfloat16 and the
            processor has none.
        WeightsError
            If the weights do not fit, or the quantised model is missing.
        """
        if recipe.precision == "bfloat16" and not has_bfloat16():
            raise EngineError(
                "this processor has no bfloat16 instructions, and emulating them is slower than "
                "float32; choose float32 or int8",
                setting="precision",
            )
        if recipe.precision == "int8" and not has_int8():
            logger.info(
                "this processor has no int8 instructions: int8 gives the same embeddings as on "
                "others, but is not faster than float32"
            )
        record = models.batch_record(recipe, machine())
        return cls(_packed(recipe, weights, models), recipe.precision, record)

    @property
    def images_at_once(self) -> int:
        """Number of images that are computed at the same time."""
        import joblib

        return joblib.cpu_count() * (self._size or 1)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch; see `extract.engines.Engine`."""
        return self.begin(images)()

    @phase(FORWARD_PASSES)
    def begin(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """Start to embed a batch; see `extract.engines.begin`.

        It returns as soon as the last image has been started.
        """
        import joblib

        if self._size is None and len(images) >= max(SIZES):
            some = images[: max(*SIZES, 2 * joblib.cpu_count())]
            self._size = fastest_size(self._compute, some, self._record)
        return self._begin(images, self._size or 1)

    def _compute(self, images: np.ndarray, size: int) -> np.ndarray | None:
        """Embed in batches of a size; None if the network cannot."""
        return self._begin(images, size)() if self._queue(size) else None

    def _begin(self, images: np.ndarray, size: int) -> Callable[[], np.ndarray]:
        """Start to embed in batches of a size, and one by one what is left."""
        try:
            return self._start(images, size)
        except RuntimeError:  # a queue accepts nothing after an error, of whichever batch
            self._queues.clear()
            return self._start(images, size)

    def _start(self, images: np.ndarray, size: int) -> Callable[[], np.ndarray]:
        begun = _Begun(np.empty((len(images), *self._shape), dtype=np.float32))
        queues: set[Any] = set()
        start = 0
        for length in (size, 1):
            while start + length <= len(images):
                rows, queue = slice(start, start + length), self._queue(length)
                queue.start_async([images[rows]], (begun, rows))
                queues.add(queue)
                start += length
        # A queue refers to `begun`: the other way round as well, neither would ever be freed.
        return functools.partial(begun.finish, queues)

    def _queue(self, size: int) -> Any:
        """Return what computes batches of a size on all cores, or None if the network cannot."""
        if size not in self._queues:
            self._queues[size] = _compiled(self._network, size, self._precision)
        return self._queues[size]


class _Begun:
    """Embeddings that are being computed.

    Parameters
    ----------
    embeddings : numpy.ndarray of float32
        One row for each image, to be filled in.
    """

    def __init__(self, embeddings: np.ndarray) -> None:
        self._embeddings = embeddings
        self._finished: list[int] = []
        self._all_finished = threading.Event()
        self._error: Exception | None = None

    def keep(self, rows: slice, computed: Callable[[], np.ndarray]) -> None:
        """Fill in some rows."""
        try:
            self._embeddings[rows] = computed()
        except (MemoryError, RuntimeError, ValueError) as error:  # else later batches would fail
            self._error = error
        self._finished.append(rows.stop - rows.start)
        if sum(self._finished) == len(self._embeddings):
            self._all_finished.set()

    @phase(FORWARD_PASSES)
    def finish(self, queues: set[Any]) -> np.ndarray:
        """Wait for all rows that `openvino.AsyncInferQueue`s compute, and return them."""
        while len(self._embeddings) and not self._all_finished.wait(SECONDS_BETWEEN_CHECKS):
            for queue in queues:
                self._check(queue)
        if self._error is not None:
            raise self._error
        return self._embeddings

    def _check(self, queue: Any) -> None:
        """Raise the error of a queue, unless all rows come from other inferences."""
        try:
            queue.wait_all()
        except RuntimeError:
            for inference in queue:
                with contextlib.suppress(RuntimeError):
                    inference.wait()
            if not self._all_finished.is_set():
                raise


@phase("compiling the network")
def _compiled(network: Any, size: int, precision: str) -> Any:
    import joblib

    ov = import_openvino()
    if size > 1:
        network = network.clone()
        try:
            network.reshape([size, *network.input().shape[1:]])
        except RuntimeError:  # the batch of one is a part of the network
            return None
        if network.output().shape[0] != size:
            return None
    cores = joblib.cpu_count()
    compiled = openvino_core().compile_model(
        network,
        "CPU",
        {
            # Left out, it would be bfloat16 where the processor has it.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": cores,
            "INFERENCE_NUM_THREADS": cores,
            "ENABLE_CPU_PINNING": False,  # decoders share the cores
        },
    )
    queue = ov.AsyncInferQueue(compiled, cores)
    queue.set_callback(_keep_output)
    _in_use.add(queue)
    return queue


_in_use: weakref.WeakSet[Any] = weakref.WeakSet()


@atexit.register
def _wait_for_callbacks() -> None:
    """Wait for inferences that are running when the process ends, after Ctrl-C for example.

    A thread that calls back into an interpreter that is shutting down aborts the process.
    """
    for queue in list(_in_use):
        for inference in queue:
            with contextlib.suppress(RuntimeError):
                inference.wait()


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


def _keep_output(request: Any, where: tuple[_Begun, slice]) -> None:
    begun, rows = where
    begun.keep(rows, lambda: request.get_output_tensor().data)


def is_converted(recipe: Recipe, models: ModelStore) -> bool:
    """Return whether a recipe's network is there for OpenVINO, or in a file that needs no Keras."""
    plain = dataclasses.replace(recipe, precision="float32", quantised=None)
    in_store = recipe.quantised is not None or models.find(plain) is not None
    return in_store or is_network_file(recipe.backbone)


@phase("converting the network")
def convert(recipe: Recipe, weights: Weights, models: ModelStore) -> str:
    """Convert a recipe's network for OpenVINO in float32, unless that was done before.

    Parameters
    ----------
    recipe : Recipe
        Of any precision: bfloat16 computes with the network in float32, and int8 is calibrated on
        it.
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
            model = (
                build_from_file(plain, weights)
                or build_vgg(plain, weights)
                or _convert_from_tensorflow(plain, weights)
            )
            sha256 = models.add(plain, pack(model))
    return sha256


def _convert_from_tensorflow(recipe: Recipe, weights: Weights) -> Any:
    from extract.engines.tensorflow import graph

    ov = import_openvino()
    forward = graph(recipe, weights)
    # Shared weights would be in memory that is freed together with the graph.
    model = ov.convert_model(forward, share_weights=False)
    # Because of Swish's custom gradient, every activation becomes an output; the first one counts.
    model = ov.Model(model.get_results()[:1], model.get_parameters(), recipe.family)
    # With a fixed batch of one: with dynamic shapes, some networks run at half speed.
    model.reshape([1, recipe.size, recipe.size, 3])
    check_conversion(model, lambda image: forward(image).numpy())
    return model


def check_conversion(model: Any, original: Callable[[np.ndarray], np.ndarray]) -> None:
    """Check that a converted network computes what the original does.

    Parameters
    ----------
    model : openvino.Model
        From RGB uint8 ``(1, size, size, 3)`` to embeddings.
    original : callable
        Computes the same.

    Raises
    ------
    EngineError
        If the embeddings of a random image differ.
    """
    shape = tuple(model.input().shape)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected, found = original(image), compiled([image])[0]
    error, norm = np.linalg.norm(found - expected), np.linalg.norm(expected)
    if not error <= _LARGEST_ERROR * norm:
        raise EngineError(
            f"OpenVINO computes other embeddings than TensorFlow with this network: they differ by "
            f"{error:.2g}, of {norm:.2g}; choose the engine tensorflow",
            setting="engine",
        )


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
        return openvino_core().read_model(archive.read(_XML), ov.Tensor(numbers))
