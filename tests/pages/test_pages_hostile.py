"""Hostile names of classes and files stay text, in the report and on the page of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from chromium import CHROMIUM, DESK, opened

from extract.datasets.sources.shapes import draw_image, encode_jpeg

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
in_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"
)
NAMES = ("<img src=x onerror=alert(1)>", '"><script>alert(2)<', "caf\\xe9 \\u202e=x")


def watched(page: Any) -> list[str]:
    """Return a list to which the dialogs of the page will be added."""
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    return dialogs


@in_chromium
def test_the_report_shows_them_as_they_are_written(browser: Any, hostile: Path) -> None:
    """In every table, legend, filter, dialog and on the map; nothing in them is executed."""
    for page in opened(browser, hostile.as_uri(), DESK, "light"):
        dialogs = watched(page)
        for name in NAMES:
            assert page.get_by_text(name).count() > 0
        page.locator("table.confusion td button").first.click()
        assert page.locator("dialog.viewer h2").inner_text().count("<") > 0
        assert "<b onclick" in page.locator("dialog.viewer .file").first.inner_text()
        page.keyboard.press("Escape")
        page.locator(".map .field").focus()
        assert "<b onclick" in page.locator(".told .file").inner_text()
        assert page.locator("img[src=x], [onclick], [onerror]").count() == 0
        assert dialogs == []


@in_chromium
def test_the_server_shows_them_as_they_are_written(
    browser: Any, hostile_server: str, tmp_path: Path
) -> None:
    """In the classes, the neighbours and the position of a prediction."""
    from playwright.sync_api import expect

    path = tmp_path / "<i>new.jpg"
    path.write_bytes(encode_jpeg(draw_image("test", 50)))
    for page in opened(browser, f"{hostile_server}/", DESK, "light", offline=False):
        dialogs = watched(page)
        page.locator("input[type=file]").set_input_files(path)
        expect(page.locator(".found")).to_have_text("1 classified")
        assert set(page.locator(".classes .name").all_inner_texts()) == set(NAMES)
        assert page.locator("img[src=x], [onclick], [onerror], .file i").count() == 0
        assert dialogs == []


def test_the_server_answers_programs_in_json(hostile_server: str) -> None:
    """A name that is not UTF-8 is written with escapes, as everywhere."""
    response = requests.post(
        f"{hostile_server}/api/classify",
        encode_jpeg(draw_image("test", 51)),
        headers={"Content-Type": "application/octet-stream"},
        timeout=30,
    )
    assert response.status_code == 200
    assert {one["label"] for one in response.json()["probabilities"]} == set(NAMES)
    assert requests.get(f"{hostile_server}/openapi.json", timeout=10).status_code == 200
