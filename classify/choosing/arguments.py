"""The options by which a command chooses a frozen base."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cache.location import cache_folder
from classify.errors import ClassifierError
from extract.arguments import positive
from extract.backbones.listing import candidates
from toolkit.console import duration

if TYPE_CHECKING:
    import argparse

    from extract.options import Options

AUTO = "auto"
IMAGES = 600
"""Training images in the sample, by default."""


def add_choosing(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument(
        "--choose",
        type=positive,
        metavar="N",
        nargs="?",
        const=IMAGES,
        help="go on with one of the backbones: the most accurate in cross-validation on N training "
        f"images (default: {IMAGES}); --backbone auto chooses among those whose weights are on "
        "this disk, and a few that may be downloaded",
    )
    group.add_argument(
        "--budget",
        type=duration,
        metavar="TIME",
        help="most time that the chosen backbone may take for the images whose embeddings are not "
        "cached, as 10min, by its speed on the sample",
    )


def candidates_from(args: argparse.Namespace, options: Options) -> list[Options]:
    """Return the options of each backbone that a command names, or that it chooses among.

    Raises
    ------
    ToolkitError
        If a backbone is not known, or the options do not suit each other.
    """
    automatic = is_automatic(args)
    if automatic and options.base.weights != AUTO:
        raise ClassifierError(
            f"with --backbone {AUTO}, every backbone has its own weights; to use "
            f"{options.base.weights}, name the backbones: --backbone vgg16,mobilenet --choose",
            setting="weights",
        )
    if automatic:
        found_here = candidates(cache_folder(options.base.cache))
        named = [part.strip() for part in args.backbone.split(",")]
        others = [name for name in named if name not in (AUTO, *found_here)]
        base = dataclasses.replace(options.base, backbone=",".join([*found_here, *others]))
        options = dataclasses.replace(options, base=base)
    found = options.for_each_backbone()
    if not automatic and args.choose is not None and len(found) < 2:
        raise ClassifierError(
            f"there is nothing to choose from: expected several backbones, found "
            f"{options.base.backbone}; name more, or --backbone {AUTO}",
            setting="choose",
        )
    if args.budget is not None and not is_chosen(args):
        raise ClassifierError(
            f"a budget is for choosing a backbone; add --choose, or --backbone {AUTO}",
            setting="budget",
        )
    return found


def is_chosen(args: argparse.Namespace) -> bool:
    """Return whether a command chooses a backbone."""
    return args.choose is not None or is_automatic(args)


def is_automatic(args: argparse.Namespace) -> bool:
    """Return whether some of the backbones are those that can be had."""
    return AUTO in [part.strip() for part in args.backbone.split(",")]
