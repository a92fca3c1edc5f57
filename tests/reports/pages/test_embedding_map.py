"""The map of the embeddings on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from reports import RecordError, Run
from reports.pages.embedding_map import WIDTH, embedding_map
from reports.pages.gallery import gallery
from reports.pages.page import render
from reports.ranking import ranked
from reports.reading import parse_record
from reports.records import EmbeddingMap, MapPoint
from tests.reports.samples import draw, sample


def mapped(run: Run, predictions: list, extra: int = 0) -> Run:
    """Return the run with its test pictures, and some of training, on a map."""
    truths = {row.path: row.true for row in predictions}
    points = [
        MapPoint(path, "test", label, (i % 10) / 9, (i // 10) / 40)
        for i, (path, label) in enumerate(sorted(truths.items()))
    ]
    points += [MapPoint(f"train/{i}.jpg", "train", "cats", 0.5, 0.5) for i in range(extra)]
    return replace(run, embedding_map=EmbeddingMap("PCA, then t-SNE", points, 3000))


@pytest.fixture
def shown(tmp_path):
    """Return a run with image files and a map, its predictions, its gallery and the map's view."""
    run, predictions = sample(
        ["cats", "dogs"], str(tmp_path), n_per_class=60, classifiers=("dense", "logreg")
    )
    draw(predictions, tmp_path)
    run = mapped(run, predictions, extra=3)
    results = ranked(run)
    shown = gallery(run, results, predictions)
    return run, predictions, shown, embedding_map(run, results, predictions, shown.images)


def test_every_dot_has_its_own_image(shown):
    """By path, whatever the order of gallery and map; training images are not in the gallery."""
    run, _, images, view = shown
    listed = images.images
    assert len(view.dots) == 123
    for (position, name, label, split), dot in zip(view.to_json(), view.dots, strict=True):
        assert run.data.classes[label] == dot.marker.label
        if split == "train":
            assert position == -1
        else:
            assert listed[position].path.endswith(name)
            assert listed[position].true == dot.marker.label


def test_the_mistakes_of_the_best_classifier_are_marked(shown):
    """All of them, drawn last, so that no other dot hides them."""
    run, _, _, view = shown
    best = ranked(run)[0]
    wrong = [dot.wrong for dot in view.dots]
    assert sum(wrong) == best.n_test - best.n_correct > 0
    assert wrong == sorted(wrong)
    assert f"{sum(wrong)} misclassified by the best classifier" in view.description


def test_all_dots_lie_within_the_drawing(shown):
    """It is no higher than the map is."""
    *_, view = shown
    assert view.dots
    assert all(0 < dot.x < WIDTH and 0 < dot.y < view.height for dot in view.dots)
    assert view.height < WIDTH * 0.6


def test_classes_differ_in_colour_and_shape():
    """32 of them, also for the colour-blind."""
    classes = [f"class {i:02}" for i in range(32)]
    run, predictions = sample(classes, n_per_class=2, classifiers=("svm",))
    run = mapped(run, predictions)
    results = ranked(run)
    view = embedding_map(run, results, predictions, gallery(run, results, predictions).images)
    assert view is not None
    assert view.legend == []  # too long from 31 classes on
    by_label = {dot.marker.label: dot.marker for dot in view.dots}
    markers = [by_label[label] for label in classes]
    assert len({(mark.colour, mark.shape) for mark in markers}) == 32
    for one, next_one in pairwise(markers):
        assert one.colour != next_one.colour
        assert one.shape != next_one.shape


def test_images_on_the_map_get_thumbnails_first(monkeypatch):
    """If not all get one: after the misclassified images and before all others."""
    monkeypatch.setattr("reports.pages.gallery.IMAGES_SHOWN", 20)
    run, predictions = sample(["cats", "dogs"], n_per_class=50, classifiers=("svm",))
    perfect = [replace(row, predicted=row.true) for row in predictions]
    last = sorted(row.path for row in perfect)[-20:]
    points = [MapPoint(path, "test", "dogs", 0.5, 0.5) for path in last]
    run = replace(run, embedding_map=EmbeddingMap("t-SNE", points, 100))
    assert [image.path for image in gallery(run, run.results, perfect).images] == last


def test_the_page_draws_every_dot_and_a_run_without_a_map_has_no_section(shown):
    """The script has a tooltip for each dot."""
    run, predictions, _, view = shown
    html = render(run, predictions, None)
    assert html.count('<use href="#mark-') == len(view.dots)
    opening = '<script type="application/json" id="dots">'
    stored = html.partition(opening)[2].partition("</script>")[0]
    assert [tuple(dot) for dot in json.loads(stored)] == view.to_json()
    assert 'id="map"' not in render(replace(run, embedding_map=None), predictions, None)


def test_a_hostile_name_on_the_map_stays_text(shown):
    """In the script's data as in the markup."""
    run, predictions, *_ = shown
    hostile = MapPoint("</script><script>alert(1)\udcff", "train", "cats", 0.1, 0.1)
    points = [*run.embedding_map.points, hostile]
    html = render(replace(run, embedding_map=EmbeddingMap("t-SNE", points, 9)), predictions, None)
    assert "<script>alert" not in html
    html.encode("utf-8")


@pytest.mark.parametrize(("label", "x"), [("mice", 0.5), ("cats", 1.5), ("cats", float("nan"))])
def test_a_point_off_the_map_is_refused(shown, label, x):
    """It belongs to no class, or is outside the unit square: no run writes such a record."""
    run, *_ = shown
    odd = replace(run, embedding_map=EmbeddingMap("t", [MapPoint("a", "test", label, x, 0.5)], 1))
    with pytest.raises(RecordError, match="is outside the map"):
        parse_record(odd.to_json())
    assert parse_record(run.to_json()) == run
