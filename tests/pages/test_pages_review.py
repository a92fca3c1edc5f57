"""The page to review labels, in headless Chromium, with a real server."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import CHROMIUM, DESK, WINDOWS, broken_rules, opened
from conftest import HOSTILE_CLASSES, serving

from cache import disk
from classify.reviewing.queue import KINDS
from reports import records, tables
from tests.reports.samples import RECIPE, draw, sample, with_recipe
from toolkit.csv_cells import decode_text

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"),
]
MODULE = "classify.review"
N_IMAGES, FIRST, NEXT = 2000, 0.5, 0.1
"""How many images a session may have, and the seconds until the first and the next one shows."""


@contextmanager
def reviewed(home: Path, run: str) -> Iterator[str]:
    """Serve the review of a run, and end it."""
    yield from serving(home, run, module=MODULE)


@pytest.fixture
def run(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the folder of the run, without decisions."""
    copy = tmp_path_factory.mktemp("review", numbered=True)
    return Path(shutil.copytree(report.parent, report.parents[1] / copy.name))


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    """Serve its review."""
    with reviewed(run.parent, run.name) as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """Open the page, at the first image."""
    for page in opened(browser, f"{address}/", DESK, "light", offline=False):
        page.wait_for_selector("#picture img")
        yield page


def rows(run: Path) -> list[tuple[str, str, str]]:
    with (run / "corrections.csv").open(encoding="utf-8", newline="") as file:
        return [(row["path"], row["label"], row["decision"]) for row in csv.DictReader(file)]


def name_of(page: Any) -> str:
    return str(page.locator("#name").inner_text())


def press(page: Any, key: str) -> None:
    """Press a key, and wait until another image shows."""
    before = name_of(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.getElementById('name').textContent !== before", arg=before
    )


@WINDOWS
def test_forty_images_are_reviewed_by_keyboard_alone(
    browser: Any, run: Path, address: str, size: dict[str, int], scheme: str
) -> None:
    """Every decision is in the file; the page says what they change, and is accessible."""
    from playwright.sync_api import expect

    for page in opened(browser, f"{address}/", size, scheme, offline=False):
        page.wait_for_selector("#picture img")
        total = page.locator("#progress").inner_text().split()[2]
        expected = []
        for i in range(40):
            name, key = name_of(page), ("1", "Enter", "x", "2", " ")[i % 5]
            label = page.locator("#facts dd").first.inner_text().partition(" (")[0]
            classes = [text[2:] for text in page.locator("#choices button").all_inner_texts()]
            labels = {"1": classes[0], "2": classes[1], "x": "", "Enter": label, " ": label}
            press(page, key)
            expected.append((name, labels[key]))
            assert page.evaluate("document.activeElement.id") == "name"
            if i % 10 == 9:
                press(page, "u")
                assert name_of(page) == name
                assert page.locator("#progress").inner_text() == f"{i} of {total} decided"
                press(page, key)
                expected += [(name, label), (name, labels[key])]
        assert [(path, label) for path, label, _ in rows(run)] == expected
        assert page.locator("#progress").inner_text() == f"40 of {total} decided"
        assert broken_rules(page) == []
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        assert broken_rules(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Train again").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#stage")).to_have_text("Done.", timeout=60_000)
        expect(page.locator("#retrained p").first).to_contain_text("Trained with")
        expect(page.locator("#retrained p").nth(1)).to_contain_text("whose label was not changed")
        assert broken_rules(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_the_page_goes_on_at_the_first_image_without_decision(page: Any, address: str) -> None:
    """After it is loaded again, after arrows, and in another tab; which hears of decisions."""
    from playwright.sync_api import expect

    names = []
    for _ in range(3):
        names.append(name_of(page))
        press(page, "ArrowRight")
    press(page, "ArrowLeft")
    assert name_of(page) == names[2]
    for _ in range(2):
        press(page, "ArrowLeft")
    press(page, "Enter")
    page.reload()
    page.wait_for_selector("#picture img")
    assert name_of(page) == names[1]
    other = page.context.new_page()
    other.goto(f"{address}/")
    other.wait_for_selector("#picture img")
    assert name_of(other) == names[1]
    press(other, "x")
    press(page, "ArrowRight")
    press(page, "1")
    assert page.locator("#progress").inner_text().startswith("3 of ")
    press(page, "u")
    other.keyboard.press("u")
    expect(other.locator("#progress")).to_contain_text("1 of ")
    other.keyboard.press("u")
    expect(other.locator("#said")).to_contain_text("no decision of this tab")


def test_keys_do_nothing_where_they_mean_something_else(page: Any, run: Path) -> None:
    """In a list, with Ctrl, Alt or Meta, held down, and in the dialog of keys."""
    name = name_of(page)
    page.locator("#kind").focus()
    page.keyboard.press("x")
    page.locator("#name").focus()
    for key in ("Control+x", "Alt+1", "Meta+1", "Control+Enter"):
        page.keyboard.press(key)
    page.evaluate(
        "document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: '1', repeat: true, bubbles: true}))"
    )
    page.keyboard.press("?")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    assert name_of(page) == name
    assert rows(run) == []


def test_evidence_of_a_classifier_that_was_trained_on_the_label_is_called_that(page: Any) -> None:
    """That of a test image is not."""
    seen = set()
    for _ in range(60):
        split = page.locator("#facts dd").first.inner_text().partition(" (")[2].split()[0]
        if page.locator("#why .evidence").count():
            assert page.locator("#trained").is_visible() == (split == "train")
            seen.add(split)
        if seen == {"train", "test"}:
            return
        press(page, "ArrowRight")
        page.wait_for_timeout(200)
    raise AssertionError(f"evidence was shown for {seen} alone")


def test_images_of_one_kind_are_shown_alone(page: Any) -> None:
    """With their number; the filter is a list of what there is."""
    options = page.locator("#kind option").all_inner_texts()
    assert options[0].startswith("Everything (")
    kind = next(key for key, words in KINDS.items() if options[-1].startswith(words))
    page.locator("#kind").select_option(kind)
    number = options[-1].partition("(")[2].rstrip(")")
    page.wait_for_function(
        "number => document.getElementById('progress').textContent === `0 of ${number} decided`",
        arg=number,
    )


def test_by_touch_and_mouse_the_same_is_possible(page: Any, run: Path) -> None:
    """Enter after a click keeps the label of the next image, and does not repeat the click."""
    first = name_of(page)
    page.locator("#choices button").nth(1).click()
    page.wait_for_function(
        "before => document.getElementById('name').textContent !== before", arg=first
    )
    second = name_of(page)
    press(page, "Enter")
    assert [(path, kind) for path, _, kind in rows(run)] == [
        (first, "relabel"), (second, "keep"),
    ]  # fmt: skip
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(
        "name => document.getElementById('name').textContent === name", arg=second
    )


def test_what_is_not_saved_is_said_and_the_image_stays(
    browser: Any, run: Path, address: str
) -> None:
    """The next one shows once the decision is on the disk."""
    from playwright.sync_api import expect

    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}/")
    page.wait_for_selector("#picture img")
    name = name_of(page)
    kept = (run / "corrections.csv").read_bytes()
    (run / "corrections.csv").write_bytes(b"something else\n")
    page.keyboard.press("1")
    expect(page.locator("#alert")).to_be_visible()
    assert name_of(page) == name
    assert page.locator("#progress").inner_text().startswith("0 of ")
    (run / "corrections.csv").write_bytes(kept)
    press(page, "1")
    expect(page.locator("#alert")).to_be_hidden()
    assert [path for path, _, _ in rows(run)] == [name]
    page.close()


def test_a_killed_server_is_reported_and_nothing_confirmed_is_lost(browser: Any, run: Path) -> None:
    """Another one goes on where it was."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    command = [sys.executable, "-m", MODULE, run.name, "--cache", "cache"]
    server = subprocess.Popen(command, cwd=run.parent, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    page.goto(server.stdout.readline().strip())
    page.wait_for_selector("#picture img")
    for _ in range(3):
        press(page, "1")
    name = name_of(page)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    page.keyboard.press("1")
    expect(page.locator("#alert")).to_contain_text("Nothing was saved")
    assert name_of(page) == name
    with reviewed(run.parent, run.name) as address:
        page.goto(f"{address}/")
        page.wait_for_selector("#picture img")
        assert name_of(page) == name
        assert page.locator("#progress").inner_text().startswith("3 of ")
        context.close()


def test_hostile_names_are_text(browser: Any, hostile: Path) -> None:
    """Those of files and classes; nothing that they hold is run."""
    for address in serving(hostile.parents[2], "hostile-out/run", module=MODULE):
        for page in opened(browser, f"{address}/", DESK, "light", offline=False):
            page.wait_for_selector("#picture img")
            assert "<b onclick=alert(1)>" in name_of(page)
            assert page.locator("img[src=x], #current b[onclick]").count() == 0
            choices = " ".join(page.locator("#choices button").all_inner_texts())
            assert HOSTILE_CLASSES[0].decode() in choices
            assert "caf\\xe9 \\u202e=x" in choices
            press(page, "2")
    (_, label, _), *_ = rows(hostile.parent)
    assert os.fsencode(decode_text(label)) in HOSTILE_CLASSES


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of twelve classes, whose audit doubts 2,000 labels."""
    home = tmp_path_factory.mktemp("many")
    names = [f"class {i:02}" for i in range(12)]
    run, predictions = sample(
        names, str(home / "images"), n_per_class=N_IMAGES // 12 + 1, classifiers=("svm",)
    )
    draw(predictions, home / "images")
    pictures = [
        records.PictureRecord(row.path, row.true, "test", disk.sha256(home / "images" / row.path))
        for row in predictions
    ]
    suspects = [
        records.Suspect(row.path, "test", row.true, row.predicted, 0.1)
        for row in predictions[:N_IMAGES]
    ]
    run = with_recipe(run, RECIPE | {"preprocessing": "torch"})
    run = dataclasses.replace(run, audit=records.Audit([], suspects, [], {}, 1.0))
    (home / "run").mkdir()
    (home / "run" / records.RECORD_NAME).write_text(run.to_json())
    tables.write_predictions(predictions, home / "run" / tables.PREDICTIONS_NAME)
    tables.write_pictures(pictures, home / "run" / tables.PICTURES_NAME)
    return home


def test_two_thousand_images_do_not_stutter(browser: Any, many: Path) -> None:
    """The median of the next ones, and the first one, with room for a busy machine."""
    with reviewed(many, "run") as address:
        context = browser.new_context(viewport=DESK)
        page = context.new_page()
        page.goto(f"{address}/")
        page.wait_for_selector("#picture img")
        started = time.monotonic()
        page.goto(f"{address}/")
        page.wait_for_selector("#picture img")
        first = time.monotonic() - started
        assert "of 2,0" in page.locator("#progress").inner_text()
        seconds = []
        for _ in range(30):
            started = time.monotonic()
            press(page, "1")
            seconds.append(time.monotonic() - started)
            page.wait_for_timeout(100)
        context.close()
    assert first < 4 * FIRST
    assert sorted(seconds)[15] < 4 * NEXT


def test_a_class_of_many_is_found(browser: Any, many: Path) -> None:
    """Those that the image may be of have keys; the search finds any other."""
    shutil.copytree(many / "run", many / "searched")
    with reviewed(many, "searched") as address:
        for page in opened(browser, f"{address}/", DESK, "light", offline=False):
            page.wait_for_selector("#picture img")
            name = name_of(page)
            assert page.locator("#choices button").count() <= 2
            page.keyboard.press("/")
            page.keyboard.type("no such")
            assert page.locator("#none").inner_text() == "No class has this in its name."
            page.keyboard.press("Escape")
            assert not page.locator("#none").is_visible()
            page.keyboard.press("/")
            page.keyboard.type("class 1")
            assert page.locator("#matches li").all_inner_texts() == ["class 10", "class 11"]
            assert broken_rules(page) == []
            page.keyboard.press("ArrowDown")
            press(page, "Enter")
            page.keyboard.press("/")
            page.keyboard.type("x1")
            page.keyboard.press("Escape")
            page.wait_for_timeout(200)
    assert rows(many / "searched")[-1] == (name, "class 11", "relabel")


def test_an_image_is_shown_as_a_whole(page: Any) -> None:
    """In its own proportions, within the frame."""
    shown = page.evaluate(
        """() => {
            const image = document.querySelector("#picture img");
            const frame = document.getElementById("picture");
            return [getComputedStyle(image).objectFit, image.clientHeight - frame.clientHeight,
                    image.clientWidth - frame.clientWidth];
        }"""
    )
    assert shown == ["contain", 0, 0]
