"""Take the pictures of `docs/images` anew: `python tests/pages/screenshots.py RUN CACHE`.

RUN is a folder that ``python -m classify --data shapes --learning-curve --audit`` has written: of
drawn pictures, which are anybody's to show.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
from chromium import CHROMIUM
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from extract.datasets.sources.shapes import draw_image

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WINDOW = {"width": 1280, "height": 860}


def report(browser: Browser, run: Path) -> None:
    """Show the answer and the table, the map with a picture pointed at, and mistakes explained."""
    page = browser.new_page(viewport=WINDOW)
    page.goto((run / "report.html").resolve().as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.locator("#map").scroll_into_view_if_needed()
    page.locator(".map use").last.hover()
    page.locator("#map").screenshot(path=IMAGES / "map.png")
    page.locator("#mistakes h2").evaluate("heading => heading.scrollIntoView()")
    page.screenshot(path=IMAGES / "evidence.png")
    _shrink(IMAGES / "evidence.png")


@contextmanager
def serving(module: str, run: Path, cache: Path) -> Iterator[str]:
    """Serve a run, and yield the address of the page."""
    command = [sys.executable, "-m", module, str(run), "--cache", str(cache)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    finally:
        server.terminate()
        server.wait()


def served(browser: Browser, run: Path, cache: Path) -> None:
    """Show answers to two pictures."""
    with serving("classify.serve", run, cache) as address:
        page = browser.new_page(viewport=WINDOW)
        page.goto(address)
        with TemporaryDirectory() as folder:
            paths = [Path(folder, f"{name}.png") for name in ("first", "second")]
            for i, path in enumerate(paths):
                cv2.imwrite(str(path), draw_image("test", 1000 + i)[:, :, ::-1])
            page.locator("input[type=file]").set_input_files(paths)
            expect(page.locator(".found")).to_have_text("2 classified")
            page.get_by_role("button", name="Where is the evidence?").first.click()
            expect(page.locator(".evidence img.colours")).to_be_visible()
            page.wait_for_load_state("networkidle")
            page.evaluate("scrollTo(0, 440)")
            page.screenshot(path=IMAGES / "serve.png")
            _shrink(IMAGES / "serve.png")


def reviewed(browser: Browser, run: Path, cache: Path) -> None:
    """Show an image whose label is in doubt; the decisions are those of a copy of the run."""
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(run, Path(folder, "run")))
        with serving("classify.review", copy, cache) as address:
            page = browser.new_page(viewport=WINDOW)
            page.goto(address)
            for key in ("Enter", "ArrowRight"):
                page.wait_for_selector("#picture img")
                page.keyboard.press(key)
            expect(page.locator("#neighbours li").first).to_be_visible()
            expect(page.locator("#why img.colours").first).to_be_visible()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=IMAGES / "review.png")
    _shrink(IMAGES / "review.png")


def _shrink(path: Path) -> None:
    """Reduce the colours of a screenshot: large noisy images take half a megabyte."""
    with Image.open(path) as image:
        image.quantize(256).save(path, optimize=True)


def main() -> None:
    """Take all of them."""
    run, cache = map(Path, sys.argv[1:])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        report(browser, run)
        served(browser, run, cache)
        reviewed(browser, run, cache)


if __name__ == "__main__":
    main()
