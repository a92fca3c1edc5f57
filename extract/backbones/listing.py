"""What there is to choose from: every backbone, and whether its weights are on this disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extract.backbones.catalog import BACKBONES
from extract.backbones.weights import on_disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def list_backbones(cache: Path) -> list[dict[str, Any]]:
    """Return a line for every backbone.

    Parameters
    ----------
    cache : Path
        The cache folder, which may have weights.

    Returns
    -------
    list of dict
        ``name``, ``parameters`` of the base without its top, ``size`` that images are resized to if
        nothing else is asked for, ``native_size`` that it was trained on, ``embedding_shape`` at
        the native size, ``preprocessing``, ``weights_on_disk``, and ``alpha``, whether it can be
        had in other widths.
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
    """Return what `list_backbones` returned as an aligned table."""
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
        "Sizes are those that a network was trained on, in pixels, and what is taken if --size is",
        "not given; but for vgg16 that is the lesson's 150, with an embedding of 4x4x512.",
        "In other widths, as in mobilenet:alpha=0.25:",
        f"  {wide}.",
        "Weights that are not on disk are downloaded when they are first needed (--weights).",
    ]
    return "\n".join(lines)
