"""Engines run the frozen base: a batch of images in, a batch of embeddings out.

TensorFlow is the default. Where the extra ``fast`` is installed, OpenVINO takes its place on
processors, and int8 becomes possible.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from extract.errors import EngineError

if TYPE_CHECKING:
    import numpy as np

    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe

ENGINES = ("auto", "tensorflow", "openvino")

_NVIDIA = Path("/dev/nvidiactl")


class Engine(Protocol):
    """What the pipeline asks of an engine."""

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


def choose(precision: str, engine: str = "auto") -> str:
    """Return which engine computes in a precision: ``tensorflow`` or ``openvino``.

    Parameters
    ----------
    precision : str
        See `extract.recipe.Recipe`.
    engine : {"auto", "tensorflow", "openvino"}
        ``auto`` is OpenVINO if it is installed, there is no NVIDIA GPU, and ``KERAS_BACKEND`` does
        not ask for something else; otherwise TensorFlow.

    Raises
    ------
    EngineError
        If that engine is not installed, or does not compute in that precision.
    """
    if engine not in ENGINES:
        raise EngineError(f"there is no engine {engine!r}; choose one of: {', '.join(ENGINES)}")
    there = all(importlib.util.find_spec(name) for name in ("openvino", "nncf"))
    if engine == "auto":
        if precision == "float32":
            asked = os.environ.get("KERAS_BACKEND") or _NVIDIA.exists()
            return "openvino" if there and not asked else "tensorflow"
        engine = "openvino" if precision == "int8" else "tensorflow"
    if (engine == "openvino") != (precision == "int8") and precision != "float32":
        raise EngineError(
            f"the engine {engine} does not compute in {precision}; leave --engine out, or take "
            "--precision float32"
        )
    if engine == "openvino" and not there:
        what = "int8" if precision == "int8" else "the engine openvino"
        raise EngineError(f"{what} needs OpenVINO and NNCF: pip install '.[fast]'")
    return engine


def make(recipe: Recipe, weights: Weights, models: ModelStore, engine: str = "auto") -> Engine:
    """Make the engine that computes a recipe; this takes seconds.

    Parameters
    ----------
    recipe : Recipe
        What to compute.
    weights : Weights
        The weights that `recipe.weights` identifies.
    models : ModelStore
        Where converted and quantised networks are kept.
    engine : {"auto", "tensorflow", "openvino"}
        See `choose`.

    Raises
    ------
    EngineError
        If there is no such engine here.
    RecipeError
        If the backbone has no layer called `recipe.layer`.
    WeightsError
        If the weights do not fit the backbone, or a quantised network is no longer there.
    """
    made: Engine
    if choose(recipe.precision, engine) == "openvino":
        from extract.engines.openvino import OpenVINOEngine

        made = OpenVINOEngine.from_recipe(recipe, weights, models)
    else:
        from extract.engines.tensorflow import KerasEngine, TensorFlowEngine
        from extract.libraries import import_keras

        own = import_keras().backend.backend() == "tensorflow"
        made = (TensorFlowEngine if own else KerasEngine)(recipe, weights)
    if recipe.flip or recipe.mirrored:
        return _Mirrored(made, mean=recipe.flip)
    return made


class _Mirrored:
    """Gives the embeddings of mirror images, or the mean of an image's and its mirror image's."""

    def __init__(self, engine: Engine, *, mean: bool) -> None:
        self._engine, self._mean = engine, mean

    def __call__(self, images: np.ndarray) -> np.ndarray:
        mirrored = self._engine(images[:, :, ::-1].copy())
        return (self._engine(images) + mirrored) / 2 if self._mean else mirrored
