"""The report of a real run in headless Chromium, used as a person does, without a network."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from chromium import CHROMIUM, DESK, PHONE, WINDOWS, broken_rules, opened

from extract.datasets.sources.shapes import CLASSES
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"),
]


def test_a_heading_sorts_its_table(page: Any) -> None:
    """Ascending at the first click, descending at the second, also for screen readers."""
    heading = page.locator("#results th", has_text="Log loss")
    cells = page.locator('#results tbody td[data-label="Log loss"]')
    for direction, reverse in (("ascending", False), ("descending", True)):
        heading.get_by_role("button").click()
        values = [float(text.split()[0]) for text in cells.all_inner_texts()]
        assert values == sorted(values, reverse=reverse)
        assert heading.get_attribute("aria-sort") == direction


def test_a_table_is_sorted_by_the_keyboard(page: Any) -> None:
    """Headings are buttons."""
    page.locator("#results th", has_text="Classifier").get_by_role("button").focus()
    for reverse in (False, True):
        page.keyboard.press("Enter")
        names = page.locator("#results tbody th").all_inner_texts()
        assert names == sorted(names, reverse=reverse)


def test_a_cell_of_the_confusion_matrix_opens_its_images(page: Any) -> None:
    """As many as it counts, also by keyboard; Escape closes them and restores the focus."""
    viewer = page.locator("dialog.viewer")
    buttons = page.locator("table.confusion td button")
    assert buttons.count() > 6
    for i in (0, buttons.count() - 1):
        button = buttons.nth(i)
        count = int(button.locator("xpath=..").get_attribute("data-count"))
        button.focus()
        page.keyboard.press("Enter")
        assert viewer.locator("li").count() == count
        assert viewer.locator("img").count() == count
        assert f"({count})" in viewer.locator("h2").inner_text()
        page.keyboard.press("Escape")
        assert not viewer.is_visible()
        assert button.evaluate("element => element === document.activeElement")


def test_every_matrix_opens_the_images_that_it_counts(page: Any) -> None:
    """All cells of all classifiers."""
    counted = page.evaluate(
        """() => {
            const viewer = document.querySelector("dialog.viewer");
            return [...document.querySelectorAll("table.confusion td button")].map((button) => {
                button.click();
                const opened = viewer.open ? viewer.querySelectorAll("li").length : null;
                viewer.querySelector(".close").click();
                return [Number(button.parentElement.dataset.count), opened];
            });
        }"""
    )
    assert len(counted) >= 3 * len(CLASSES)  # a cell of each class's own, for each classifier
    assert all(count == opened for count, opened in counted)
    assert not page.locator("dialog.viewer").is_visible()


def test_filtering_does_not_mix_up_the_images(page: Any) -> None:
    """A cell shows each name with its own image after the list was filtered."""
    listed = """items => items.map(
        item => [
            item.querySelector(".file").textContent,
            item.querySelector("img")?.src ?? item.querySelector("svg image").getAttribute("href"),
        ]
    )"""
    sources = dict(page.locator(".mistakes > li").evaluate_all(listed))
    page.locator("form.filters").get_by_label("Misclassified by").select_option("2")
    page.locator("table.confusion").first.locator("td.wrong button").first.click()
    opened = page.locator("dialog.viewer li").evaluate_all(listed)
    assert opened
    assert all(sources[name] == source for name, source in opened)


def test_mistakes_are_filtered(page: Any) -> None:
    """By classifier, by every one of them, by class and by confidence."""
    visible = page.locator(".mistakes > li:visible")
    form = page.locator("form.filters")
    assert visible.count() == 48
    page.locator(".more button").click()
    assert visible.count() == page.locator(".mistakes > li").count()
    assert not page.locator(".more").is_visible()
    form.get_by_label("Misclassified by").select_option(label="every classifier")
    by_all = form.locator(".found").inner_text().split()[0]
    assert f"{by_all} by every one" in page.locator("#mistakes > p").first.inner_text()
    form.get_by_label("Misclassified by").select_option("0")
    wrong = int(page.locator('#results td[data-label="Wrong"]').first.inner_text())
    assert f"{wrong} images" == form.locator(".found").inner_text()
    stored = json.loads(page.locator("#images").inner_text())
    form.get_by_label("True class").select_option("1")
    of_class = [
        image["name"]
        for image in stored["misclassified"]
        if image["true"] == 1 and any(p[:2] != [0, 1] for p in image["predictions"] if p[0] == 0)
    ]
    assert sorted(visible.locator(".file").all_inner_texts()) == sorted(of_class)
    assert 0 < len(of_class) < wrong
    form.get_by_label("True class").select_option("")
    form.get_by_label("Misclassified by").select_option("any")
    confidences = [
        max(
            float(share.rstrip("%"))
            for _, predicted, share in image["predictions"]
            if predicted != image["true"]
        )
        for image in stored["misclassified"]
    ]
    least = int(max(confidences))
    form.get_by_label("Minimum confidence").fill(str(least))
    assert 0 < visible.count() == sum(share >= least for share in confidences) < 48
    found = form.locator(".found").inner_text()
    assert found.split()[0] == str(visible.count())


def test_the_map_shows_the_image_at_the_pointer(page: Any) -> None:
    """With its class and every prediction; it disappears away from the dots."""
    field, card = page.locator(".map .field"), page.locator(".told")
    field.scroll_into_view_if_needed()
    dots = json.loads(page.locator("#dots").inner_text())
    stored = json.loads(page.locator("#images").inner_text())
    listed = [*stored["misclassified"], *stored["others"]]
    last = len(dots) - 1  # drawn on top
    page.locator(".map use").nth(last).hover()
    assert card.is_visible()
    picture, name, label, _ = dots[last]
    assert card.locator(".file").inner_text() == name == listed[picture]["name"]
    assert card.locator("b").inner_text() == stored["classes"][label]
    assert card.locator("img").get_attribute("src").startswith("data:image/jpeg;base64,")
    assert card.locator(".right, .wrong").count() == 3
    wrong = sum(predicted != label for _, predicted, _ in listed[picture]["predictions"])
    assert card.locator(".wrong").count() == wrong > 0
    page.locator("#map h2").hover()
    assert not card.is_visible()


def test_the_arrow_keys_go_over_the_map(page: Any) -> None:
    """From dot to dot in the direction of the arrow; Escape hides the image."""
    field, card, ring = (page.locator(f".map {name}") for name in (".field", ".told", ".ring"))
    field.focus()
    assert card.is_visible()
    visited = set()
    shown = """axis => [
        Number(document.querySelector(".map .ring").getAttribute(axis)),
        document.querySelector(".map .told .file").innerText,
    ]"""
    for key, axis, ahead in (("ArrowRight", "cx", 1), ("ArrowLeft", "cx", -1),
                             ("ArrowDown", "cy", 1), ("ArrowUp", "cy", -1)):  # fmt: skip
        place = float(ring.get_attribute(axis))
        for _ in range(40):
            page.keyboard.press(key)
            found, name = page.evaluate(shown, axis)
            assert ahead * (found - place) >= 0
            place = found
            visited.add(name)
    assert len(visited) > 20
    page.keyboard.press("Escape")
    assert not card.is_visible()


def test_the_map_is_touched_on_a_phone(browser: Any, report: Path) -> None:
    """A tap shows the image, and its card is within the window."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    card = page.locator(".told")
    for index in (0, 30, 60, 119):
        page.locator(".map use").nth(index).scroll_into_view_if_needed()
        box = page.locator(".map use").nth(index).bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert card.is_visible()
        shown = card.bounding_box()
        assert shown["x"] >= 0
        assert shown["x"] + shown["width"] <= PHONE["width"]
    context.close()


def test_printing_unfolds_everything_and_is_light(page: Any) -> None:
    """In dark mode, too; afterwards the page is as before."""
    folded = page.locator("details:not([open])")
    before = folded.count()
    assert before > 0
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    for name in (".contents", ".filters", ".more", ".told"):
        assert not page.locator(name).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert ink == "rgb(27, 29, 33)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.count() == before


def test_no_window_is_too_narrow(page: Any) -> None:
    """Wider content scrolls in its own frame."""
    for width in (320, 390, 600, 720, 768, 900, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_jumps_while_the_page_is_laid_out(
    browser: Any, report: Path, size: dict[str, int]
) -> None:
    """The cumulative layout shift, from opening to scrolling to the end, is almost zero."""
    context = browser.new_context(viewport=size, offline=True)
    context.add_init_script(
        """window.shifted = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.shifted += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page = context.new_page()
    page.goto(report.as_uri())
    page.mouse.move(200, 200)
    for _ in range(20):
        page.mouse.wheel(0, 1000)
        page.wait_for_timeout(30)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") < 0.05
    context.close()


@pytest.fixture(scope="module")
def side_by_side(report: Path) -> dict[str, Path]:
    """Return the pages of one run, of its comparison with another, and of all runs."""
    run = report.parent
    home = run.parent
    for command in (
        ("classify", "--data", "pictures", "--weights", "vgg16.npz", "--size", "64",
         "--cache", "cache", "--clf", "centroid", "--out", "larger"),
        ("reports", str(run), "larger"),
        ("reports", "--list", "."),
    ):  # fmt: skip
        done = run_command(*command, cwd=home)
        assert done.returncode == 0, done.stderr
    return {
        "report": report,
        "comparison": home / "comparison.html",
        "index": home / "index.html",
    }


def test_the_index_sorts_and_leads_to_the_reports(
    browser: Any, side_by_side: dict[str, Path]
) -> None:
    """Texts, times and numbers alike."""
    for page in opened(browser, side_by_side["index"].as_uri(), DESK, "light"):
        page.get_by_role("button", name="When").click()
        assert page.locator("tbody th").all_inner_texts() == ["run", "larger"]
        page.get_by_role("button", name="Accuracy").click()
        shares = [
            float(text[:-1]) for text in page.locator("tbody td:nth-child(2)").all_inner_texts()
        ]
        assert shares == sorted(shares)
        page.get_by_role("link", name="larger").click()
        assert "larger/report.html" in page.url
        assert page.locator("h1").inner_text() == "pictures"


def test_runs_side_by_side_show_the_images_whose_predictions_changed(
    browser: Any, side_by_side: dict[str, Path]
) -> None:
    """As many images as the sentence says."""
    for page in opened(browser, side_by_side["comparison"].as_uri(), DESK, "light"):
        change = page.locator("#moved details").first
        gained, lost = re.search(r"(\d+) gained, (\d+) lost", change.inner_text()).groups()
        assert int(gained) + int(lost) > 0
        change.evaluate("details => { details.open = true }")
        assert change.locator("img").count() == int(gained) + int(lost)
        assert "size 48 64" in " ".join(page.locator("#differences").inner_text().split())


@WINDOWS
@pytest.mark.parametrize("name", ["report", "comparison", "index"])
def test_no_rule_of_accessibility_is_broken(
    browser: Any, side_by_side: dict[str, Path], name: str, size: dict[str, int], scheme: str
) -> None:
    """Axe-core finds nothing serious, and the page is no wider than the window."""
    for page in opened(browser, side_by_side[name].as_uri(), size, scheme):
        assert broken_rules(page) == []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]
