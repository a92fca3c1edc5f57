"""The weights that an earlier run used, wherever they are now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extract.backbones import network_files
from extract.backbones import weights as pretrained
from extract.backbones.catalog import HUB, is_hub, is_network_file
from extract.backbones.hub import presets
from extract.errors import WeightsError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from extract.backbones.weights import Weights


def find_again(
    earlier: Weights,
    backbone: str,
    spec: str | None = None,
    *,
    cache: Path,
    size: int,
    layer: str | None = None,
    progress: Progress = silent,
) -> Weights:
    """Find the weights that an earlier run used, and check that they are the same.

    Parameters
    ----------
    earlier : Weights
        Where the run found them, and their identity.
    backbone : str
        Its network.
    spec : str, optional
        Where the weights are now; by default, where the run found them, or the public ones if its
        file of them is gone.
    layer : str, optional
        Of the recipe; of a network in a file, the name of its output.
    cache, size, progress
        As for `extract.backbones.weights.resolve`.

    Raises
    ------
    WeightsError
        If they cannot be found, or others are there; the message names them.
    """
    source = spec or _available(earlier)
    now = f"say in which {'folder' if is_hub(backbone) else 'file'} they are now"
    known = f"{backbone}'s with the SHA-256 {earlier.identity} over their arrays"
    try:
        if is_network_file(backbone):
            known = f"a network file with the SHA-256 {earlier.identity}"
            weights = network_files.find_weights(
                Path(source), earlier.identity, cache=cache, size=size, output=layer
            )
        elif is_hub(backbone):
            known = f"a network of KerasHub whose files have the SHA-256 {earlier.identity}"
            preset = source if is_hub(source) else HUB + source
            weights = presets.find_weights(preset, earlier.identity, cache=cache, size=size)
        else:
            weights = pretrained.resolve(
                source, backbone, cache=cache, size=size, progress=progress
            )
    except WeightsError as error:
        raise WeightsError(
            f"the weights that were used, {known}, are not available: "
            f"{error.__cause__ or error}; {now}",
            setting="weights",
        ) from error
    if weights.identity != earlier.identity:
        raise WeightsError(
            f"the weights {source} are not the ones that were used: expected {known}, found "
            f"{weights.identity}; {now}",
            setting="weights",
        )
    return weights


def _available(earlier: Weights) -> str:
    is_gone = earlier.source not in pretrained.PUBLISHED and not Path(earlier.source).is_file()
    public = earlier.identity == pretrained.TORCHVISION_VGG16
    return "torchvision" if is_gone and public else earlier.source
