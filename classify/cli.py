"""`python -m classify`: arguments in, the results table out."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify import registry
from extract.arguments import add_arguments, options_from, positive, share
from toolkit.console import argument_parser, size
from toolkit.console import run as run_command
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
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
        help=f"{', '.join(registry.CLASSIFIERS)}, several separated by commas, or all (but "
        f"{registry.LONG}); or one of scikit-learn's, as sklearn.ensemble:RandomForestClassifier",
    )
    training.add_argument(
        "--kernel",
        choices=("auto", "linear", "rbf"),
        default="auto",
        help="of the SVM; auto chooses by cross-validation",
    )
    training.add_argument(
        "--class-weight",
        choices=("balanced", "none"),
        default="balanced",
        help="whether all classes count the same in training, or all images do",
    )
    training.add_argument(
        "--learning-rate",
        type=_rates,
        metavar="RATES",
        help="of the networks; of several, as 1e-5,5e-5,1e-4,1e-3, the best is chosen on a part of "
        "the training split",
    )
    training.add_argument(
        "--unfreeze",
        metavar="LAYER",
        default="1",
        help="for finetune: the first layer of the base that is trained, as block5_conv3, or how "
        "many of the last layers with weights",
    )
    training.add_argument(
        "--augment",
        choices=("none", "mirror"),
        default="none",
        help="for finetune: whether it is trained on mirror images too, at twice the cache",
    )
    training.add_argument(
        "--memory-limit",
        type=size,
        metavar="SIZE",
        help="of the embeddings of a split, as 4GB: of more, logreg and svm (then linear) are "
        "trained in one pass over those on disk (default: half of this machine's memory, no limit "
        "where the system cannot say how much that is)",
    )
    training.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: runs/<time>-<clf>)"
    )
    _add_finding_out(training)
    add_arguments(parser)
    args = parser.parse_args(argv)
    args.command = ["python", "-m", "classify", *(sys.argv[1:] if argv is None else argv)]
    return run_command(_classify, args)


def _add_finding_out(training: argparse._ArgumentGroup) -> None:
    """Add what else is found out about the classifiers."""
    training.add_argument(
        "--repeats",
        type=positive,
        metavar="N",
        default=1,
        help="train each with N seeds, and tell mean and standard deviation",
    )
    training.add_argument(
        "--learning-curve",
        action="store_true",
        help="also train on fewer images per class, to see whether more would help",
    )
    training.add_argument(
        "--audit",
        action="store_true",
        help="also look for wrong data: test images in training, suspect labels, odd images",
    )
    training.add_argument(
        "--calibrate",
        action="store_true",
        help="make probabilities mean what they say, by scikit-learn's calibration on the training "
        "split",
    )
    training.add_argument(
        "--target-precision",
        type=share,
        metavar="SHARE",
        help="answer only where it is sure enough for this share of right answers, as 0.99; the "
        "threshold is chosen on the training split",
    )


def _classify(args: argparse.Namespace) -> None:
    names = registry.names(args.clf)
    from classify.experiment.run import run
    from classify.experiment.settings import TrainingSettings
    from reports.ranking import best_in_validation
    from reports.tables import format_results, remarks

    with ConsoleProgress(args.quiet) as progress:
        folder, result = run(
            names,
            options_from(args),
            settings=TrainingSettings(
                kernel=args.kernel,
                class_weight=None if args.class_weight == "none" else "balanced",
                learning_rate=args.learning_rate,
                unfreeze=args.unfreeze,
                mirror=args.augment == "mirror",
                repeats=args.repeats,
                target_precision=args.target_precision,
                calibrate=args.calibrate,
                learning_curve=args.learning_curve,
                audit=args.audit,
                memory_limit=args.memory_limit,
            ),
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
        for line in remarks(result):
            print(line)
        print(f"\nreport  {folder / 'report.html'}")
        name = shlex.quote(str(folder))
        print(f"try it  python -m classify.predict {name} IMAGE")
        print(f"        python -m classify.serve {name}")
        if len(result.results) > 1:
            print(f"        {best_in_validation(result).classifier} answers; --clf names another")


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
        "recipes": {base.backbone: base.recipe for base in run.bases} if len(run.bases) > 1 else {},
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


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise argparse.ArgumentTypeError(
            f"expected positive numbers separated by commas, found {text}"
        )
    return rates
