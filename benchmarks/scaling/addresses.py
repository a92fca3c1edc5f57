"""Extraction from a slow web server, compared with extraction from files.

The server runs on the same machine and shares its cores, so the cost of sending is included.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import commands, inputs
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_PER_RESPONSE = 0.05


class Handler(http.server.SimpleHTTPRequestHandler):
    """Responds late and logs nothing."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Wait as long as a network would, then begin to respond."""
        time.sleep(SECONDS_PER_RESPONSE)
        super().send_response(code, message)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost and yield its address."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def main() -> None:
    """Measure both alternately and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = Options(inputs.photographs(folder), BaseSettings(cache=folder / "cache"))
        items = find_dataset(options).items
        for item in items[:: max(1, len(items) // args.images)][: args.images]:
            copy = folder / "pictures" / item.label / f"{item.split}-{item.path.name}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(item.path, copy)
        # Calibrate int8 once; every later run copies the model.
        extract(str(folder / "pictures"), folder / "first")
        with serving(folder / "pictures") as address:
            measure(folder, address, args.images, args.rounds)


def measure(folder: Path, address: str, n: int, rounds: int) -> None:
    """Extract from both sources, `rounds` times, each time into an empty cache."""
    rates: dict[str, list[float]] = {"files": [], "addresses": []}
    again: list[float] = []
    for i in range(rounds):
        for how, data in (("files", str(folder / "pictures")), ("addresses", address)):
            cache = folder / f"{how} {i}"
            shutil.copytree(folder / "first" / "models", cache / "models")
            rates[how].append(n / extract(data, cache))
        again.append(extract(address, folder / f"addresses {i}"))
        print(f"round {i + 1}: {rates['files'][-1]:.1f} and {rates['addresses'][-1]:.1f} images/s")
    late = f"{1000 * SECONDS_PER_RESPONSE:.0f} ms away"
    pairs = zip(rates["addresses"], rates["files"], strict=True)
    inputs.publish(
        "addresses",
        [
            inputs.Row(f"`extract`, int8, pictures {late} / files", [a / b for a, b in pairs]),
            inputs.Row(f"`extract`, int8, pictures {late}", rates["addresses"], "images/s"),
            inputs.Row(f"the same again, {n} pictures", again, "s"),
        ],
    )


def extract(data: str, cache: Path) -> float:
    """Return the seconds for hashing, downloading, decoding and computing."""
    done = commands.run(
        "extract", "--data", data, "--cache", str(cache), "--weights", inputs.weights(),
        "--precision", "int8",
    )  # fmt: skip
    return float(done.summary["seconds"])


if __name__ == "__main__":
    main()
