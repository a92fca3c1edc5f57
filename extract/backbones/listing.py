"""A list of all backbones, and whether their weights are on this disk."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from extract.backbones.catalog import BACKBONES
from extract.backbones.weights import on_disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


TRIED = ("vgg16", "mobilenetv2", "efficientnetv2b0", "convnexttiny")
"""Small, different and accurate: worth a download to find out which suits."""


def candidates(cache: Path) -> list[str]:
    """Return the backbones whose weights are on this disk, and those that are worth a download.

    Parameters
    ----------
    cache : Path
        The cache folder, which may contain weights.
    """
    return [name for name in BACKBONES if name in TRIED or on_disk(name, cache)]


def list_backbones(
    cache: Path, speeds: Sequence[tuple[str, int, str, float]] = ()
) -> list[dict[str, Any]]:
    """Return a description of every backbone.

    Parameters
    ----------
    cache : Path
        The cache folder, which may contain weights.
    speeds : sequence of (str, int, str, float), default=()
        Backbone, size, precision and images per second that this machine has reached; see
        `extract.engines.speeds`.

    Returns
    -------
    list of dict
        ``name``; ``parameters`` of the base without its top; ``size``, the default side of the
        images; ``native_size``, the size it was trained on; ``embedding_shape`` at the native
        size; ``preprocessing``; ``weights_on_disk``; ``alpha``, whether it has a width
        multiplier; and ``speeds``, a list of dict with ``size``, ``precision`` and
        ``images_per_second``. Networks in files are not listed.
    """
    of_each: dict[str, list[dict[str, Any]]] = {}
    for backbone, size, precision, rate in speeds:
        of_each.setdefault(backbone, []).append(
            {"size": size, "precision": precision, "images_per_second": rate}
        )
    return [
        {
            "name": backbone.name,
            "parameters": backbone.parameters,
            "size": backbone.size,
            "native_size": backbone.native_size,
            "embedding_shape": list(backbone.embedding_shape),
            "preprocessing": backbone.preprocessing,
            "weights_on_disk": on_disk(backbone.name, cache),
            "alpha": backbone.alpha is not None,
            "speeds": of_each.get(backbone.name, []),
        }
        for backbone in BACKBONES.values()
    ]


def backbone_table(backbones: Sequence[dict[str, Any]]) -> str:
    """Return the result of `list_backbones` as an aligned table of text."""
    lines = [
        f"{'name':<18}{'parameters':>12}  {'size':>4}  {'embedding':<12}  {'on disk':<7}  images/s"
    ]
    lines += [
        f"{line['name']:<18}{line['parameters']:>12,}  {line['native_size']:>4}  "
        f"{'x'.join(map(str, line['embedding_shape'])):<12}  "
        f"{'yes' if line['weights_on_disk'] else 'no':<7}  {_fastest(line['speeds'])}".rstrip()
        for line in backbones
    ]
    wide = ", ".join(line["name"] for line in backbones if line["alpha"])
    lines += [
        "",
        "Sizes are in pixels: what a network was trained on, and the default. Only vgg16 has",
        "another default, 150, with an embedding of 4x4x512.",
        "With a width multiplier, as in mobilenet:alpha=0.25:",
        f"  {wide}.",
        "Weights that are not on disk are downloaded when they are first needed. The speed is the",
        "highest that this machine has reached, with the precision and the size.",
        "--backbone also takes networks in files (.onnx, .xml), "
        + (
            "which OpenVINO runs."
            if importlib.util.find_spec("openvino")
            else "for which OpenVINO is missing: pip install '.[fast]'."
        ),
    ]
    return "\n".join(lines)


def _fastest(speeds: Sequence[dict[str, Any]]) -> str:
    if not speeds:
        return ""
    best = max(speeds, key=lambda speed: float(speed["images_per_second"]))
    return f"{best['images_per_second']:.3g} ({best['precision']}, {best['size']})"
