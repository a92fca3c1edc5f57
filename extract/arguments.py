"""The command-line options of an extraction, which ``extract`` and ``classify`` share."""

from __future__ import annotations

import argparse
import dataclasses

from cache.location import ENVIRONMENT_VARIABLE
from extract.engines import ENGINES
from extract.images.loading import ReadSettings
from extract.images.pixels import ASPECTS
from extract.options import (
    LAYOUTS,
    PRESETS,
    RESIZINGS,
    VALIDATION,
    BaseSettings,
    DataSettings,
    Options,
)
from extract.recipe import POOLINGS, PRECISIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of an extraction to a parser, with the defaults of `Options`."""
    default = Options()
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        metavar="WHAT",
        default=default.data,
        help="auto, dogs-vs-cats, shapes, a folder, a table with path,label[,split] (.csv, .tsv, "
        ".xlsx, .parquet), an archive (.zip, .tar, .tar.gz) or the URL of one, or the address of a "
        "folder or table (s3://bucket/pictures, https://host/pictures/); auto is data/ if it "
        "contains images, else dogs-vs-cats, else (if that cannot be downloaded) shapes",
    )
    data.add_argument(
        "--labels",
        action="append",
        metavar="FILE",
        help="a table with path,label whose labels replace those of the data, as a corrected "
        "suspects.csv, also as a spreadsheet saves it; an image with an empty label is left out, "
        "and so are the test images of a leaks.csv. Of several files (--labels A --labels B), each "
        "corrects what the one before says",
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
        help="share of each class for the test split, if the data have none",
    )
    _add_data_settings(data)
    _add_base_arguments(parser, default.base)
    _add_work_arguments(parser, default)


def _add_work_arguments(parser: argparse.ArgumentParser, default: Options) -> None:
    work = parser.add_argument_group("work")
    work.add_argument(
        "--engine",
        choices=ENGINES,
        default=default.base.engine,
        help="runs the network; auto is OpenVINO if the extra fast is installed and there is no "
        "GPU, else TensorFlow",
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
        help="compute (and, in classify, train) on a Dask cluster: tcp://HOST:PORT of its "
        "scheduler, or local:N for N processes on this machine",
    )
    work.add_argument(
        "--max-pixels",
        type=positive,
        metavar="N",
        default=default.reading.max_pixels,
        help="width times height up to which an image is decoded (four times that for a JPEG that "
        "is decoded at a smaller scale); a larger one is not used",
    )
    work.add_argument(
        "--cache",
        metavar="DIR",
        help=f"cache folder (default: ${ENVIRONMENT_VARIABLE}, else the user's cache folder)",
    )
    work.add_argument(
        "--seed", type=_seed, metavar="N", default=default.seed, help="seed of everything random"
    )
    work.add_argument(
        "--profile", action="store_true", help="also print where the time went, phase by phase"
    )
    work.add_argument("--quiet", action="store_true", help="no progress, no notes, no summary")
    work.add_argument(
        "--json", action="store_true", help="print the summary as one JSON object instead"
    )


def _add_data_settings(data: argparse._ArgumentGroup) -> None:
    default = DataSettings()
    data.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=default.layout,
        help="what the folders mean: each folder is a class (class-folders), only the innermost "
        "ones are (leaf-folders), train and test are splits (split-folders), labels are in the "
        "file names, or in a table beside the images; auto decides from the whole tree",
    )
    data.add_argument(
        "--validation",
        choices=VALIDATION,
        default=default.validation,
        help="what a validation split becomes; auto adds it to the training split, or takes it as "
        "the test split if there is no other",
    )
    data.add_argument(
        "--min-images",
        type=positive,
        metavar="N",
        default=None,
        help="leave out classes with fewer images",
    )
    data.add_argument(
        "--group-by",
        metavar="HOW",
        help="keep images together that belong together, as those of a patient, on one side of "
        "every split: folder (the one directly below the class), patient (of DICOM files), none "
        "(not even what is taken by itself: a column group, the patients of DICOM files), or a "
        "regular expression that is searched for in each path below the data's folder (its first "
        "capture group, or else all of it)",
    )
    data.add_argument(
        "--group-column",
        metavar="NAME",
        help="the column of the data's table that says which images belong together",
    )
    data.add_argument(
        "--groups",
        metavar="FILE",
        help="a table with path,group that says which images belong together",
    )


def _add_base_arguments(parser: argparse.ArgumentParser, default: BaseSettings) -> None:
    base = parser.add_argument_group("frozen base")
    base.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=Options.preset,
        help="lesson: 150 pixels, float32, notebook preprocessing, lanczos; default: 150, float32; "
        "fast: 150, int8; best: 224, int8, flip (sizes for VGG16). The options below override it",
    )
    base.add_argument(
        "--backbone",
        metavar="NAMES",
        default=default.backbone,
        help="a keras.applications network (python -m extract --list-backbones), hub: and a preset "
        "of KerasHub or its folder, an ONNX or OpenVINO file (.onnx, .xml), or several separated "
        "by commas; mobilenet:alpha=0.25 sets the width multiplier",
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
        "but 150 for VGG16)",
    )
    base.add_argument(
        "--pool",
        "--pooling",
        dest="pooling",
        choices=("auto", *POOLINGS),
        default=default.pooling,
        help="pooling over height and width; auto is that of the backbone's own classifier; of "
        "tokens, cls is the first one, and avg the mean of the others",
    )
    base.add_argument(
        "--output",
        "--layer",
        dest="layer",
        metavar="NAME",
        help="the layer, or the output of a file, that is the embedding (default: the last)",
    )
    base.add_argument(
        "--preprocess",
        metavar="HOW",
        help="auto: what the weights were trained with (default); notebook: BGR / 255; a file "
        "needs imagenet, clip, tf, none, or as in 'mean=0.5,0.5,0.5;std=0.5,0.5,0.5'",
    )
    base.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="number format of the forward pass (default: float32); int8 needs the extra fast and "
        "is calibrated once, on training images; bfloat16 needs the extra fast and a processor "
        "that has it, or a GPU; float16 needs a GPU",
    )
    base.add_argument(
        "--resize",
        choices=tuple(RESIZINGS),
        help="bicubic (default) filters before it samples, and decodes images as a person sees "
        "them; lanczos is the lesson's arithmetic, which finds the embeddings of earlier versions",
    )
    base.add_argument(
        "--fit",
        dest="aspect",
        choices=ASPECTS,
        help="how an image becomes a square: stretch both sides (default), crop the middle, or pad "
        "with white",
    )
    base.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="mean of the embeddings of the image and of its horizontal flip, at twice the cost",
    )


def options_from(args: argparse.Namespace) -> Options:
    """Return the options that a parser with `add_arguments` has read.

    An option that the user left out has the value of the preset, or else its default.
    """
    base, reading, data_settings, others = (
        {
            field.name: value
            for field in dataclasses.fields(settings)
            if (value := getattr(args, field.name, None)) is not None
        }
        for settings in (BaseSettings, ReadSettings, DataSettings, Options)
    )
    if len(others.get("labels", [])) == 1:  # as records of earlier versions have it
        [others["labels"]] = others["labels"]
    return Options(
        base=dataclasses.replace(PRESETS[args.preset], **base),
        reading=ReadSettings(**reading),
        data_settings=DataSettings(**data_settings),
        **others,
    )


def positive(text: str) -> int:
    """Parse a positive integer, for argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, found {text}")
    return number


def _size(text: str) -> int | str:
    return text if text in ("default", "native") else positive(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected an integer from 0 to 2^32 - 1, found {text}")
    return int(text)


def share(text: str) -> float:
    """Parse a share between 0 and 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, found {text}")
    return value
