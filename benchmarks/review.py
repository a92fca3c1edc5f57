"""How long the page of `python -m classify.review` takes to show the first and the next image.

The audit of a run on photographs is made to doubt 2,000 labels, which a browser goes through by
keyboard: as fast as a person may, and as fast as the page can. Times are those of the browser: from
the request of the page, or from the key, until the image is on the screen.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import inputs
from reports import records, tables
from reports.reading import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, NEXT = "<= 0.5", "<= 0.1"
"""Seconds that were promised."""
PAUSE = 0.5
"""Seconds that a fast person looks at an image."""
STOPWATCH = """
window.shownAt = 0;
document.addEventListener("keydown", () => {
    window.shownAt = 0;
    window.pressedAt = performance.now();
}, true);
const note = () => { window.shownAt = performance.now(); };
document.addEventListener("DOMContentLoaded", () =>
    new MutationObserver(() => requestAnimationFrame(note))
        .observe(document.getElementById("picture"), { childList: true }));
"""


def main() -> None:
    """Measure sessions and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    first, steady, high, hurried = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        run = doubted_run(Path(name), args.images)
        for i in range(args.rounds):
            with serving(run, Path(name) / "cache") as address, chromium() as page:
                first.append(shown(page, address))
                seconds = [press(page, PAUSE) for _ in range(args.keys)]
                steady.append(float(np.median(seconds)))
                high.append(float(np.quantile(seconds, 0.95)))
                hurried.append(float(np.median([press(page, 0.0) for _ in range(args.keys)])))
            print(f"round {i + 1}: first {first[-1]:.3f} s, next {steady[-1]:.3f} s", flush=True)
    of = f"a review of {args.images:,} images"
    inputs.publish(
        "review",
        [
            inputs.Row(f"first image of {of}", first, "s", FIRST),
            inputs.Row(f"next image of {of}, median", steady, "s", NEXT),
            inputs.Row(f"next image of {of}, 95% of them at most", high, "s"),
            inputs.Row(f"next image of {of}, median, without a pause", hurried, "s"),
        ],
    )


def doubted_run(folder: Path, n_images: int) -> Path:
    """Classify the photographs, and have the audit of the run doubt labels; return its folder."""
    out = folder / "run"
    command = [
        *(sys.executable, "-m", "classify", "--data", inputs.photographs(folder)),
        *("--weights", inputs.weights(), "--cache", folder / "cache", "--clf", "logreg"),
        *("--out", out, "--quiet"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    run, pictures = read_record(out), tables.read_pictures(out / tables.PICTURES_NAME)
    other = dict(zip(run.data.classes, run.data.classes[1:] + run.data.classes[:1], strict=True))
    suspects = [
        records.Suspect(one.path, one.split, one.label, other[one.label], 0.1)
        for one in pictures[:: max(1, len(pictures) // n_images)][:n_images]
    ]
    audit = records.Audit([], suspects, [], {}, seconds=0.0)
    (out / records.RECORD_NAME).write_text(dataclasses.replace(run, audit=audit).to_json())
    return out


@contextlib.contextmanager
def serving(run: Path, cache: Path) -> Iterator[str]:
    """Serve a review without decisions, and yield its address."""
    (run / "corrections.csv").unlink(missing_ok=True)
    command = [sys.executable, "-m", "classify.review", run, "--cache", cache, "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Open an empty page of desktop size, with a stopwatch."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(STOPWATCH)
        yield page
        browser.close()


def shown(page: Any, address: str) -> float:
    """Open the page of a review; return the seconds until the first image was on the screen."""
    page.goto(address)
    page.wait_for_function("() => window.shownAt > 0")
    return float(page.evaluate("() => window.shownAt")) / 1000


def press(page: Any, pause: float) -> float:
    """Decide about an image; return the seconds until the next one was on the screen."""
    page.wait_for_timeout(1000 * pause)
    page.keyboard.press("1")
    page.wait_for_function("() => window.shownAt > 0")
    return float(page.evaluate("() => window.shownAt - window.pressedAt")) / 1000


if __name__ == "__main__":
    main()
