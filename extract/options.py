"""The command-line options of an extraction; `extract` and `classify` have them in common."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass

from cache.location import ENVIRONMENT_VARIABLE
from extract.images import MAX_PIXELS


@dataclass(frozen=True)
class Options:
    """What ``python -m extract`` and ``python -m classify`` ask of the extraction.

    Parameters
    ----------
    data : str
        ``auto``, a named data set, a folder, a CSV or zip file, or the URL of a zip file.
    backbone : str
        Any network of `keras.applications`, by its name in lower case.
    size : int
        Side in pixels of the square that images are resized to.
    pool : {"none", "avg", "max"}
        What is done over the two spatial axes of the base's output.
    preprocess : {"auto", "notebook"}
        What the weights were trained with, or the lesson's BGR / 255.
    weights : str
        ``auto``, ``imagenet``, ``torchvision`` or a file.
    batch_size : int
        Images per forward pass.
    workers : int or None
        Processes that read and decode; None is one per core.
    max_pixels : int
        Width times height up to which an image is decoded; a larger one is set aside.
    cache : str or None
        The cache folder; None is the environment's or the user's.
    mirror : str or None
        URL below which the files of a named data set are fetched instead.
    test_size : float
        Share of the test split where the data have none.
    seed : int
        Decides that split, and everything random in training.
    """

    data: str = "auto"
    backbone: str = "vgg16"
    size: int = 150
    pool: str = "none"
    preprocess: str = "auto"
    weights: str = "auto"
    batch_size: int = 32
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    cache: str | None = None
    mirror: str | None = None
    test_size: float = 0.2
    seed: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser, with `Options`' defaults."""
    default = Options()
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        metavar="WHAT",
        default=default.data,
        help="auto, dogs-vs-cats, shapes, a folder, a .csv file with path,label[,split], a .zip "
        "file or the URL of one; auto takes data/ if it holds images, else dogs-vs-cats, else "
        "(if that cannot be reached) shapes",
    )
    data.add_argument(
        "--mirror", metavar="URL", help="fetch the files of dogs-vs-cats below this address"
    )
    data.add_argument(
        "--test-size",
        type=_share,
        metavar="SHARE",
        default=default.test_size,
        help="share of every class that becomes the test split, where the data have none",
    )
    base = parser.add_argument_group("frozen base")
    base.add_argument(
        "--backbone", metavar="NAME", default=default.backbone, help="a keras.applications network"
    )
    base.add_argument(
        "--weights",
        metavar="WHICH",
        default=default.weights,
        help="auto, imagenet, torchvision (VGG16 only) or a .h5 or .npz file",
    )
    base.add_argument(
        "--size", type=_positive, metavar="PIXELS", default=default.size, help="side of the images"
    )
    base.add_argument(
        "--pool", choices=("none", "avg", "max"), default=default.pool, help="over height and width"
    )
    base.add_argument(
        "--preprocess",
        choices=("auto", "notebook"),
        default=default.preprocess,
        help="what the weights were trained with, or the lesson's BGR / 255",
    )
    work = parser.add_argument_group("work")
    work.add_argument(
        "--batch-size",
        type=_positive,
        metavar="N",
        default=default.batch_size,
        help="images per forward pass",
    )
    work.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="processes that read and decode (default: one per core)",
    )
    work.add_argument(
        "--max-pixels",
        type=_positive,
        metavar="N",
        default=default.max_pixels,
        help="width times height up to which an image is decoded; a larger one is set aside",
    )
    work.add_argument(
        "--cache",
        metavar="DIR",
        help=f"cache folder (default: ${ENVIRONMENT_VARIABLE}, else the user's cache folder)",
    )
    work.add_argument(
        "--seed", type=int, metavar="N", default=default.seed, help="of everything random"
    )
    work.add_argument("--quiet", action="store_true", help="no progress, no notes, no summary")
    work.add_argument(
        "--json", action="store_true", help="print the summary as one JSON object instead"
    )


def options_from(args: argparse.Namespace) -> Options:
    """Return the options that a parser with `add_arguments` has read."""
    names = {field.name for field in dataclasses.fields(Options)}
    return Options(**{name: value for name, value in vars(args).items() if name in names})


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text}")
    return share
