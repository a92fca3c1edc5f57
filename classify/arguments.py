"""Options that the commands which use a saved model share, and how values are read."""

from __future__ import annotations

import argparse
import math

from extract.arguments import share
from extract.images.loading import ReadSettings

ROLES = ("embedding", "path", "label", "split")
"""See `extract.embedding_files.understanding`, whose import takes too long for ``--help``."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model of a run is used, and where its weights are."""
    parser.add_argument(
        "--clf",
        metavar="NAME",
        help="which classifier of the run (default: the best one in cross-validation)",
    )
    parser.add_argument(
        "--weights", metavar="WHICH", help="the base's weights (default: where the run had them)"
    )
    parser.add_argument("--cache", metavar="DIR", help="cache folder")


def add_port_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says on which port a server listens."""
    parser.add_argument(
        "--port", type=port, default=0, metavar="N", help="port to listen on; 0 chooses a free one"
    )


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which images are refused."""
    parser.add_argument(
        "--reject",
        type=share,
        metavar="SHARE",
        help="refuse images that are unlike the training images, as at most this share of new "
        "images of the same kind would be, as 0.05",
    )
    add_max_pixels_argument(parser)


def add_max_pixels_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how large an image may be."""
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        default=ReadSettings.max_pixels,
        help="width times height up to which an image is decoded",
    )


def columns(text: str) -> dict[str, str]:
    """Read which column of a file of embeddings is which."""
    pairs = [part.partition("=") for part in text.split(",")]
    roles = [role.strip() for role, _, _ in pairs]
    names = [name.strip() for _, _, name in pairs]
    if not all(names) or not set(roles) <= set(ROLES) or len(set(roles)) < len(roles):
        raise argparse.ArgumentTypeError(
            f"expected names of columns for some of {', '.join(ROLES)}, as label=species,path=file "
            f"(--group-column names that of the groups), found {text}"
        )
    return dict(zip(roles, names, strict=True))


def port(text: str) -> int:
    """Read the number of a port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, found {text}")
    return int(text)


def priors(text: str) -> dict[str, float] | str:
    """Read how frequent the classes are among new images."""
    if text == "equal":
        return text
    pairs = [part.rpartition("=") for part in text.split(",")]
    try:
        return {label.strip(): float(share) for label, _, share in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a share for each class, as cats=0.9,dogs=0.1, or equal; found {text}"
        ) from None


def rates(text: str) -> tuple[float, ...]:
    """Read one learning rate or several."""
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise argparse.ArgumentTypeError(
            f"expected positive numbers separated by commas, found {text}"
        )
    return rates
