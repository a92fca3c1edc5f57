"""`python -m classify.predict RUN IMAGE|FOLDER...`: a saved model on new images."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify.errors import ModelError
from extract.arguments import share
from extract.images.loading import ReadSettings
from toolkit.addresses import as_path
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.csv_cells import encode_text, write_csv
from toolkit.progress import ConsoleProgress
from toolkit.wording import counted, plural, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from classify.serving.model import Model
    from classify.serving.prediction import Prediction

logger = logging.getLogger("classify.predict")  # run as a module, its name is __main__

DESCRIPTION = "Classify images with a model that python -m classify has saved."
COLUMNS = ("path", "class", "probability", "undecided", "problem", "familiarity")
OTHER_FORMATS = (".xlsx", ".xlsm", ".xls", ".ods", ".parquet", ".json", ".html")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that uses a saved model."""
    parser.add_argument(
        "--clf",
        metavar="NAME",
        help="which classifier of the run (default: the best one in cross-validation)",
    )
    parser.add_argument(
        "--weights", metavar="WHICH", help="the base's weights (default: where the run had them)"
    )
    parser.add_argument("--cache", metavar="DIR", help="cache folder")
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.predict`` and return its exit status."""
    parser = argument_parser("python -m classify.predict", DESCRIPTION)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "paths", metavar="IMAGE|FOLDER", nargs="+", help="images to classify, or their addresses"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write a table instead; - prints it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read and decode")
    add_model_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    return run_command(_predict, parser.parse_args(argv))


def _predict(args: argparse.Namespace) -> None:
    from classify.serving.model import Model

    _check_order(args.run, args.paths)
    to_print = args.csv == Path("-")
    if to_print and args.json:
        raise ModelError(
            "a table and a JSON object cannot both be printed; write the table to a file"
        )
    if args.csv is not None and args.csv.suffix.lower() in OTHER_FORMATS:
        raise ModelError(
            f"the table is written as CSV, and {args.csv} has the suffix of another format; give "
            "it the suffix .csv",
            setting="csv",
        )
    files = [file for path in args.paths for file in _images_in(path)]
    with ConsoleProgress(args.quiet) as progress:
        model = Model(
            args.run,
            args.clf,
            weights=args.weights,
            cache=args.cache,
            reading=ReadSettings(args.workers, args.max_pixels),
            progress=progress,
        )
        result = model.result
        logger.info(
            "%s: %s, accuracy in the run %.3f", result.classifier, result.title, result.accuracy
        )
        _warn_without_threshold(model)
        predictions = model.predict_files(files, reject=args.reject)
    n_broken = sum(prediction.reason is not None for prediction in predictions)
    if args.json:
        print(json.dumps(_summary(model, predictions, args.reject)))
    elif args.csv is None:
        for prediction in predictions:
            print(_line(prediction))
    if args.csv is not None:
        try:
            _write_table(None if to_print else args.csv, predictions, args.reject)
        except OSError as error:
            raise ModelError(
                f"cannot write {args.csv}: {error.strerror or error}", setting="csv"
            ) from error
        n_images = len(predictions) - n_broken
        if not (args.json or to_print):
            print(f"{args.csv}: {plural(n_images, 'image')} classified, {n_broken:,} broken")
    if n_broken == len(predictions):
        raise ModelError("none of the files can be used as an image; choose others")


def _warn_without_threshold(model: Model) -> None:
    """Say that every image gets a class, although the run was asked for a threshold."""
    target = model.run.settings.get("target_precision")
    if target is not None and model.result.threshold is None:
        logger.warning(
            "%s has no threshold: the run could not show that %.1f%% of its predictions are "
            "correct on new images, so no prediction is left undecided",
            model.result.classifier,
            100 * target,
        )


def _summary(
    model: Model, predictions: Sequence[Prediction], reject: float | None
) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    threshold = model.result.threshold
    return {
        "classifier": model.result.classifier,
        "threshold": None if threshold is None else threshold.threshold,
        "predictions": [
            {
                "path": str(prediction.path),
                "class": prediction.label,
                "probability": prediction.probability,
                "undecided": prediction.undecided,
                "problem": prediction.reason,
                "familiarity": prediction.familiarity,
                **({} if reject is None else {"refused": prediction.refused}),
            }
            for prediction in predictions
        ],
    }


def _check_order(run: Path, paths: Sequence[str]) -> None:
    """Raise an error if the run was named after the images."""
    from reports.record import RECORD_NAME

    if (run / RECORD_NAME).exists():
        return
    for path in paths:
        if (Path(path) / RECORD_NAME).is_file():
            raise ModelError(
                f"{path} is the folder of a run, and {run} is none; name the run first, then the "
                "images"
            )


def _images_in(text: str) -> list[Path]:
    """Return the images that an argument names; say which files of a folder are none."""
    from extract.datasets.layouts import images_in

    found = images_in(as_path(text))
    if found.passed_over:
        kinds = ", ".join(counted(number, kind) for kind, number in found.passed_over.items())
        logger.info("%s: %s; not looked at: %s", text, plural(len(found.paths), "image"), kinds)
    if found.disguised:
        logger.info(
            "%s: %s by content, for example %s; name them one by one, or rename them",
            text,
            plural(len(found.disguised), "of these is an image", "of these are images"),
            found.disguised[0],
        )
    return found.paths


def _line(prediction: Prediction) -> str:
    name = printable(str(prediction.path))
    if prediction.reason is not None:
        return f"{name}  cannot be used as an image: {printable(prediction.reason)}"
    note = "  undecided: below the run's threshold" if prediction.undecided else ""
    if prediction.refused:
        note = (
            "  refused: unlike anything it was trained on "
            f"(familiarity {prediction.familiarity:.3f})"
        )
    return f"{name}  {printable(str(prediction.label))}  {prediction.probability:.3f}{note}"


def _write_table(
    path: Path | None, predictions: Sequence[Prediction], reject: float | None
) -> None:
    """Write what `--csv` asks for."""
    columns = COLUMNS if reject is None else (*COLUMNS, "refused")
    rows = (_row(prediction)[: len(columns)] for prediction in predictions)
    write_csv(path, columns, rows)


def _row(prediction: Prediction) -> list[str]:
    """Return the cells of all columns."""
    probability, familiarity = (
        "" if number is None else repr(number)
        for number in (prediction.probability, prediction.familiarity)
    )
    cells = (
        str(prediction.path),
        prediction.label or "",
        probability,
        "yes" if prediction.undecided else "",
        prediction.reason or "",
        familiarity,
        "yes" if prediction.refused else "",
    )
    return [encode_text(cell) for cell in cells]


if __name__ == "__main__":
    raise SystemExit(main())
