"""A list of all backbones, and whether their weights are on this disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extract.backbones.catalog import BACKBONES
from extract.backbones.weights import on_disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def list_backbones(cache: Path) -> list[dict[str, Any]]:
    """Return a description of every backbone.

    Parameters
    ----------
    cache : Path
        The cache folder, which may contain weights.

    Returns
    -------
    list of dict
        ``name``; ``parameters`` of the base without its top; ``size``, the default side of the
        images; ``native_size``, the size it was trained on; ``embedding_shape`` at the native
        size; ``preprocessing``; ``weights_on_disk``; and ``alpha``, whether it has a width
        multiplier.
    """
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
        }
        for backbone in BACKBONES.values()
    ]


def backbone_table(backbones: Sequence[dict[str, Any]]) -> str:
    """Return the result of `list_backbones` as an aligned table of text."""
    lines = [f"{'name':<18}{'parameters':>12}  {'size':>4}  {'embedding':<12}  weights on disk"]
    lines += [
        f"{line['name']:<18}{line['parameters']:>12,}  {line['native_size']:>4}  "
        f"{'x'.join(map(str, line['embedding_shape'])):<12}  "
        f"{'yes' if line['weights_on_disk'] else 'no'}"
        for line in backbones
    ]
    wide = ", ".join(line["name"] for line in backbones if line["alpha"])
    lines += [
        "",
        "Sizes are in pixels: what a network was trained on, and the default. Only vgg16 has",
        "another default, 150, with an embedding of 4x4x512.",
        "With a width multiplier, as in mobilenet:alpha=0.25:",
        f"  {wide}.",
        "Weights that are not on disk are downloaded when they are first needed.",
    ]
    return "\n".join(lines)
