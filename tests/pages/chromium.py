"""A page in headless Chromium; any message in its console fails the test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
WINDOWS = pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESK, "light", id="desk-light"),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.exhaustive),
        pytest.param(DESK, "dark", id="desk-dark", marks=pytest.mark.exhaustive),
    ],
)
"""Both sizes and both schemes; `make reliability` has every pair of them."""


def opened(
    browser: Any, address: str, size: dict[str, int], scheme: str, *, offline: bool = True
) -> Iterator[Any]:
    """Open a page, and check at the end that its console is empty."""
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=offline)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert said == []


def broken_rules(page: Any) -> list[tuple[str, list[Any]]]:
    """Return the accessibility rules that axe-core finds seriously violated, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:5])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
