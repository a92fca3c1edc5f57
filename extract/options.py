"""The command-line options of an extraction; `extract` and `classify` have them in common."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from typing import Any

from cache.location import ENVIRONMENT_VARIABLE
from extract.backbones.catalog import find
from extract.engines import ENGINES
from extract.errors import RecipeError
from extract.images.decoding import MAX_PIXELS
from extract.recipe import PRECISIONS

PRESETS: dict[str, dict[str, Any]] = {
    "lesson": {"preprocess": "notebook"},
    "default": {},
    "fast": {"precision": "int8"},
    "best": {"size": "native", "precision": "int8", "flip": True},
}
"""What each ``--preset`` sets; the other options have their defaults."""


@dataclass(frozen=True)
class Options:
    """What ``python -m extract`` and ``python -m classify`` ask of the extraction.

    Parameters
    ----------
    data : str
        ``auto``, a named data set, a folder, a CSV or zip file, the URL of a zip file, or the
        address of a folder or CSV file; see `extract.datasets.sources.locate`.
    labels : str or None
        A CSV file whose labels are put over those of the data; see `extract.datasets.corrections`.
    preset : str
        The key of `PRESETS` that the user began with; what it sets are the fields below.
    backbone : str
        Any network of `keras.applications`, see `extract.backbones.catalog.find`; or several,
        separated by commas.
    size : int or {"default", "native"}
        Side in pixels of the square that images are resized to: what the backbone was trained on,
        or (default) for VGG16 the lesson's 150.
    pool : {"auto", "none", "avg", "max"}
        What is done over the two spatial axes of the base's output; auto is what the backbone's own
        classifier does with it.
    layer : str or None
        Name of the layer whose output is the embedding; None is the base's last.
    preprocess : {"auto", "notebook"}
        What the weights were trained with, or the lesson's BGR / 255.
    precision : str
        Number format of the forward pass, see `extract.recipe.Recipe`.
    flip : bool
        Whether an embedding is the mean over the image and its mirror image.
    mirrored : bool
        Whether it is that of the mirror image alone.
    weights : str
        ``auto``, ``imagenet``, ``torchvision`` or a file; or one for each backbone, separated by
        commas.
    engine : {"auto", "tensorflow", "openvino"}
        See `extract.engines.choose`.
    batch_size : int
        Images per forward pass.
    workers : int or None
        Processes that read and decode; None is one per core.
    max_pixels : int
        Width times height up to which an image is decoded; a larger one is set aside.
    dask : str or None
        The Dask cluster that computes and trains, see `extract.cluster.connection.cluster`; None
        is this process.
    cache : str or None
        The cache folder; None is the environment's or the user's.
    mirror_url : str or None
        URL below which the files of a named data set are fetched instead.
    test_size : float
        Share of the test split where the data have none.
    seed : int
        Decides that split, and everything random in training.
    """

    data: str = "auto"
    labels: str | None = None
    preset: str = "default"
    backbone: str = "vgg16"
    size: int | str = "default"
    pool: str = "auto"
    layer: str | None = None
    preprocess: str = "auto"
    precision: str = "float32"
    flip: bool = False
    mirrored: bool = False
    weights: str = "auto"
    engine: str = "auto"
    batch_size: int = 32
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    dask: str | None = None
    cache: str | None = None
    mirror_url: str | None = None
    test_size: float = 0.2
    seed: int = 0

    def for_each_backbone(self) -> list[Options]:
        """Return these options for one backbone at a time.

        Raises
        ------
        RecipeError
            If there is no such backbone, one is named twice, or there are more or fewer weights.
        """
        names = [find(part.strip()).name for part in self.backbone.split(",")]
        if len(set(names)) < len(names):
            raise RecipeError(f"--backbone {self.backbone}: each backbone once, please")
        sources = [self.weights] * len(names)
        if len(names) > 1 and "," in self.weights:
            sources = [part.strip() for part in self.weights.split(",")]
        if len(sources) != len(names):
            raise RecipeError(
                f"--weights {self.weights}: expected one for all backbones, or {len(names)} "
                f"separated by commas, found {len(sources)}"
            )
        return [
            dataclasses.replace(self, backbone=name, weights=source)
            for name, source in zip(names, sources, strict=True)
        ]

    @property
    def described_preset(self) -> str:
        """The preset, with the options that were set otherwise: "best, but size 150"."""
        standard = Options(**PRESETS[self.preset])
        changed = ", ".join(
            f"{name} {getattr(self, name)}"
            for name in ("backbone", "size", "pool", "layer", "preprocess", "precision", "flip")
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
        "file or the URL of one, or the address of a folder or .csv file (s3://bucket/pictures, "
        "https://host/pictures/); auto takes data/ if it holds images, else dogs-vs-cats, else "
        "(if that cannot be reached) shapes",
    )
    data.add_argument(
        "--labels",
        metavar="FILE",
        help="a .csv file with path,label whose labels are put over those of the data: a corrected "
        "suspects.csv; where the label is empty, the image is left out",
    )
    data.add_argument(
        "--mirror",
        dest="mirror_url",
        metavar="URL",
        help="download the files of dogs-vs-cats from this address instead",
    )
    data.add_argument(
        "--test-size",
        type=share,
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
        type=positive,
        metavar="N",
        default=default.batch_size,
        help="images per forward pass",
    )
    work.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that read and decode (default: one per core)",
    )
    work.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster compute (and train, in classify): tcp://HOST:PORT "
        "of its scheduler, or local:N for N processes on this machine",
    )
    work.add_argument(
        "--max-pixels",
        type=positive,
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
        "fast: 150, int8; best: 224, int8, flip (sizes for VGG16). The options below change it",
    )
    base.add_argument(
        "--backbone",
        metavar="NAMES",
        default=default.backbone,
        help="a keras.applications network (python -m extract --list-backbones), or several "
        "separated by commas; mobilenet:alpha=0.25 for another width",
    )
    base.add_argument(
        "--weights",
        metavar="WHICH",
        default=default.weights,
        help="auto, imagenet, torchvision (VGG16 only) or a .h5 or .npz file; or one for each "
        "backbone, separated by commas",
    )
    base.add_argument(
        "--size",
        type=_size,
        metavar="PIXELS",
        help="side of the images, or native: what the backbone was trained on (default: native, "
        "but for VGG16 the lesson's 150)",
    )
    base.add_argument(
        "--pool",
        choices=("auto", "none", "avg", "max"),
        default=default.pool,
        help="over height and width; auto is what the backbone's own classifier does",
    )
    base.add_argument(
        "--layer",
        metavar="NAME",
        help="the layer whose output is the embedding (default: the last)",
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


def positive(text: str) -> int:
    """Read a whole number from 1, for argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return number


def _size(text: str) -> int | str:
    return text if text in ("default", "native") else positive(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2^32 - 1, found {text}"
        )
    return int(text)


def share(text: str) -> float:
    """Read a share between 0 and 1, for argparse."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text}")
    return found
