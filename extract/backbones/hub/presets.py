"""Presets of KerasHub: what they are is found once, by a process of its own, and kept."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import file_records
from extract.backbones import guarded
from extract.backbones.catalog import HUB, is_hub, is_network_file, name_in_recipes
from extract.backbones.described import DescribedNetwork, check_size
from extract.backbones.hub.files import CONVERTER, file_hashes, identity_of
from extract.backbones.weights import Weights
from extract.errors import EngineError, RecipeError, WeightsError
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def open_preset(
    backbone: str, *, cache: Path, size: int | str = "default", layer: str | None = None
) -> DescribedNetwork:
    """Find a preset, and check that it can be used.

    Parameters
    ----------
    backbone : str
        ``"hub:NAME"``, a preset that KerasHub downloads if need be, or ``"hub:FOLDER"``.
    cache : Path
        The cache folder, which keeps what was found.
    size : int or {"default", "native"}, default="default"
        Side of the images in pixels; by default the preset's own.
    layer : str, default=None
        Presets have no outputs to choose from.

    Returns
    -------
    DescribedNetwork

    Raises
    ------
    EngineError
        If KerasHub is not installed.
    WeightsError
        If there is no such preset, it cannot be downloaded, or it is damaged, hostile, or no
        network of images.
    RecipeError
        If its size must be chosen.
    """
    if layer is not None:
        raise RecipeError(
            f"{backbone} has one output, found the name of another one: {layer!r}; leave it out",
            setting="layer",
        )
    wanted = size if isinstance(size, int) else None
    check_size(wanted)
    given = backbone[len(HUB) :].strip()
    if not given:
        raise WeightsError(
            "expected the name of a preset or a folder after hub:, as in hub:dinov2_small",
            setting="backbone",
        )
    folder = folder_of(backbone)
    state = None
    if folder is not None:
        try:
            state = tuple(
                (file.name, file.stat().st_mtime_ns, file.stat().st_size)
                for file in sorted(folder.iterdir())
                if file.is_file()
            )
        except OSError as error:
            raise WeightsError(
                f"cannot read {error.filename}: {error.strerror}", setting="backbone"
            ) from error
    return _opened(backbone, given, folder, state, cache, wanted)


def folder_of(backbone: str) -> Path | None:
    """Return the absolute path of the folder that a preset is; None if it is a name."""
    path = Path(backbone.removeprefix(HUB).strip())
    with contextlib.suppress(RuntimeError):  # a user that does not exist
        path = path.expanduser()
    # os.path finds no error in a name that is too long for a path.
    return path.absolute() if os.path.isdir(path) else None  # noqa: PTH112


def needs_scaling(backbone: str) -> bool:
    """Return whether a network does not say how pixels are scaled: in a file, or some presets."""
    if not is_hub(backbone):
        return is_network_file(backbone)
    folder = folder_of(backbone)
    return folder is not None and not (folder / CONVERTER).is_file()


def find_weights(backbone: str, earlier: str, *, cache: Path, size: int) -> Weights:
    """Return a preset as weights.

    A folder whose identity is not the one of an earlier run is not checked any further.

    Parameters
    ----------
    backbone : str
    earlier : str
        The identity of an earlier run.
    cache, size
        As for `open_preset`.

    Raises
    ------
    ToolkitError
        As `open_preset`.
    """
    folder = folder_of(backbone)
    if folder is not None:
        identity = identity_of(file_hashes(folder))
        if identity != earlier:
            return Weights(backbone, identity, None, folder)
    return open_preset(backbone, cache=cache, size=size).weights


@functools.lru_cache(maxsize=16)
@phase("reading and identifying the weights")
def _opened(
    backbone: str, given: str, folder: Path | None, _state: Any, cache: Path, size: int | None
) -> DescribedNetwork:
    """Do what `open_preset` does, once for a preset and a size."""
    if folder is None and Path(given).name != given:
        raise WeightsError(f"there is no folder {given}", setting="backbone")
    # Another version of KerasHub may have another version of a preset.
    content = identity_of(file_hashes(folder)) if folder else f"{given} {_version()}"
    kept = file_records.read_record(_record(cache, content, size)) or {}
    if kept.get("asked") == f"{content} {size or ''}":
        found = json.loads(kept["found"])
        identity = identity_of(found["hashes"])
    else:
        found = _checked(given, folder, size)
        identity = identity_of(found["hashes"])
        if folder and identity != content:
            raise WeightsError(
                f"{folder} is changing; run the same command again", setting="backbone"
            )
        source = HUB + (str(folder) if folder else given)
        # A saved model asks for the size that was found here.
        for asked in {size, found.get("size")}:
            file_records.write_record(
                _record(cache, content, asked),
                asked=f"{content} {asked or ''}",
                source=source,
                found=json.dumps(found),
            )
    if "shape" not in found:
        raise RecipeError(
            f"{backbone} takes images of any size; choose the side in pixels that it was trained "
            "with",
            setting="size",
        )
    return DescribedNetwork(
        backbone,
        name_in_recipes(backbone),
        identity,
        found["size"],
        tuple(found["shape"]),
        pooling=found["pooling"],
        preprocessing=found["preprocessing"],
        path=folder,
    )


def _record(cache: Path, content: str, size: int | None) -> Path:
    key = hashlib.sha256(f"{content} {size or ''}".encode()).hexdigest()[:32]
    return cache / "weights" / f"hub-{key}.json"


def _version() -> str:
    try:
        return importlib.metadata.version("keras-hub")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _checked(given: str, folder: Path | None, size: int | None) -> Mapping[str, Any]:
    """Let another process load and run a preset; return what it found."""
    if importlib.util.find_spec("keras_hub") is None:
        raise EngineError("a network of KerasHub needs KerasHub: pip install '.[hub]'")
    logger.info("KerasHub loads %s, to find out what it takes and returns", given)
    kind = "preset" if folder is None else "folder"
    found = guarded.describe(
        "extract.backbones.hub.check",
        [str(folder.resolve()) if folder else given, kind, str(size or "")],
        given,
        seconds=guarded.SECONDS if folder else None,
    )
    if "unreachable" in found:
        raise WeightsError(found["unreachable"], setting="backbone")
    return found
