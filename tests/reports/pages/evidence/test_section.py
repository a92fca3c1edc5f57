"""Evidence maps on the page of a report."""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from reports.pages.evidence.overlay import OPAQUE
from reports.pages.page import render
from reports.records import EvidenceRow
from tests.reports.pages.test_page import HOSTILE, Page
from tests.reports.samples import draw, sample, with_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from reports import PredictionRow, Run


def evidence_of(run: Run, predictions: list[PredictionRow], classifier: str) -> list[EvidenceRow]:
    """Return evidence for each prediction of a classifier, strongest in the upper left."""

    def row(path: str, label: str, strength: float, n_images: int = 1) -> EvidenceRow:
        shares = [[strength, 0.1], [0.1, -0.2]]
        return EvidenceRow(classifier, path, label, n_images, 1.0, 0.5, True, 0.0, 1.0, shares)

    rows = []
    for each in predictions:
        if each.classifier == classifier:
            rows.append(row(each.path, each.predicted, 4.0))
            if each.predicted != each.true and len(run.data.classes) > 2:
                rows.append(row(each.path, each.true, 1.0))
    return [*rows, *(row("", label, 4.0, 20) for label in run.data.classes)]


def page_of(tmp_path: Path, classes: list[str], **kwargs: Any) -> tuple[Page, str, list[Any]]:
    run, predictions = sample(classes, str(tmp_path), n_per_class=12, **kwargs)
    draw(predictions, tmp_path)
    rows = evidence_of(run, predictions, "cnn")
    html = render(run, predictions, None, evidence=rows)
    return Page(html), html, predictions


def opacities(element: dict[str, str | None]) -> np.ndarray:
    data = base64.b64decode(str(element["href"]).partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3]


@pytest.mark.parametrize("classes", [["cats", "dogs"], ["cats", "dogs", "owls"]])
def test_every_mistake_has_its_evidence(tmp_path: Path, classes: list[str]) -> None:
    """For the predicted class, and for the true one if it is not the only other one."""
    page, _, predictions = page_of(tmp_path, classes, classifiers=("cnn", "svm"))
    mistakes = {
        row.path for row in predictions if row.classifier == "cnn" and row.predicted != row.true
    }
    thumbnails = [one for one in page.all("image") if str(one.get("id")).startswith("mistake-")]
    assert len(thumbnails) == len(mistakes) > 3
    uses = [one for one in page.all("use") if str(one.get("href")).startswith("#mistake-")]
    assert len(uses) == len(mistakes) * (1 if len(classes) == 2 else 2)
    assert "evidence of cnn" in page.text


def test_the_maps_of_an_image_have_the_same_scale(tmp_path: Path) -> None:
    page, _, _ = page_of(tmp_path, ["cats", "dogs", "owls"], classifiers=("cnn",))
    overlays = [one for one in page.all("image") if str(one["href"]).startswith("data:image/png")]
    strongest = [opacities(one).max() for one in overlays[:2]]
    assert strongest[0] == OPAQUE
    assert strongest[1] == OPAQUE // 4


def test_maps_have_a_text_alternative_and_numbers(tmp_path: Path) -> None:
    page, _, _ = page_of(tmp_path, ["cats", "dogs"], classifiers=("cnn",))
    labels = [str(one.get("aria-label")) for one in page.all("svg")]
    assert "95% of the evidence for dogs lies in the upper left" in labels
    assert "+4+0.1+0.1-0.2" in "".join(page.text.split())


def test_places_that_count_for_another_class_than_the_score_are_pointed_out(tmp_path: Path) -> None:
    run, predictions = sample(["cats", "dogs"], str(tmp_path), n_per_class=12)
    draw(predictions, tmp_path)
    rows = evidence_of(run, predictions, "cnn")
    assert (
        "Mind what belongs to no place"
        not in Page(render(run, predictions, None, evidence=rows)).text
    )
    rows[0] = dataclasses.replace(rows[0], score=-0.5)
    text = " ".join(Page(render(run, predictions, None, evidence=rows)).text.split())
    total = f"{sum(map(sum, rows[0].map)):+.2g}"
    caution = f"the places add up to {total}, but the score for {rows[0].label} is -0.5."
    assert text.count(f"Mind what belongs to no place: {caution}") == 1


def test_the_means_and_the_surest_images_of_each_class_are_shown(tmp_path: Path) -> None:
    page, html, predictions = page_of(tmp_path, ["cats", "dogs"], classifiers=("cnn",))
    assert "evidence" in page.sections
    assert html.count("20 images</p>") == 2
    sure = [one for one in page.all("image") if str(one.get("id")).startswith("sure-")]
    assert len(sure) == sum(row.predicted == row.true for row in predictions)
    order = [html.index(f'id="sure-0-{i}"') for i in range(3)]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("aspect", "fit"), [("stretch", "none"), ("crop", "xMidYMid slice"), ("pad", "xMidYMid meet")]
)
def test_images_are_shown_as_the_network_sees_them(tmp_path: Path, aspect: str, fit: str) -> None:
    run, predictions = sample(["cats", "dogs"], str(tmp_path), n_per_class=12)
    draw(predictions, tmp_path)
    run = with_recipe(run, {**run.recipe, "aspect": aspect})
    rows = evidence_of(run, predictions, "cnn")
    page = Page(render(run, predictions, None, evidence=rows))
    thumbnails = [one for one in page.all("image") if str(one.get("id")).startswith("mistake-")]
    assert {one["preserveaspectratio"] for one in thumbnails} == {fit}


def test_hostile_names_are_text(tmp_path: Path) -> None:
    page, html, _ = page_of(tmp_path, ["cats", HOSTILE], classifiers=("cnn",))
    assert "alert(1)</script>" not in html
    assert len(page.all("script")) <= 4
    assert not [one for one in page.all("img") if "onerror" in one]


def test_what_is_not_explained_is_said(tmp_path: Path) -> None:
    """Classifiers, and mistakes beyond the limit."""
    run, predictions = sample(["cats", "dogs"], str(tmp_path), n_per_class=12)
    draw(predictions, tmp_path)
    rows = evidence_of(run, predictions, "cnn")
    wrong = [one for one in rows if one.path and one.label != one.path.partition("/")[0]]
    page = Page(render(run, predictions, None, evidence=[one for one in rows if one != wrong[0]]))
    named = page.text.partition("Not shown for ")[2].partition(":")[0]
    assert {name in named for name in ("svm", "logreg", "dense")} == {True}
    assert "cnn" not in named
    assert f"is shown for {len(wrong) - 1} of them" in page.text


def test_without_evidence_the_page_says_what_shows_it(tmp_path: Path) -> None:
    run, predictions = sample(["cats", "dogs"], str(tmp_path), n_per_class=12)
    draw(predictions, tmp_path)
    page = Page(render(run, predictions, None))
    assert "evidence" not in page.sections
    assert "classify.predict with --explain shows it" in page.text
    assert not [one for one in page.all("use") if str(one.get("href")).startswith("#mistake")]
