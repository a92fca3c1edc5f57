"""`python -m classify.serve RUN`: a web page on this computer to try a saved model."""

from __future__ import annotations

if __name__ == "__main__":
    from toolkit.entry import run_process

    run_process("classify.serve")

import contextlib
import ipaddress
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from classify.arguments import add_model_arguments, add_port_argument, add_reading_arguments
from classify.serving.web.listening import listening, missing_extra
from extract.errors import ImageError
from extract.images.loading import ReadSettings
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = (
    "Serve a web page on which a saved model of python -m classify classifies the photographs that "
    "you drop. Only this computer can reach it, and no photograph is kept."
)
HOST = "127.0.0.1"

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.serve`` and return its exit status."""
    parser = argument_parser("python -m classify.serve", DESCRIPTION)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "--host", default=HOST, help="address to listen on; other computers can reach any "
        "but the default"
    )  # fmt: skip
    add_port_argument(parser)
    add_model_arguments(parser)
    add_reading_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="print the address and nothing else")
    return run_command(_serve, parser.parse_args(argv))


def _names(address: str) -> list[str]:
    """Return the host names that a request may give: any if the server listens everywhere.

    >>> _names("127.0.0.1"), _names("0.0.0.0")
    (['127.0.0.1', 'localhost'], ['*'])
    """
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        return ["*"]
    own = f"[{address}]" if parsed.version == 6 else address
    return [own, "localhost"] if parsed.is_loopback else [own, socket.gethostname()]


def _serve(args: argparse.Namespace) -> None:
    try:
        from classify.serving.web import server
        from classify.serving.web.application import application
        from classify.serving.web.uploads import Uploads
    except ImportError as error:
        raise missing_extra(error) from error
    from classify.serving.live_model import LiveModel
    from extract.datasets.sources import shapes

    with listening(args.host, args.port) as listener:
        with ConsoleProgress(args.quiet) as progress:
            model = LiveModel(
                args.run,
                args.clf,
                weights=args.weights,
                cache=args.cache,
                reject=args.reject,
                reading=ReadSettings(max_pixels=args.max_pixels),
                progress=progress,
            )
        with model:
            # The first prediction is slow; make it before anybody waits for one.
            with contextlib.suppress(ImageError):  # larger than --max-pixels allows
                model.predict(shapes.encode_jpeg(shapes.draw_image("test", 0)))
            host, port = listener.getsockname()[:2]
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            uploads = Uploads()
            app = application(model, uploads, _names(host), address)
            if not ipaddress.ip_address(host).is_loopback:
                logger.warning("anybody who reaches this computer at %s can use the page", address)
            logger.info(
                "%s, accuracy in the run %.3f; Ctrl-C stops the server",
                model.result.title,
                model.result.accuracy,
            )
            print(f"{address}/", flush=True)
            server.run(app, listener, uploads.stop)
