"""Quantising a network to 8 bits, calibrated on training images.

This is post-training quantisation: NNCF chooses the range of numbers that the 256 steps of each
layer span, from the outputs of the layer on the calibration images.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from extract.engines.openvino import convert, pack, unpack
from toolkit.libraries import import_nncf
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np

    from extract.backbones.weights import Weights
    from extract.engines.model_store import ModelStore
    from extract.recipe import Recipe


@phase("calibrating int8")
def quantise(
    recipe: Recipe,
    weights: Weights,
    models: ModelStore,
    images: np.ndarray,
    progress: Progress = silent,
) -> bytes:
    """Quantise a recipe's network.

    Parameters
    ----------
    recipe : Recipe
        Determines the network.
    weights : Weights
        The weights that `recipe.weights` identifies.
    models : ModelStore
        Where the network in float32 is kept.
    images : numpy.ndarray of uint8, shape (n, size, size, 3)
        RGB, from the same source as the images that will be embedded.
    progress : Progress
        Called with the stage "calibrating int8".

    Returns
    -------
    bytes
        A model for `extract.engines.openvino.OpenVINOEngine`.

    Raises
    ------
    WeightsError
        If the weights do not fit the backbone.

    Notes
    -----
    Weights use 7 of the 8 bits (NNCF's "overflow fix"). A sum of two products then fits into
    16 bits, which processors without int8 instructions add in. So the numbers are the same on all
    x86 processors. Networks with attention are quantised the way NNCF has for them, which keeps the
    parts in float32 that lose most.
    """
    model = unpack(models.read(convert(recipe, weights, models)))
    nncf = import_nncf()
    kinds = {node.get_type_name() for node in model.get_ops()}
    attends = not kinds.isdisjoint(("Softmax", "ScaledDotProductAttention"))
    n_seen = 0
    running = contextlib.ExitStack()

    def feed(i: int) -> np.ndarray:
        nonlocal n_seen
        if i == 0:
            running.enter_context(phase("calibrating int8: running images in float32"))
        elif i == len(images) - 1:
            running.close()
        n_seen = min(n_seen + 1, len(images) - 1)
        progress("calibrating int8", n_seen, len(images))
        batch: np.ndarray = images[i : i + 1]
        return batch

    with running, contextlib.redirect_stdout(io.StringIO()):  # NNCF prints progress bars
        quantised: Any = nncf.quantize(
            model,
            nncf.Dataset(range(len(images)), feed),
            subset_size=len(images),
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE
            ),
        )
    progress("calibrating int8", len(images), len(images))
    return pack(quantised)
