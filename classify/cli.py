"""`python -m classify`: arguments in, the results table out."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.console import ConsoleProgress, argument_parser
from cache.console import run as run_command
from classify import registry
from extract.options import add_arguments, options_from

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from reports.record import Run

DESCRIPTION = (
    "Train classifiers on frozen embeddings (extracted first if need be), judge them on the test "
    "split, and write a report. Everything that is chosen is chosen on the training split."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify`` and return its exit status."""
    parser = argument_parser("python -m classify", DESCRIPTION)
    training = parser.add_argument_group("classifiers")
    training.add_argument(
        "--clf",
        metavar="NAMES",
        default="all",
        help=f"{', '.join(registry.CLASSIFIERS)}, several separated by commas, or all",
    )
    training.add_argument(
        "--kernel",
        choices=("auto", "linear", "rbf"),
        default="auto",
        help="of the SVM; auto chooses by cross-validation",
    )
    training.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: runs/<time>-<clf>)"
    )
    add_arguments(parser)
    args = parser.parse_args(argv)
    args.command = ["python", "-m", "classify", *(sys.argv[1:] if argv is None else argv)]
    return run_command(_classify, args)


def _classify(args: argparse.Namespace) -> None:
    names = registry.names(args.clf)
    from classify.run import run
    from reports.tables import format_results

    with ConsoleProgress(args.quiet) as progress:
        folder, result = run(
            names,
            options_from(args),
            kernel=args.kernel,
            out=args.out,
            command=args.command,
            progress=progress,
        )
    if args.json:
        print(json.dumps(_summary(folder, result)))
        return
    if not args.quiet:
        counts = sum(result.data.train_counts), sum(result.data.test_counts)
        print(
            f"{result.data.name}: trained on {counts[0]:,} images, tested on {counts[1]:,} "
            f"({len(result.data.classes)} classes)\n"
        )
        print(format_results(result))
        print(f"\nreport  {folder / 'report.html'}")
        print(f"try it  python -m classify.predict {shlex.quote(str(folder))} IMAGE")


def _summary(folder: Path, run: Run) -> dict[str, Any]:
    """Return what ``--json`` prints of a run."""
    done = run.extraction
    return {
        "run": str(folder),
        "data": run.data.name,
        "images": done.images,
        "cached": done.cached,
        "computed": done.computed,
        "quarantined": done.quarantined,
        "seconds": round(run.seconds, 3),
        "recipe": run.recipe,
        "results": [
            {
                "classifier": result.classifier,
                "accuracy": result.accuracy,
                "accuracy_low": result.accuracy_low,
                "accuracy_high": result.accuracy_high,
            }
            for result in run.results
        ],
    }
