"""`python -m classify.export RUN --to FORMAT`: a saved model as one file that stands alone."""

from __future__ import annotations

if __name__ == "__main__":
    from toolkit.entry import run_process

    run_process("classify.export")

from pathlib import Path
from typing import TYPE_CHECKING

from classify.arguments import add_model_arguments
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = (
    "Write a model that python -m classify has saved to one file: images of any size in, "
    "probabilities out. The file is run on the test images first, and is written only if it "
    "answers as the model does."
)
FORMATS = ("onnx", "openvino", "keras", "litert")
PRECISIONS = ("float32", "int8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.export`` and return its exit status."""
    parser = argument_parser("python -m classify.export", DESCRIPTION)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "--to",
        choices=FORMATS,
        help="format (default: by the suffix of --out, or onnx)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: in the folder export of the run"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of the frozen base (default: that of the run)"
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FOLDER",
        help="compare on these images instead of the test images of the run",
    )
    parser.add_argument("--licence", metavar="TEXT", help="stated in the model card")
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    return run_command(_export, parser.parse_args(argv))


def _export(args: argparse.Namespace) -> None:
    from classify.exporting.export import ExportSettings, export
    from classify.serving.model import Model

    to = args.to or (None if args.out else "onnx")
    settings = ExportSettings(
        to, args.precision, args.weights, args.replay, args.licence, args.force
    )
    with ConsoleProgress(args.quiet) as progress:
        model = Model(args.run, args.clf, weights=args.weights, cache=args.cache, progress=progress)
        exported = export(model, args.out, settings, progress)
    print(exported.path)
    print(exported.card)
    print(f"compared with the model: {exported.comparison.sentence()}")
