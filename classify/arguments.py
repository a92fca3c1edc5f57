"""Options that the commands which use a saved model share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.arguments import share
from extract.images.loading import ReadSettings

if TYPE_CHECKING:
    import argparse


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


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which images are refused."""
    parser.add_argument(
        "--reject",
        type=share,
        metavar="SHARE",
        help="refuse images that are unlike the training images, as at most this share of new "
        "images of the same kind would be, as 0.05",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        default=ReadSettings.max_pixels,
        help="width times height up to which an image is decoded",
    )
