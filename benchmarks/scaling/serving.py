"""The rate of `python -m classify.serve` with 1, 10 and 50 clients, compared with `extract`.

The clients run on the same machine and share its cores, so the cost of sending is included. Before
anything is timed, int8 is calibrated, and the engine of `extract` and the server are warmed up.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from benchmarks.common import inputs
from benchmarks.extract import whole
from classify import load_model
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRESETS = ("fast", "best")
CLIENTS = (1, 10, 50)
PROMISED = {10: ">= 0.85"}
"""Of the rate of `extract`, by number of clients."""
UPLOAD = {"Content-Type": "application/octet-stream"}


@dataclass
class Timings:
    """What was measured with one preset: one value per round, latencies in milliseconds."""

    extract: list[float] = field(default_factory=list)
    served: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in CLIENTS})
    medians: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)


def main() -> None:
    """Measure every preset and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = copy_images(folder, args.images)
        rows = []
        for preset in PRESETS:
            run = train(folder, preset)
            rows += rows_of(preset, measure(folder, run, paths, args.rounds))
        inputs.publish("serving", rows)


def copy_images(folder: Path, n_images: int) -> list[Path]:
    """Copy images that are spread evenly over the data set into `folder`, and return the copies."""
    options = Options(inputs.photographs(folder), BaseSettings(cache=folder / "cache"))
    items = find_dataset(options).items
    copies = []
    for item in items[:: max(1, len(items) // n_images)][:n_images]:
        copy = folder / "pictures" / item.split / item.label / item.path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(item.path, copy)
        copies.append(copy)
    return copies


def train(folder: Path, preset: str) -> Path:
    """Train logistic regression on the images in `folder`, and return the folder of the run."""
    out = folder / preset
    subprocess.run(
        [sys.executable, "-m", "classify", "--data", folder / "pictures", "--preset", preset,
         "--weights", inputs.weights(), "--cache", folder / "cache", "--clf", "logreg",
         "--out", out, "--quiet"],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return out


def measure(folder: Path, run: Path, paths: list[Path], rounds: int) -> Timings:
    """Time `extract` and the server alternately, `rounds` times."""
    timings = Timings()
    images = [path.read_bytes() for path in paths]
    with serving(run, folder / "cache") as address:
        extract = extraction(run, folder, paths)
        ask(address, images[:50], 10)
        for i in range(rounds):
            timings.extract.append(len(paths) / extract())
            for n_clients, rates in timings.served.items():
                started = time.perf_counter()
                seconds = ask(address, images, n_clients)
                rates.append(len(images) / (time.perf_counter() - started))
                if n_clients == 1:
                    timings.medians.append(1000 * statistics.median(seconds))
                    timings.high.append(1000 * float(np.quantile(seconds, 0.95)))
            served = ", ".join(f"{rates[-1]:.1f}" for rates in timings.served.values())
            print(
                f"round {i + 1}, {run.name}: extract {timings.extract[-1]:.1f} images/s, served "
                f"{served}; latency {timings.medians[-1]:.1f} ms",
                flush=True,
            )
    return timings


def extraction(run: Path, folder: Path, paths: list[Path]) -> Callable[[], float]:
    """Return a function that times all of `extract` with the base of a run, in seconds."""
    base = load_model(run, weights=inputs.weights(), cache=folder / "cache").base
    clock = whole(base, base.make_engine(), paths, folder)
    clock()
    return clock


@contextlib.contextmanager
def serving(run: Path, cache: Path) -> Iterator[str]:
    """Serve a run in another process, yield its address, and end the server by Ctrl-C."""
    command = [
        *(sys.executable, "-m", "classify.serve", run, "--weights", inputs.weights()),
        *("--cache", cache, "--quiet"),
    ]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        # A shell that runs a benchmark in the background has it ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def ask(address: str, images: list[bytes], n_clients: int) -> list[float]:
    """Send images from clients that each wait for the response; return the seconds of each."""

    def client(images: list[bytes]) -> list[float]:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        seconds = []
        for image in images:
            started = time.perf_counter()
            connection.request("POST", "/api/classify", image, UPLOAD)
            response = connection.getresponse()
            content = response.read()
            seconds.append(time.perf_counter() - started)
            if response.status != 200:
                raise RuntimeError(f"the server responded with {response.status}: {content!r}")
        connection.close()
        return seconds

    with ThreadPoolExecutor(n_clients) as pool:
        parts = pool.map(client, [images[i::n_clients] for i in range(n_clients)])
        return [value for part in parts for value in part]


def rows_of(preset: str, timings: Timings) -> list[inputs.Row]:
    """Return the ratios, then the rates that they are computed from, and one client's latency."""

    def words(n_clients: int) -> str:
        clients = "1 client" if n_clients == 1 else f"{n_clients} clients"
        return f"`classify.serve`, `--preset {preset}`, {clients}"

    ratios = [
        inputs.Row(
            f"{words(n)} / whole `extract`",
            [a / b for a, b in zip(rates, timings.extract, strict=True)],
            promised=PROMISED.get(n, ""),
        )
        for n, rates in timings.served.items()
    ]
    rates = [inputs.Row(words(n), rates, "images/s") for n, rates in timings.served.items()]
    return [
        *ratios,
        *rates,
        inputs.Row(f"median latency of {words(1)}", timings.medians, "ms"),
        inputs.Row(f"95% of latencies of {words(1)} at most", timings.high, "ms"),
    ]


if __name__ == "__main__":
    main()
