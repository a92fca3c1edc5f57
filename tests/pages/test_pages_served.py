"""The page to try a model, in headless Chromium, with a real server."""

from __future__ import annotations

import csv
import time
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from chromium import CHROMIUM, DESK, WINDOWS, broken_rules, opened

from extract.datasets.sources.shapes import CLASSES, draw_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"),
]

HOSTILE = "=<img src=x onerror=alert(1)>.png"


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    """Open the page of the server."""
    yield from opened(browser, f"{server}/", DESK, "light", offline=False)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Return six pictures that the model has not seen, one of them with a hostile name."""
    paths = [tmp_path / (HOSTILE if i == 5 else f"{i}.png") for i in range(6)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), draw_image("test", 100 + i)[:, :, ::-1])
    return paths


def choose(page: Any, paths: list[Path]) -> Any:
    """Choose files, and return the cards of their predictions once all are there."""
    from playwright.sync_api import expect

    page.locator("input[type=file]").set_input_files(paths)
    expect(page.locator(".found")).to_contain_text(f"{len(paths)} classified")
    return page.locator(".answers > li")


def test_a_photograph_is_classified_within_a_second(page: Any, photographs: list[Path]) -> None:
    """Class and probability, every class of the run in order, five neighbours, the position."""
    seconds = []
    for path in photographs[:3]:  # the best of three, so that a busy machine does not decide
        if seconds:
            page.get_by_role("button", name="Clear").click()
        started = time.monotonic()
        cards = choose(page, [path])
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 1
    card = cards.first
    names = card.locator(".classes .name").all_inner_texts()
    assert set(names) < set(CLASSES)
    assert len(names) == 5
    assert card.locator(".label b").inner_text() == names[0]
    shares = [float(text[:-1]) for text in card.locator(".classes .number").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert card.locator(".label").inner_text().endswith(f"{shares[0]:.1f}%")
    images = card.locator(".neighbours img")
    assert images.count() == 5
    for image in images.all():
        image.scroll_into_view_if_needed()
        loaded = "image => image.complete && image.naturalWidth > 0"
        page.wait_for_function(loaded, arg=image.element_handle())
    assert page.locator(".map circle.new").count() == 1
    assert page.locator(".map text.new").text_content() == "1"


def test_several_are_answered_and_taken_away_as_csv(page: Any, photographs: list[Path]) -> None:
    """One row each, in the order of choosing; a name is text, not a formula."""
    cards = choose(page, photographs)
    assert cards.count() == 6
    assert page.locator(".map circle.new").count() == 6
    assert page.locator('.answers img[src="x"]').count() == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    with download.value.path().open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[:5] == ["path", "class", "probability", "undecided", "problem"]
    assert [row[0] for row in rows] == [f"{i}.png" for i in range(5)] + ["'" + HOSTILE]
    assert [row[1] for row in rows] == cards.locator(".label b").all_inner_texts()
    assert all(sum(map(float, row[5:])) == pytest.approx(1) for row in rows)
    page.get_by_role("button", name="Clear").click()
    assert cards.count() == page.locator(".map circle.new").count() == 0
    assert not page.locator("#answers").is_visible()


def test_a_picture_is_dropped_and_pasted(page: Any, photographs: list[Path]) -> None:
    """Both ways give a prediction."""
    from playwright.sync_api import expect

    for i, kind in enumerate(("drop", "paste")):
        page.evaluate(
            """([kind, numbers]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(numbers)], `${kind}.png`));
                const event = kind === "drop"
                    ? new DragEvent(kind, { cancelable: true, dataTransfer: data })
                    : new ClipboardEvent(kind, { cancelable: true, clipboardData: data });
                document.dispatchEvent(event);
            }""",
            [kind, list(photographs[i].read_bytes())],
        )
        expect(page.locator(".found")).to_contain_text(f"{i + 1} classified")
    assert page.locator(".answers .file").all_inner_texts() == ["2 paste.png", "1 drop.png"]


def test_broken_and_huge_files_are_friendly_messages(
    browser: Any, server: str, tmp_path: Path, photographs: list[Path]
) -> None:
    """The other files still get a prediction."""
    from playwright.sync_api import expect

    broken, huge = tmp_path / "broken.jpg", tmp_path / "huge.png"
    broken.write_bytes(photographs[0].read_bytes()[:300])
    huge.write_bytes(bytes(33 * 2**20))
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(f"{server}/")
    page.locator("input[type=file]").set_input_files([broken, huge, photographs[0]])
    expect(page.locator(".found")).to_have_text("1 classified, 2 refused")
    said = page.locator(".answers .problem").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    with download.value.path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["broken.jpg", "huge.png", "0.png"]
    assert [row["problem"] for row in rows] == [*said, ""]
    assert any("cannot be used as an image" in text for text in said)
    assert any("larger than 32 MB" in text for text in said)
    context.close()


def test_ten_at_a_time_are_answered(browser: Any, server: str, tmp_path: Path) -> None:
    """From ten windows at once, each with its own images."""
    from playwright.sync_api import expect

    context = browser.new_context()
    pages = [context.new_page() for _ in range(10)]
    for i, page in enumerate(pages):
        page.goto(f"{server}/")
        for j in range(2):
            cv2.imwrite(
                str(tmp_path / f"{i}-{j}.png"), draw_image("test", 60 + 2 * i + j)[:, :, ::-1]
            )
    for i, page in enumerate(pages):
        page.locator("input[type=file]").set_input_files(
            [tmp_path / f"{i}-{j}.png" for j in range(2)]
        )
    for page in pages:
        expect(page.locator(".found")).to_have_text("2 classified", timeout=20_000)
    context.close()


@WINDOWS
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_no_rule_of_accessibility_is_broken(
    browser: Any,
    server: str,
    photographs: list[Path],
    path: str,
    size: dict[str, int],
    scheme: str,
) -> None:
    """Axe-core finds nothing serious, also with predictions on the page."""
    for page in opened(browser, server + path, size, scheme, offline=False):
        if path == "/":
            choose(page, photographs[:2])
        assert broken_rules(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_stopped_server_is_reported(browser: Any, server: str, photographs: list[Path]) -> None:
    """The message says what to check."""
    from playwright.sync_api import expect

    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server}/")
    context.set_offline(True)
    page.locator("input[type=file]").set_input_files(photographs[:1])
    expect(page.locator(".answers .problem")).to_contain_text("still runs")
    context.close()


def test_the_evidence_for_a_prediction_is_shown_on_demand(
    page: Any, photographs: list[Path]
) -> None:
    """Over the image in grey, in words, and as numbers; also by the keyboard."""
    card = choose(page, photographs[:1]).first
    button = card.get_by_role("button", name="Where is the evidence?")
    button.focus()
    page.keyboard.press("Enter")
    figure = card.locator(".evidence")
    figure.wait_for()
    assert "evidence for" in str(figure.locator("img.colours").get_attribute("alt"))
    assert figure.locator("figcaption").inner_text().startswith("for ")
    figure.locator("summary").click()
    assert figure.locator("td").count() >= 1
    assert figure.evaluate("figure => figure.contains(document.activeElement)")
    boxes = [figure.locator(name).bounding_box() for name in ("img.grey", "img.colours")]
    assert boxes[0] == boxes[1]
    assert broken_rules(page) == []
