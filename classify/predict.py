"""`python -m classify.predict RUN IMAGE|FOLDER...`: a saved model on new images."""

from __future__ import annotations

if __name__ == "__main__":
    from toolkit.entry import run_process

    run_process("classify.predict")

import csv
import json
import logging
import shlex
import sys
from argparse import ArgumentTypeError
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from classify.arguments import add_model_arguments, add_reading_arguments
from classify.errors import ModelError
from classify.serving.output.rows import RowFormat
from classify.serving.output.table import TableTarget
from classify.serving.sorting.actions import Outcome
from classify.serving.sorting.settings import SortSettings
from extract.images.loading import ReadSettings
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.progress import ConsoleProgress
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from classify.serving.model import Model
    from classify.serving.prediction import Prediction
    from classify.serving.sorting.journal import How
    from classify.serving.sorting.sorter import SortResult

    Blocks = Iterator[list[Prediction]]

logger = logging.getLogger(__name__)

DESCRIPTION = "Classify images with a model that python -m classify has saved."
OTHER_FORMATS = (".xlsx", ".xlsm", ".xls", ".ods", ".parquet", ".json", ".html")
FOLDERS_NAMED = 12


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.predict`` and return its exit status."""
    parser = argument_parser("python -m classify.predict", DESCRIPTION)
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument.partition("=")[0] == "--undo" for argument in arguments):
        return _main_of_undo(arguments)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "paths", metavar="IMAGE|FOLDER", nargs="+", help="images to classify, or their addresses"
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write a table instead; - prints it. A command that was stopped goes on from "
        "FILE.part",
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --csv")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument(
        "--top",
        type=_positive,
        metavar="K",
        help="list the K most probable classes of each image with their probabilities, too",
    )
    parser.add_argument(
        "--explain",
        type=Path,
        metavar="DIR",
        help="write an image into DIR, for each that is printed, that shows which places count for "
        "the predicted class and which against it, and evidence.csv with the numbers",
    )
    _add_sorting_arguments(parser)
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read and decode")
    add_model_arguments(parser)
    add_reading_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    args = parser.parse_args(arguments)
    if problem := _problem_of(args):
        parser.error(problem)
    return run_command(_predict, args)


def _main_of_undo(arguments: Sequence[str]) -> int:
    """Undo a sorting, which takes neither a run nor images."""
    parser = argument_parser("python -m classify.predict", DESCRIPTION)
    _add_undo(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    return run_command(_undo, parser.parse_args(arguments))


def _add_sorting_arguments(parser: argparse.ArgumentParser) -> None:
    sorting = parser.add_argument_group("sorting images into folders")
    sorting.add_argument(
        "--sort-into",
        type=Path,
        metavar="DIR",
        help="put every image into a folder in DIR, by what was predicted; nothing is replaced, "
        "and a repeated command goes on",
    )
    sorting.add_argument(
        "--by",
        choices=("class", "top", "uncertain"),
        help="class: a folder for each class (default); top: names begin with the probability, "
        "too; uncertain: names begin with how much more probable the first class is than the "
        "second, so that the most uncertain images come first",
    )
    how = sorting.add_mutually_exclusive_group()
    how.add_argument("--link", action="store_true", help="make hard links (default)")
    how.add_argument("--copy", action="store_true", help="copy the images")
    how.add_argument("--move", action="store_true", help="move the images")
    _add_undo(sorting)


def _add_undo(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--undo",
        type=Path,
        metavar="DIR",
        help="put everything back that was sorted into DIR, but nothing that has changed since; "
        "without a run and images",
    )


def _problem_of(args: argparse.Namespace) -> str | None:
    """Return why the arguments do not fit together."""
    if args.sort_into is None:
        for name in ("by", "link", "copy", "move"):
            if getattr(args, name):
                return f"--{name} says how images are sorted, and needs --sort-into DIR"
    if args.explain is not None and (args.sort_into or args.csv not in (None, Path("-"))):
        return "--explain goes with predictions that are printed; leave out --sort-into and --csv"
    if args.force and args.csv in (None, Path("-")):
        return "--force replaces the file of --csv, and needs --csv FILE"
    return None


def _positive(text: str) -> int:
    """Read a number of classes, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"expected a whole number from 1 on, found {text!r}")
    return int(text)


def _predict(args: argparse.Namespace) -> None:
    from classify.serving.listing import list_images
    from classify.serving.model import Model
    from classify.serving.sorting.journal import UNDO_NAME

    target = _table_target(args)
    _check_order(args.run, args.paths)
    goes_on = args.sort_into is not None and (args.sort_into / UNDO_NAME).is_file()
    files = list_images(args.paths, args.sort_into, may_be_moved=args.move and goes_on)
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
        try:
            _predict_files(args, model, files, target, progress)
        except KeyboardInterrupt as stopped:
            if args.sort_into is None and target is None:
                raise
            note = "stopped: what is done is kept, and the same command goes on from there"
            raise KeyboardInterrupt(str(stopped) or note) from None


def _predict_files(
    args: argparse.Namespace,
    model: Model,
    files: list[str],
    target: TableTarget | None,
    progress: ConsoleProgress,
) -> None:
    from classify.serving.many_files import predict_many, settings_of
    from classify.serving.output.overlays import Overlays, explaining
    from classify.serving.output.table import open_table
    from classify.serving.sorting.opening import open_sorter

    rows = RowFormat(args.reject is not None, min(args.top or 0, len(model.classes_)))
    settings = settings_of(model, args.reject)
    show = _choose_output(args, model, rows)
    table, sorter, overlays = None, None, None
    with ExitStack() as stack:
        if args.explain is not None:
            overlays = stack.enter_context(Overlays(model, args.explain))
        if args.sort_into is not None:
            sorting = SortSettings(args.sort_into, args.by or "class", _how(args))
            sorter = stack.enter_context(
                open_sorter(sorting, settings, model.classes_, files, args.paths)
            )
        if target is not None:
            table = stack.enter_context(open_table(target, rows, settings))
        blocks = predict_many(
            model,
            files,
            reject=args.reject,
            top=rows.top,
            table=table,
            sorter=sorter,
            only_missing=show is None,
        )
        if overlays is not None:
            blocks = explaining(blocks, overlays)
        counts: Counter[bool] = Counter()
        for block in show(_closing(blocks, progress)) if show else blocks:
            counts.update(prediction.reason is None for prediction in block)
        progress.close()
        n_images, n_broken = counts[True], counts[False]
        if table is not None:
            n_images, n_broken = table.publish()
            if not args.json:
                print(f"{args.csv}: {plural(n_images, 'image')} classified, {n_broken:,} broken")
    if overlays is not None:
        logger.info("%s: the evidence in %s", args.explain, plural(overlays.n_images, "image"))
    if sorter is not None:
        for line in _sorted_lines(sorter.result, sorting):
            if show:
                logger.info("%s", line)
            else:
                print(line)
    if n_broken and not n_images and not (sorter and sorter.result.n_before):
        raise ModelError("none of the files can be used as an image; choose others")


def _undo(args: argparse.Namespace) -> None:
    from classify.serving.sorting.undo import undo

    with ConsoleProgress(args.quiet) as progress:
        result = undo(args.undo, progress)
    n_back = result.counts[Outcome.BACK]
    print(f"{printable(str(args.undo))}: {plural(n_back, 'image')} put back")
    for outcome, number in result.counts.items():
        if outcome is not Outcome.BACK:
            print(f"{plural(number, 'image')}: {outcome.value}")
    for target, outcome in result.left:
        print(f"  {printable(target)}  {outcome.value}")
    if result.n_left:
        raise ModelError(
            f"{plural(result.n_left, 'image')} could not be put back, and the undo file is kept; "
            "move what you want to keep out of the folder, and run the same command again"
        )


def _table_target(args: argparse.Namespace) -> TableTarget | None:
    """Return the file of the table, if there is to be one; raise an error if it cannot be written.

    Before anything is computed.
    """
    if args.csv is None:
        return None
    if args.csv == Path("-"):
        if args.json:
            raise ModelError(
                "a table and a JSON object cannot both be printed; write the table to a file"
            )
        return None
    if args.csv.suffix.lower() in OTHER_FORMATS:
        raise ModelError(
            f"the table is written as CSV, and {args.csv} has the suffix of another format; give "
            "it the suffix .csv",
            setting="csv",
        )
    target = TableTarget(args.csv, args.force)
    target.check()
    return target


def _how(args: argparse.Namespace) -> How:
    if args.copy:
        return "copy"
    return "move" if args.move else "link"


def _choose_output(
    args: argparse.Namespace, model: Model, rows: RowFormat
) -> Callable[[Blocks], Blocks] | None:
    """Return what prints every prediction; None if only a table is written, or images sorted."""
    if args.json:
        return partial(_print_json, model=model, rows=rows)
    if args.csv == Path("-"):
        return partial(_print_table, rows=rows)
    if args.csv is not None or args.sort_into is not None:
        return None
    return partial(_print_lines, rows=rows)


def _closing(blocks: Blocks, progress: ConsoleProgress) -> Blocks:
    """Remove the bar before each block is printed."""
    for block in blocks:
        progress.close()
        yield block


def _print_lines(blocks: Blocks, rows: RowFormat) -> Blocks:
    for block in blocks:
        for prediction in block:
            print(rows.line(prediction))
        yield block


def _print_table(blocks: Blocks, rows: RowFormat) -> Blocks:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(rows.columns)
    for block in blocks:
        writer.writerows(map(rows.cells, block))
        yield block


def _print_json(blocks: Blocks, model: Model, rows: RowFormat) -> Blocks:
    """Print one JSON object, piece by piece."""
    threshold = model.result.threshold
    head = {
        "classifier": model.result.classifier,
        "threshold": None if threshold is None else threshold.threshold,
    }
    print(json.dumps(head)[:-1], end=', "predictions": [')
    separator = ""
    for block in blocks:
        for prediction in block:
            print(separator, json.dumps(rows.fields(prediction)), sep="", end="")
            separator = ", "
        yield block
    print("]}")


def _sorted_lines(result: SortResult, settings: SortSettings) -> list[str]:
    """Say what a sorting has done, and how it is undone."""
    folder = printable(str(settings.folder))
    counts = [f"{name} {number:,}" for name, number in result.folders.most_common(FOLDERS_NAMED)]
    if len(result.folders) > FOLDERS_NAMED:
        counts.append(f"... ({len(result.folders):,} folders)")
    listed = f": {', '.join(counts)}" if counts else ""
    verb = {"link": "linked", "copy": "copied", "move": "moved"}[settings.how]
    lines = [f"{folder}: {plural(result.folders.total(), 'image')} {verb}{listed}"]
    if result.n_before:
        lines.append(f"{plural(result.n_before, 'image')} had been sorted before")
    lines += [
        f"{plural(number, 'image')} not sorted: {reason}" for reason, number in result.left.items()
    ]
    undo = shlex.join(["python", "-m", "classify.predict", "--undo", str(settings.folder)])
    return [*lines, f"to put everything back: {printable(undo)}"]


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


def _check_order(run: Path, paths: Sequence[str]) -> None:
    """Raise an error if the run was named after the images."""
    from reports.records import RECORD_NAME

    if (run / RECORD_NAME).exists():
        return
    for path in paths:
        if (Path(path) / RECORD_NAME).is_file():
            raise ModelError(
                f"{path} is the folder of a run, and {run} is none; name the run first, then the "
                "images"
            )
