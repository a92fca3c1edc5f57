"""`python -m reports`: render the reports of earlier runs again, and compare several runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from reports.listing import RUNS
from toolkit.addresses import is_address
from toolkit.console import argument_parser
from toolkit.console import run as run_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from reports.records import PredictionRow

COMPARISON_NAME, INDEX_NAME = "comparison.html", "index.html"

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status (see `toolkit.console.run`)."""
    parser = argument_parser(
        "python -m reports",
        "Render the report of each run again from its run.json and predictions.csv. For several "
        "runs, also write a page that compares them, and print their accuracies.",
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="*", type=Path, help="folder that python -m classify wrote"
    )
    parser.add_argument(
        "--list",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        const=RUNS,
        help=f"print a table of the runs in FOLDER (default: {RUNS}) instead, and write "
        f"{INDEX_NAME} there, which links their reports",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help=f"file for the comparison of several runs (default: {COMPARISON_NAME})",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print the paths of the pages and nothing else"
    )
    args = parser.parse_args(argv)
    if bool(args.runs) == (args.list is not None):
        parser.error("expected either runs to render, or --list")
    if args.out and len(args.runs) == 1:
        parser.error("--out is for the comparison of several runs; name another run, or omit --out")
    if args.list and args.out:
        parser.error(f"--out is for comparisons; --list writes {INDEX_NAME} into the folder")
    return run_command(_list if args.list else _render, args)


def _list(args: argparse.Namespace) -> None:
    from reports.listing import format_runs, list_runs
    from reports.pages import page

    runs = list_runs(args.list)
    path = args.list / INDEX_NAME
    page.save(page.render_index(runs, path.parent), path)
    _print_path(path)
    if not args.quiet:
        print(f"\n{format_runs(runs)}")


def _render(args: argparse.Namespace) -> None:
    from reports.evidence import read_evidence
    from reports.pages import page
    from reports.pages.changed_images import changed_predictions
    from reports.pages.comparison import format_comparison
    from reports.reading import read_record
    from toolkit.wording import printable

    folders = [path.parent if path.is_file() else path for path in args.runs]
    # All records are read before the first page is written: a typing error changes nothing on disk.
    runs = [(folder, read_record(folder)) for folder in folders]
    predictions = [_predictions(folder) for folder, _ in runs]
    for (folder, run), rows in zip(runs, predictions, strict=True):
        path = folder / page.REPORT_NAME
        if path.exists() and not Path(run.data.root).is_dir():
            logger.warning(
                "the images are %s %s: %s is kept as it is, with their thumbnails; rename it to "
                "get one without them",
                "fetched only by classify, from" if is_address(run.data.root) else "no longer at",
                run.data.root,
                path,
            )
        else:
            page.write(run, rows, path, evidence=read_evidence(folder))
        _print_path(path)
    if len(runs) > 1:
        groups = [_groups(folder) if run.data.by_groups else {} for folder, run in runs]
        changes = changed_predictions(runs, predictions, groups)
        out = args.out or Path(COMPARISON_NAME)
        page.save(page.render_comparison(runs, changes, base=out.parent), out)
        _print_path(out)
        if not args.quiet:
            print(f"\n{format_comparison(runs)}")
            for change in changes:
                line = f"{change.title}, {change.second} against {change.first}: {change.sentence}"
                print(printable(line))


def _predictions(folder: Path) -> list[PredictionRow]:
    from reports.tables import PREDICTIONS_NAME, read_predictions

    path = folder / PREDICTIONS_NAME
    if not path.exists():
        logger.info("%s does not exist: the report will have no gallery of mistakes", path)
        return []
    return read_predictions(path)


def _groups(folder: Path) -> dict[str, str]:
    """Return the group of each image of a run that has one."""
    from reports.tables import PICTURES_NAME, read_pictures

    path = folder / PICTURES_NAME
    pictures = read_pictures(path) if path.exists() else []
    return {picture.path: picture.group for picture in pictures if picture.group is not None}


def _print_path(path: Path) -> None:
    from toolkit.wording import printable

    print(printable(str(path)))
