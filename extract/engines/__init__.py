"""Engines run the frozen base: a batch of images in, a batch of embeddings out.

TensorFlow is the default. If the extra ``fast`` is installed, OpenVINO replaces it on processors,
and int8 becomes possible, and bfloat16 on those that have it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from extract.backbones.catalog import is_network_file
from extract.errors import EngineError
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe

ENGINES = ("auto", "tensorflow", "openvino")

FORWARD_PASSES = "forward passes"
"""The phase of an engine's calls, see `toolkit.phases`."""

_PRECISIONS = {
    "tensorflow": ("float32", "float16", "bfloat16"),
    "openvino": ("float32", "bfloat16", "int8"),
}
_NVIDIA = Path("/dev/nvidiactl")


class Engine(Protocol):
    """A callable that turns a batch of images into embeddings."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed a batch.

        Parameters
        ----------
        images : numpy.ndarray of uint8, shape (n, size, size, 3)
            RGB.

        Returns
        -------
        numpy.ndarray of float32, shape (n, height, width, channels) or (n, channels)
        """


def begin(engine: Engine, images: np.ndarray) -> Callable[[], np.ndarray]:
    """Start to embed a batch, and return a function that waits for the embeddings.

    An engine with a method `begin` computes the next batches meanwhile, so that no core waits for
    the last image of a batch; see `images_at_once`. All others compute before this returns.

    Parameters
    ----------
    engine, images
        As in a call of the engine.

    Returns
    -------
    callable
        Returns what a call of the engine does.
    """
    if hasattr(engine, "begin"):
        finish: Callable[[], np.ndarray] = engine.begin(images)
        return finish
    embeddings = engine(images)
    return lambda: embeddings


def images_at_once(engine: Engine) -> int:
    """Return how many images of batches that have begun an engine computes at the same time."""
    return int(getattr(engine, "images_at_once", 0))


def choose(precision: str, engine: str = "auto") -> str:
    """Return which engine computes in a precision.

    Parameters
    ----------
    precision : {"float32", "int8", "float16", "bfloat16"}
        See `extract.recipe.Recipe`.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        ``"auto"`` is OpenVINO if it is installed, there is no NVIDIA GPU and the environment
        variable ``KERAS_BACKEND`` is not set; otherwise TensorFlow.

    Returns
    -------
    {"tensorflow", "openvino"}

    Raises
    ------
    EngineError
        If that engine is not installed, or does not compute in that precision.

    Examples
    --------
    >>> choose("float16")
    'tensorflow'
    """
    if engine not in ENGINES:
        raise EngineError(
            f"there is no engine {engine!r}; choose one of: {', '.join(ENGINES)}", setting="engine"
        )
    installed = all(importlib.util.find_spec(name) for name in ("openvino", "nncf"))
    if engine == "auto":
        needs_tensorflow = os.environ.get("KERAS_BACKEND") or _NVIDIA.exists()
        possible = [name for name, precisions in _PRECISIONS.items() if precision in precisions]
        prefers_openvino = installed and not needs_tensorflow
        engine = "openvino" if prefers_openvino and "openvino" in possible else possible[0]
    if precision not in _PRECISIONS[engine]:
        raise EngineError(
            f"the engine {engine} does not compute in {precision}; use the engine auto, or the "
            "precision float32",
            setting="engine",
        )
    if engine == "openvino" and not installed:
        what = "int8" if precision == "int8" else "the engine openvino"
        raise EngineError(f"{what} needs OpenVINO and NNCF: pip install '.[fast]'")
    return engine


def choose_for(recipe: Recipe, engine: str = "auto") -> str:
    """Return which engine computes a recipe: a network in a file needs OpenVINO; see `choose`."""
    if not is_network_file(recipe.backbone):
        return choose(recipe.precision, engine)
    if engine == "tensorflow":
        raise EngineError(
            "a network file needs the engine openvino, found tensorflow", setting="engine"
        )
    if recipe.precision not in _PRECISIONS["openvino"]:
        raise EngineError(
            f"OpenVINO computes a network file in {', '.join(_PRECISIONS['openvino'])}, found "
            f"{recipe.precision}",
            setting="precision",
        )
    return choose(recipe.precision, "openvino")


@phase("loading the network")
def make(recipe: Recipe, weights: Weights, models: ModelStore, engine: str = "auto") -> Engine:
    """Create the engine that computes a recipe; this takes seconds.

    Parameters
    ----------
    recipe : Recipe
        What to compute.
    weights : Weights
        The weights that `recipe.weights` identifies.
    models : ModelStore
        Where converted and quantised networks are kept.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        See `choose`.

    Returns
    -------
    Engine

    Raises
    ------
    EngineError
        If the engine is not installed, or cannot compute the recipe on this machine.
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone, or a quantised network is missing.
    """
    network: Engine
    if choose_for(recipe, engine) == "openvino":
        from extract.engines.openvino import OpenVINOEngine

        network = OpenVINOEngine.from_recipe(recipe, weights, models)
    else:
        from extract.engines.tensorflow import KerasEngine, TensorFlowEngine
        from toolkit.libraries import import_keras

        on_tensorflow = import_keras().backend.backend() == "tensorflow"
        network = (TensorFlowEngine if on_tensorflow else KerasEngine)(recipe, weights)
    if recipe.flip or recipe.mirrored:
        return _FlippingEngine(network, mean=recipe.flip)
    return network


class _FlippingEngine:
    """Embeds horizontally flipped images, or returns the mean over each image and its flip."""

    def __init__(self, engine: Engine, *, mean: bool) -> None:
        self._engine, self._mean = engine, mean

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.begin(images)()

    @property
    def images_at_once(self) -> int:
        """See the function of the same name."""
        return images_at_once(self._engine)

    def begin(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """See the function of the same name."""
        import numpy as np

        if not self._mean:
            return begin(self._engine, images[:, :, ::-1].copy())
        # Together, so that a single image keeps two cores busy; by halves, so that the network
        # computes no more at once than without flips.
        halves = np.array_split(images, 2 if len(images) > 1 else 1)
        begun = [begin(self._engine, np.concatenate([half, half[:, :, ::-1]])) for half in halves]
        return lambda: np.concatenate([_means(finish()) for finish in begun])


def _means(embeddings: np.ndarray) -> np.ndarray:
    """Return the mean of the embeddings of each image and its flip, of which there are as many."""
    half = len(embeddings) // 2
    means: np.ndarray = (embeddings[:half] + embeddings[half:]) / 2
    return means
