"""Load a preset in a process of its own, so that a hostile one ends this process only.

It gets the name or the folder of the preset and what was asked for as arguments, and prints one
JSON object: what the network takes and returns, or what is wrong with it.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.backbones import weight_files
from extract.backbones.described import first_patch
from extract.backbones.hub.files import CONFIG, CONVERTER, SHARDS, file_hashes, weight_names
from extract.backbones.hub.towers import (
    UnknownPresetError,
    UnreachablePresetError,
    fetch,
    load_tower,
)
from extract.backbones.network_check import MEMORY
from extract.backbones.output_checks import UnusableNetworkError, check_outputs, check_shape
from toolkit.errors import ToolkitError
from toolkit.libraries import import_keras_hub
from toolkit.processes import limit_memory

if TYPE_CHECKING:
    import keras

_LARGEST_CONFIG = 2**24
_MODULES = ("keras", "keras_hub", "builtins")
"""Of the classes that a preset may be made of."""
_LAMBDAS = ("Lambda", "__lambda__")
"""What contains code."""


def main(argv: list[str]) -> None:
    """Check a preset, and print what was found.

    Parameters
    ----------
    argv : list of str
        The name of a preset or its folder, which of the two it is, and the side of the images,
        which may be empty.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print is not part of the answer
    try:
        folder = Path(argv[0]) if argv[1] == "folder" else fetch(argv[0])
        found = _describe(folder, int(argv[2] or 0) or None)
    except UnreachablePresetError as error:
        found = {"unreachable": str(error)}
    except (UnknownPresetError, UnusableNetworkError, ToolkitError) as error:
        found = {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - Keras and TensorFlow raise anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = (lines or [type(error).__name__])[0].partition(". ")[0][:200]
        if type(error).__name__ in ("ResourceExhaustedError", "MemoryError"):
            reason = "it needs more memory than a network of its size should"
        found = {"refused": f"KerasHub cannot load it: {reason}"}
    with answer:
        answer.write(json.dumps(found))


def _describe(folder: Path, size: int | None) -> dict[str, Any]:
    """Return what the network takes and returns, after a run on images of this size."""
    hashes = file_hashes(folder)
    config = _read(folder / CONFIG)
    if not str(config.get("registered_name")).startswith("keras_hub>"):
        raise UnusableNetworkError(
            f"{CONFIG} does not describe a network of KerasHub; write the folder with its "
            "save_to_preset"
        )
    weights = [folder / name for name in weight_names(folder) if name != SHARDS]
    for path in weights:
        weight_files.check_keras3(path)
    own_size, preprocessing = _converted(folder) if CONVERTER in hashes else (None, None)
    import_keras_hub()
    base, times = MEMORY
    limit_memory(base + times * sum(path.stat().st_size for path in weights))
    tower, side = _loaded(folder, size, own_size)
    described = {"hashes": hashes, "folder": str(folder), "preprocessing": preprocessing}
    if side is None:
        return described
    shape = (1, *tower.output.shape[1:])
    if None in shape:
        raise UnusableNetworkError(
            f"the shape of its output is not known before it has run: {shape}"
        )
    check_shape(shape, "its output")
    check_outputs(lambda image: _embed(tower, image), (1, side, side, 3), "its output")
    return {
        **described,
        "size": side,
        "shape": shape,
        "pooling": _pooling(shape),
        "parameters": tower.count_params(),
    }


def _read(path: Path) -> dict[str, Any]:
    """Read the description of a network or a layer, whose parts must all be Keras's own."""
    if path.stat().st_size > _LARGEST_CONFIG:
        raise UnusableNetworkError(f"{path.name} is too large for a description")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnusableNetworkError(f"{path.name} is not JSON ({error})") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise UnusableNetworkError(f"{path.name} is not the description of a network")
    _check_parts(config, path.name)
    return config


def _check_parts(part: Any, file: str) -> None:
    if isinstance(part, dict):
        module, kind = part.get("module"), part.get("class_name")
        is_foreign = isinstance(module, str) and module.partition(".")[0] not in _MODULES
        if is_foreign or kind in _LAMBDAS:
            raise UnusableNetworkError(
                f"{file} names code that is not part of Keras or KerasHub: {module}.{kind}"
            )
    if isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            _check_parts(inner, file)


def _converted(folder: Path) -> tuple[int | None, str | None]:
    """Return size and scaling of the images that a preset was trained with, if it says so."""
    _read(folder / CONVERTER)
    converter = import_keras_hub().layers.ImageConverter.from_preset(str(folder.resolve()))
    height, width = converter.image_size or (None, None)
    scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
    if not (np.isfinite(scale).all() and np.isfinite(offset).all() and (scale > 0).all()):
        return None, None
    deviation = 1 / (255 * scale)
    mean = -offset * deviation
    is_usual = (mean >= 0).all() and (mean <= 1).all()
    numbers = [",".join(f"{abs(value):.7g}" for value in values) for values in (mean, deviation)]
    return (
        height if height == width else None,
        f"mean={numbers[0]};std={numbers[1]}" if is_usual else None,
    )


def _loaded(folder: Path, size: int | None, own_size: int | None) -> tuple[keras.Model, int | None]:
    """Return the tower and the side of its images; None if they may have any, and none is given."""
    config = _read(folder / CONFIG)["config"]
    patch, wanted = config.get("patch_size"), size or own_size
    if wanted and isinstance(patch, int) and wanted % patch:
        below = wanted // patch * patch
        raise UnusableNetworkError(
            f"its patches have {patch} x {patch} pixels, and {wanted} is no multiple of that; "
            f"choose the size {below or patch} or {below + patch}"
        )
    try:
        tower = load_tower(folder, wanted)
    except ValueError as error:
        if size in (None, own_size):
            raise
        only = f", but of {own_size} x {own_size}" if own_size else ""
        raise UnusableNetworkError(
            f"it does not take images of {size} x {size} pixels{only}"
        ) from error
    shapes = [tuple(tensor.shape) for tensor in tower.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3:
        raise UnusableNetworkError(f"expected one input that takes images, found {shapes}")
    _, height, width, _ = shapes[0]
    if height != width:
        raise UnusableNetworkError(f"expected square images, found {height} x {width} pixels")
    if size not in (None, height):
        raise UnusableNetworkError(
            f"it takes images of {height} x {height} pixels, not of {size} x {size}"
        )
    return tower, height


def _embed(tower: keras.Model, image: np.ndarray) -> np.ndarray:
    return np.asarray(tower(image.astype(np.float32), training=False), dtype=np.float64)


def _pooling(shape: tuple[int, ...]) -> str:
    """Return the pooling of the network's authors.

    Tokens that do not make a square begin with a class token, which was trained to stand for the
    image.
    """
    if len(shape) == 3:
        return "cls" if first_patch(shape[1]) else "avg"
    return "avg" if len(shape) == 4 else "none"
