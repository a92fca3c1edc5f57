"""The part of a KerasHub preset that takes images, as a Keras model."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extract.backbones.hub.files import (
    CONFIG,
    CONVERTER,
    SHARDS,
    WEIGHTS,
    file_hashes,
    identity_of,
    weight_names,
)
from extract.errors import EngineError, WeightsError
from toolkit.errors import did_you_mean
from toolkit.libraries import import_keras, import_keras_hub

if TYPE_CHECKING:
    import keras

    from extract.backbones.weights import Weights

_TOWERS = ("vision_encoder", "image_encoder")
"""What networks of images and text call their part that takes images."""


class UnknownPresetError(Exception):
    """KerasHub has no preset of this name; the text suggests another one."""


class UnreachablePresetError(Exception):
    """KerasHub cannot download a preset; the text says why, and how to get it otherwise."""


def fetch(name: str) -> Path:
    """Return the folder of a preset, which KerasHub downloads unless it has done so before.

    Raises
    ------
    UnknownPresetError
        If KerasHub has no such preset.
    UnreachablePresetError
        If it cannot be downloaded.
    """
    known: dict[str, Any] = import_keras_hub().models.Backbone.presets
    if name not in known:
        raise UnknownPresetError(
            f"KerasHub has no preset called {name!r}{did_you_mean(name, known)}; name one of "
            "https://keras.io/keras_hub/presets, or a folder that contains one"
        )
    import requests
    from keras_hub.src.utils.preset_utils import get_file

    try:
        folder = Path(get_file(name, CONFIG)).parent
        with contextlib.suppress(FileNotFoundError):
            get_file(name, CONVERTER)
        try:
            get_file(name, WEIGHTS)
        except FileNotFoundError:
            get_file(name, SHARDS)
            for part in weight_names(folder):
                get_file(name, part)
    except Exception as error:  # what KerasHub, Kaggle's package and requests raise has no limits
        page, _, _ = known[name]["kaggle_handle"].removeprefix("kaggle://").rpartition("/")
        reason = type(error).__name__
        if not isinstance(error, requests.ConnectionError):  # which only tells where it happened
            reason += f": {error}".splitlines()[0][:200]
        raise UnreachablePresetError(
            f"KerasHub cannot download {name} ({reason}); download kaggle.com/models/{page} "
            "elsewhere, unpack it into a folder here, and choose hub:FOLDER"
        ) from error
    return folder


def load_verified(weights: Weights, size: int) -> keras.Model:
    """Load a tower from the files that were checked.

    Parameters
    ----------
    weights : Weights
        Of a preset. If its folder is not known, KerasHub knows where it is.
    size : int
        Side of the images in pixels.

    Returns
    -------
    keras.Model
        See `load_tower`.

    Raises
    ------
    EngineError
        If KerasHub is not installed.
    WeightsError
        If the files have changed since they were checked, or are gone.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise EngineError("a network of KerasHub needs KerasHub: pip install '.[hub]'")
    try:
        folder = weights.path or fetch(weights.source.partition(":")[2].strip())
    except (UnknownPresetError, UnreachablePresetError) as error:
        raise WeightsError(str(error), setting="backbone") from error
    if identity_of(file_hashes(folder)) != weights.identity:
        advice = (
            "run the same command again"
            if weights.path
            else "delete that folder, and KerasHub downloads them again"
        )
        raise WeightsError(
            f"the files in {folder} have changed since they were checked; {advice}",
            setting="backbone",
        )
    return load_tower(folder, size)


def load_tower(folder: Path, size: int | None) -> keras.Model:
    """Load the part of a preset that takes images.

    Parameters
    ----------
    folder : Path
        Of the preset.
    size : int or None
        Side of the images in pixels; by default the preset's own.

    Returns
    -------
    keras.Model
        From scaled images ``(n, size, size, 3)`` to its output; not trainable.

    Raises
    ------
    ValueError
        If the preset does not take images of this size.
    """
    config = json.loads((folder / CONFIG).read_bytes())["config"]
    arguments = {"image_shape": (size, size, 3)} if size and "image_shape" in config else {}
    # An absolute path is never the name of a preset.
    backbone = import_keras_hub().models.Backbone.from_preset(str(folder.resolve()), **arguments)
    parts = (getattr(backbone, name, None) for name in _TOWERS)
    tower: Any = next((part for part in parts if part is not None), backbone)
    output = tower.output
    if isinstance(output, dict):
        output = output["sequence_output"]
    inputs = tower.inputs[0] if len(tower.inputs) == 1 else tower.inputs
    model: keras.Model = import_keras().Model(inputs, output, name="tower")
    model.trainable = False
    return model
