"""`python -m classify.review RUN`: a web page on this computer to review and correct labels."""

from __future__ import annotations

if __name__ == "__main__":
    from toolkit.entry import run_process

    run_process("classify.review")

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from classify.arguments import add_max_pixels_argument, add_port_argument
from classify.serving.web.listening import listening, missing_extra
from extract.images.loading import ReadSettings
from toolkit.addresses import is_address
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.progress import ConsoleProgress
from toolkit.wording import plural

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = (
    "Serve a web page that goes through the doubtful images of a run of python -m classify, one at "
    "a time: suspect labels, leaks, copies, outliers, wrong and uncertain predictions. What you "
    "decide is kept in corrections.csv in the run's folder, which --labels takes; no image is "
    "changed. Only this computer can reach the page."
)
HOST = "127.0.0.1"

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.review`` and return its exit status."""
    parser = argument_parser("python -m classify.review", DESCRIPTION)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "--clf",
        metavar="NAME",
        help="the classifier of the run whose predictions are shown, and that is trained again "
        "(default: the best one in cross-validation)",
    )
    parser.add_argument("--cache", metavar="DIR", help="cache folder with the run's embeddings")
    add_port_argument(parser)
    add_max_pixels_argument(parser)
    parser.add_argument("--quiet", action="store_true", help="print the address and nothing else")
    return run_command(_review, parser.parse_args(argv))


def _review(args: argparse.Namespace) -> None:
    try:
        from classify.reviewing.application import application
        from classify.serving.web import server
    except ImportError as error:
        raise missing_extra(error) from error
    from classify.reviewing.review import Review

    reading = ReadSettings(max_pixels=args.max_pixels)
    with listening(HOST, args.port) as listener, ExitStack() as stack:
        with ConsoleProgress(args.quiet) as progress:
            review = stack.enter_context(
                Review(args.run, args.clf, cache=args.cache, reading=reading, progress=progress)
            )
        root = review.run.data.root
        if not is_address(root) and not Path(root).exists():
            logger.warning(
                "the images are no longer at %s: nothing can be decided until they are back", root
            )
        app = application(review, [HOST, "localhost"])
        logger.info(
            "%s to look at; decisions go to %s; Ctrl-C stops the server",
            plural(len(review.queue), "image"),
            review.corrections.path,
        )
        print(f"http://{HOST}:{listener.getsockname()[1]}/", flush=True)
        server.run(app, listener, lambda: None)
