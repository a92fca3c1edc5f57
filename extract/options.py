"""The command-line options of an extraction; `extract` and `classify` have them in common."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from typing import Any

from cache.location import ENVIRONMENT_VARIABLE
from extract.engines import ENGINES
from extract.images import MAX_PIXELS
from extract.recipe import PRECISIONS

PRESETS: dict[str, dict[str, Any]] = {
    "lesson": {"preprocess": "notebook"},
    "default": {},
    "fast": {"precision": "int8"},
    "best": {"size": 224, "precision": "int8", "flip": True},
}
"""What each ``--preset`` sets; the other options have their defaults."""


@dataclass(frozen=True)
class Options:
    """What ``python -m extract`` and ``python -m classify`` ask of the extraction.

    Parameters
    ----------
    data : str
        ``auto``, a named data set, a folder, a CSV or zip file, or the URL of a zip file.
    preset : str
        The key of `PRESETS` that the user began with; what it sets are the fields below.
    backbone : str
        Any network of `keras.applications`, by its name in lower case.
    size : int
        Side in pixels of the square that images are resized to.
    pool : {"none", "avg", "max"}
        What is done over the two spatial axes of the base's output.
    preprocess : {"auto", "notebook"}
        What the weights were trained with, or the lesson's BGR / 255.
    precision : str
        Number format of the forward pass, see `extract.recipe.Recipe`.
    flip : bool
        Whether an embedding is the mean over the image and its mirror image.
    weights : str
        ``auto``, ``imagenet``, ``torchvision`` or a file.
    engine : {"auto", "tensorflow", "openvino"}
        See `extract.engines.choose`.
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
    preset: str = "default"
    backbone: str = "vgg16"
    size: int = 150
    pool: str = "none"
    preprocess: str = "auto"
    precision: str = "float32"
    flip: bool = False
    weights: str = "auto"
    engine: str = "auto"
    batch_size: int = 32
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    cache: str | None = None
    mirror: str | None = None
    test_size: float = 0.2
    seed: int = 0

    @property
    def described_preset(self) -> str:
        """The preset, with the options that were set otherwise: "best, but size 150"."""
        standard = Options(**PRESETS[self.preset])
        changed = ", ".join(
            f"{name} {getattr(self, name)}"
            for name in ("backbone", "size", "pool", "preprocess", "precision", "flip")
            if getattr(self, name) != getattr(standard, name)
        )
        return f"{self.preset}, but {changed}" if changed else self.preset


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
    _add_base_arguments(parser, default)
    work = parser.add_argument_group("work")
    work.add_argument(
        "--engine",
        choices=ENGINES,
        default=default.engine,
        help="what computes; auto is OpenVINO if the extra fast is installed and there is no GPU, "
        "else TensorFlow",
    )
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
        "--seed", type=_seed, metavar="N", default=default.seed, help="of everything random"
    )
    work.add_argument("--quiet", action="store_true", help="no progress, no notes, no summary")
    work.add_argument(
        "--json", action="store_true", help="print the summary as one JSON object instead"
    )


def _add_base_arguments(parser: argparse.ArgumentParser, default: Options) -> None:
    base = parser.add_argument_group("frozen base")
    base.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=default.preset,
        help="lesson: 150 pixels, float32, notebook preprocessing; default: 150, float32; "
        "fast: 150, int8; best: 224, int8, flip. The options below change it",
    )
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
        "--size",
        type=_positive,
        metavar="PIXELS",
        help=f"side of the images (default: {default.size})",
    )
    base.add_argument(
        "--pool", choices=("none", "avg", "max"), default=default.pool, help="over height and width"
    )
    base.add_argument(
        "--preprocess",
        choices=("auto", "notebook"),
        help="what the weights were trained with (default), or the lesson's BGR / 255",
    )
    base.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of the forward pass (default: float32); int8 needs the extra fast and is calibrated "
        "once, on training images; float16 and bfloat16 need a GPU",
    )
    base.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mean of the embeddings of the image and of its mirror image, at twice the cost",
    )


def options_from(args: argparse.Namespace) -> Options:
    """Return the options that a parser with `add_arguments` has read."""
    names = {field.name for field in dataclasses.fields(Options)}
    given = {
        name: value for name, value in vars(args).items() if name in names and value is not None
    }
    return Options(**{**PRESETS[args.preset], **given})


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return number


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2^32 - 1, found {text}"
        )
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text}")
    return share
