"""The report of a thousand classes in headless Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from chromium import CHROMIUM, DESK, PHONE, broken_rules, opened

from reports.pages.page import render
from reports.records import MANY_CLASSES
from tests.reports.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"),
]
LAPTOP = {"width": 1280, "height": 800}


def write(folder: Path, n_classes: int) -> str:
    """Write the report of so many classes, and return its address."""
    names = [f"class {i:04d}" for i in range(n_classes)]
    run, predictions = sample(names, n_per_class=4)
    (folder / "report.html").write_text(render(run, predictions, None), encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the report of a thousand classes."""
    return write(tmp_path_factory.mktemp("classes"), 1000)


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """Open it in a window of a laptop's size."""
    yield from opened(browser, address, LAPTOP, "light")


def test_the_page_is_not_endless(page: Any) -> None:
    """At most 12,000 pixels."""
    assert page.evaluate("document.documentElement.scrollHeight") <= 12_000


def test_a_part_of_a_name_finds_classes_and_the_name_shows_one(page: Any) -> None:
    """With its figures by every classifier and the images that concern it."""
    field, card = page.get_by_label("Find a class"), page.locator(".class-card")
    field.fill("CLASS 01")
    assert page.locator(".finder .found").inner_text() == (
        "100 classes found, the first 12 are listed"
    )
    assert not card.is_visible()
    page.locator(".matches").get_by_role("button", name="class 0107").click()
    assert card.locator("h3").inner_text() == "class 0107"
    assert card.locator("tbody tr").count() == 4
    assert "8 training images, 4 test images" in card.inner_text()
    field.fill("class 0999")
    assert card.locator("h3").inner_text() == "class 0999"
    field.fill("nothing")
    assert page.locator(".finder .found").inner_text() == "0 classes found"
    assert not card.is_visible()


def test_a_class_is_found_with_the_keyboard_alone(page: Any) -> None:
    """From the field to the first class that is listed."""
    page.get_by_label("Find a class").focus()
    page.keyboard.type("class 00")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".class-card h3").inner_text() == "class 0000"


@pytest.mark.parametrize(
    ("n_classes", "size", "scheme"),
    [
        pytest.param(MANY_CLASSES + 20, PHONE, "dark", id="phone-dark"),
        pytest.param(1000, PHONE, "dark", id="thousand-phone-dark", marks=pytest.mark.exhaustive),
        pytest.param(1000, DESK, "light", id="thousand-desk-light", marks=pytest.mark.exhaustive),
    ],
)
def test_no_rule_of_accessibility_is_broken(
    browser: Any, tmp_path: Path, n_classes: int, size: dict[str, int], scheme: str
) -> None:
    """Axe-core finds nothing serious, also with a class shown, and nothing is too wide."""
    for page in opened(browser, write(tmp_path, n_classes), size, scheme):
        page.get_by_label("Find a class").fill("class 0042")
        assert page.locator(".class-card").is_visible()
        assert broken_rules(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
