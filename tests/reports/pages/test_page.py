from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from reports import PredictionRow, Quarantined, RecordError, Result, Run, SearchPoint
from reports.pages.gallery import IMAGES_SHOWN
from reports.pages.page import render, write
from reports.ranking import best_in_validation
from tests.reports.samples import draw, sample

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7*7 }}\n\udcff\u202e"


class Page(HTMLParser):
    """The elements of a page; an element that is not closed is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> on line {self.getpos()[0]}"

    def handle_data(self, data):
        if "script" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for attributes in self.all("section")]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> tuple[Run, list[PredictionRow]]:
    """Return a run on 1,000 test images that exist as files."""
    root = tmp_path_factory.mktemp("photographs")
    run, predictions = sample(["cats", "dogs"], str(root), n_per_class=500)
    draw(predictions, root)
    return run, predictions


@pytest.fixture(scope="module")
def html(photographs) -> str:
    """Return the page of that run."""
    return render(*photographs, None)


def stored_pictures(html: str) -> dict:
    """Return what the page holds for its script."""
    opening = '<script type="application/json" id="images">'
    start = html.index(opening) + len(opening)
    return json.loads(html[start : html.index("</script>", start)])


def hostile_run() -> tuple[Run, list[PredictionRow]]:
    """Return a run in which every free text is hostile."""
    run, predictions = sample([HOSTILE, "b" + HOSTILE], n_per_class=20)
    odd = {HOSTILE: HOSTILE}

    def spoil(result: Result) -> Result:
        found = result.search and replace(
            result.search, scoring=HOSTILE, points=[SearchPoint({"C": 1.0, **odd}, 0.9, 0.1)]
        )
        return replace(
            result, title=HOSTILE, params=odd, notes=[HOSTILE], model=HOSTILE, search=found
        )

    run = replace(
        run,
        created=HOSTILE,
        command=[HOSTILE],
        data=replace(run.data, name=HOSTILE, root=HOSTILE, split=HOSTILE, fingerprint=HOSTILE),
        bases=[replace(run.bases[0], backbone=HOSTILE, recipe=odd)],
        versions=odd,
        machine={**odd, "list": [HOSTILE]},
        results=[spoil(result) for result in run.results],
        quarantine=[Quarantined(HOSTILE, HOSTILE)],
    )
    return run, [replace(p, path=f"{HOSTILE}/{p.path}") for p in predictions]


def test_the_page_has_every_section(html):
    """One section for each question, each reachable from the contents, each with a heading."""
    page = Page(html)
    assert page.sections == [
        "results",
        "confusion",
        "roc",
        "precision-recall",
        "training",
        "search",
        "times",
        "mistakes",
        "quarantine",
        "reproduce",
    ]
    links = [a["href"] for a in page.all("a")]
    assert [f"#{name}" for name in page.sections] == links[1:]
    assert len(page.all("h1")) == 1


def test_the_headline_is_one_sentence_before_everything_else(html, photographs):
    """It names the chosen classifier, its accuracy, the number of images and the interval."""
    best = best_in_validation(photographs[0])
    top = html[: html.index('<section id="results"')] + "</main></div></body></html>"
    text = " ".join(Page(top).text.split())
    assert (
        f"{best.title}: {best.accuracy:.1%} of 1,000 test images correct "
        f"(95% interval {best.accuracy_low:.1%} to {best.accuracy_high:.1%})."
    ) in text


def test_the_page_is_one_file_without_network(html):
    """Nothing is loaded, and only the page's own script may run."""
    page = Page(html)
    addresses = [a.get(name) for _, a in page.elements for name in ("src", "href", "action")]
    addresses = [address for address in addresses if address]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"@import|url\((?!#)|https?://", html)
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))
    script = html[html.rindex("<script>") + len("<script>") : html.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def test_the_page_stays_small(html):
    """Under 5 MB for 1,000 test images and four classifiers, thumbnails included."""
    stored = stored_pictures(html)
    assert len(stored["misclassified"]) + len(stored["others"]) == 1000
    assert min(len(stored["misclassified"]), len(stored["others"])) > 0
    assert all(picture["image"] for picture in stored["others"])
    assert html.count('src="data:image/jpeg;base64,') == len(stored["misclassified"])
    assert len(html.encode("utf-8")) < 5_000_000


def test_the_gallery_shows_every_mistake(html, photographs):
    """Each image once, by its most confident mistake, with all its mistakes."""
    worst: dict[str, float] = {}
    for p in photographs[1]:
        if p.true != p.predicted:
            worst[p.path] = max(worst.get(p.path, 0), p.probability)
    start = html.index('<ul class="pictures mistakes">')
    mistakes = html[start : html.index("</ul>", start)]
    titles = re.findall(r'<span class="file" title="([^"]+)"', mistakes)
    assert titles == sorted(worst, key=lambda path: (-worst[path], path))
    n_wrong = sum(p.true != p.predicted for p in photographs[1])
    assert mistakes.count('class="meter"') == n_wrong


def test_the_page_shows_a_part_of_many_images():
    """Misclassified ones first; the numbers count all of them."""
    run, predictions = sample(["cats", "dogs"], n_per_class=2 * IMAGES_SHOWN)
    html = render(run, predictions, None)
    n_misclassified = len({p.path for p in predictions if p.true != p.predicted})
    assert IMAGES_SHOWN < n_misclassified < 4 * IMAGES_SHOWN
    stored = stored_pictures(html)
    assert (len(stored["misclassified"]), stored["others"]) == (IMAGES_SHOWN, [])
    text = " ".join(Page(html).text.split())
    assert f"{n_misclassified:,} of 4,000 images were misclassified" in text
    assert "; 1,000 are shown." in text


def test_the_script_knows_every_prediction(html, photographs):
    """For every image the prediction of each classifier, in the order of the page."""
    stored = stored_pictures(html)
    listed = sorted(
        (image["name"], stored["classes"][predicted], share)
        for image in [*stored["misclassified"], *stored["others"]]
        for _, predicted, share in image["predictions"]
    )
    assert listed == sorted(
        (p.path.rpartition("/")[2], p.predicted, f"{p.probability:.1%}") for p in photographs[1]
    )


def test_every_id_is_there_once(html):
    """Anchors and the references inside the drawings are never ambiguous."""
    ids = [attributes["id"] for _, attributes in Page(html).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_pictures_and_drawings_have_words(html):
    """Every image has an alternative text, every drawing a name."""
    page = Page(html)
    assert page.all("img")
    assert all(a.get("alt") for a in page.all("img"))
    drawings = [a for a in page.all("svg") if a.get("aria-hidden") != "true"]
    assert drawings
    assert all(a.get("role") == "img" and a.get("aria-labelledby") for a in drawings)


def test_the_page_says_how_the_data_were_understood():
    """In a section of its own, with what was passed over; a run of old has none."""
    run, predictions = sample(["cats", "dogs"], n_per_class=5, classifiers=("svm",))
    assert "data" not in Page(render(run, predictions, None)).sections
    data = replace(
        run.data,
        layout="split-folders",
        layout_description="train/CLASS and val/CLASS",
        passed_over={".txt files": 3, "empty folders (<new>)": 1},
        remarks=["The validation split (20 images) is used as the test split."],
    )
    page = Page(render(replace(run, data=data), predictions, None))
    assert "data" in page.sections
    assert "train/CLASS and val/CLASS" in page.text
    assert "3 .txt files, 1 empty folder (<new>)" in page.text
    assert "The validation split (20 images) is used" in page.text


def test_hostile_names_stay_text():
    """No class, file, title, note or parameter becomes an element, an attribute or an address."""
    page_text = render(*hostile_run(), None)
    page_text.encode("utf-8")
    page = Page(page_text)
    assert page.all("script") == [{"type": "application/json", "id": "images"}, {}]
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not [a for a in page.all("img") if a.get("src") == "x"]
    assert "\\n\\xff\\u202e" in page.text
    assert "<script>alert(1)</script>\"'>" in page.text
    assert "{{ 7*7 }}" in page.text


def test_hostile_names_break_no_element():
    """With and without them the page has the same elements."""
    plain, predictions = sample(["a", "b"], n_per_class=20)
    odd = [replace(r, title=HOSTILE) for r in plain.results]
    before = Page(render(plain, predictions, None))
    after = Page(render(replace(plain, results=odd), predictions, None))
    assert [tag for tag, _ in before.elements] == [tag for tag, _ in after.elements]


def test_sections_with_nothing_to_show_are_left_out():
    """Without curves, history, search, predictions and quarantine, the others remain."""
    run, _ = sample(["cats", "dogs"], n_per_class=20)
    bare = [replace(r, roc=[], history={}, search=None, classes=[]) for r in run.results]
    page = Page(render(replace(run, results=bare, quarantine=[]), [], None))
    assert page.sections == [
        "results",
        "confusion",
        "times",
        "mistakes",
        "quarantine",
        "reproduce",
    ]
    assert "predictions of this run are missing" in page.text
    assert "every image could be read" in page.text


def test_a_run_without_classifiers_has_a_page():
    """It says so instead of a headline."""
    run, _ = sample(["cats", "dogs"], n_per_class=20)
    page = Page(render(replace(run, results=[]), [], None))
    assert "No classifier was trained" in page.text


def test_figures_that_are_not_numbers_have_a_page():
    """A network that diverged is a result too."""
    run, predictions = sample(["cats", "dogs"], n_per_class=20, classifiers=("dense",))
    nan = float("nan")
    odd = replace(
        run.results[0], log_loss=nan, roc_auc=None, history={"loss": [nan, nan], "accuracy": []}
    )
    assert "nan" not in Page(render(replace(run, results=[odd]), predictions, None)).text.lower()


@pytest.mark.parametrize("n_classes", [6, 12, 30])
def test_many_classes_have_a_page(n_classes):
    """Each has its row and its column in every confusion matrix."""
    classes = [f"class {i:02d}" for i in range(n_classes)]
    run, predictions = sample(classes, n_per_class=5, classifiers=("svm", "logreg"))
    page = Page(render(run, predictions, None))
    cells = [a for a in page.all("td") if (a.get("class") or "").startswith(("right", "wrong"))]
    assert len(cells) == 2 * n_classes**2


def test_the_page_is_the_same_every_time(photographs, html):
    """Same record, same images, same bytes."""
    assert render(*photographs, None) == html


def test_the_page_links_the_files_beside_it(tmp_path: Path):
    """Those that exist in the run's folder."""
    run, predictions = sample(["cats", "dogs"], n_per_class=5, classifiers=("svm",))
    (tmp_path / "metrics.csv").touch()
    write(run, predictions, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "./metrics.csv" in [a["href"] for a in page.all("a")]


def test_a_page_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    """A missing folder is a RecordError with the path."""
    run, _ = sample(["cats", "dogs"], n_per_class=10, classifiers=())
    with pytest.raises(RecordError, match="cannot write"):
        write(run, [], tmp_path / "missing" / "report.html")


def test_unused_files_are_not_counted_as_embedded():
    """Embeddings are those that were computed and those that came from the cache."""
    run, predictions = sample(["cat", "dog"], n_per_class=5, classifiers=("svm",))
    extraction = replace(run.extraction, images=82, cached=50, computed=30, quarantined=2)
    run = replace(run, bases=[replace(run.bases[0], extraction=extraction)])
    html = render(run, predictions, None)
    assert "of 80 images took" in html
