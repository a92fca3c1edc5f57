"""The report of many classes: small, with the worst parts and every class within reach."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from reports.pages.classes import heat_map, many_classes
from reports.pages.page import render
from reports.records import ClassScore
from tests.reports.pages.test_page import Page
from tests.reports.samples import sample
from toolkit.statistics import wilson


def names(number: int) -> list[str]:
    """Return names of classes."""
    return [f"class {i:04d}" for i in range(number)]


@pytest.fixture(scope="module")
def html() -> str:
    """Return the page of 40 classes."""
    run, predictions = sample(names(40), n_per_class=5, classifiers=("svm", "logreg"))
    return render(run, predictions, None)


def pixels(png: str) -> np.ndarray:
    """Return the RGBA values of a PNG in Base64."""
    return np.array(Image.open(io.BytesIO(base64.b64decode(png))))


def test_there_are_tables_of_the_worst_instead_of_a_matrix(html: str) -> None:
    """For each classifier; the first is open."""
    page = Page(html)
    assert not [a for a in page.all("table") if "confusion" in (a.get("class") or "")]
    assert [a.get("class") for a in page.all("img")][:2] == ["heat", "heat"]
    assert all((a["alt"] or "").startswith("Heat map of the confusion") for a in page.all("img"))
    details = [a for a in page.all("details") if a.get("class") == "gallery classes"]
    assert ["open" in a for a in details] == [True, False]
    assert page.text.count("Most confused pairs") == page.text.count("Worst recognised") == 2


def test_the_page_holds_every_class_for_its_search(html: str) -> None:
    """With its scores by each classifier, and all its mistakes."""
    run, _ = sample(names(40), n_per_class=5, classifiers=("svm", "logreg"))
    stored = re.search(r'<script type="application/json" id="classes">(.*?)</script>', html)
    assert stored
    found = json.loads(stored[1])
    assert found["classes"] == names(40)
    assert found["images"] == [[10, 5]] * 40
    by_title = {result.title: result for result in run.results}
    for result in found["results"]:
        recorded = by_title[result["title"]]
        assert len(result["scores"]) == 40
        assert sum(n for *_, n in result["wrong"]) == recorded.n_test - recorded.n_correct
        recall = recorded.classes[7].recall
        assert result["scores"]["7"][0].startswith(f"{recall:.1%} (")


def test_a_class_is_bad_only_if_enough_images_say_so() -> None:
    """None of two recognised is less certain than one of forty."""
    run, _ = sample(names(3), n_per_class=2, classifiers=("svm",))
    result = replace(
        run.results[0],
        confusion=[[0, 2, 0], [39, 1, 0], [0, 0, 5]],
        classes=[
            ClassScore("class 0000", 2, 0.0, 0.0, 0.0),
            ClassScore("class 0001", 40, 1 / 3, 1 / 40, 0.05),
            ClassScore("class 0002", 5, 1.0, 1.0, 1.0),
        ],
    )
    view = many_classes(result, names(3))
    assert [row.score.name for row in view.worst] == ["class 0001", "class 0000"]
    assert (view.n_pairs, view.n_perfect) == (2, 1)
    assert (view.pairs[0].true, view.pairs[0].predicted, view.pairs[0].count) == (
        "class 0001", "class 0000", 39,
    )  # fmt: skip


def test_the_heat_map_has_a_dot_for_each_cell() -> None:
    """Correct ones and wrong ones have two colours, and cells of zero none."""
    png, per_dot = heat_map([(0, 0, 9), (0, 2, 1), (1, 1, 5)], 3)
    image = pixels(png)
    assert (per_dot, image.shape) == (1, (3, 3, 4))
    np.testing.assert_array_equal(image[..., 3] > 0, [[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    assert image[0, 0, 2] > image[0, 0, 0]  # blue
    assert image[0, 2, 0] > image[0, 2, 2]  # orange
    assert image[1, 1, 3] == 255 > image[0, 0, 3] > image[0, 2, 3]


def test_the_heat_map_of_very_many_classes_joins_neighbours() -> None:
    """A single mistake among 1,000 classes is still a dot."""
    png, per_dot = heat_map([(i, i, 5) for i in range(1000)] + [(3, 999, 1)], 1000)
    image = pixels(png)
    assert (per_dot, image.shape) == (4, (250, 250, 4))
    assert image[0, 249, 3] > 0
    assert (image[..., 3] > 0).sum() == 251


def test_the_page_of_a_thousand_classes_stays_small() -> None:
    """Without its thumbnails it is under 2 MB, and has no element for a pair of classes."""
    run, predictions = sample(names(1000), n_per_class=4, classifiers=("svm", "logreg"))
    html = render(run, predictions, None)
    assert len(html.encode("utf-8")) < 2_000_000
    assert len(Page(html).elements) < 30_000


def test_the_interval_of_a_recall_is_the_recorded_one() -> None:
    """It may be by groups; records of earlier versions have none, and Wilson's is shown."""
    run, _ = sample(names(40), n_per_class=5, classifiers=("svm",))
    result = run.results[0]
    scores = [replace(score, recall_low=0.11, recall_high=0.99) for score in result.classes]
    rows = many_classes(replace(result, classes=scores), run.data.classes).rows.values()
    assert {(row.low, row.high) for row in rows} == {(0.11, 0.99)}
    earlier = many_classes(result, run.data.classes).rows[0]
    assert (earlier.low, earlier.high) == wilson(earlier.n_correct, 5)
