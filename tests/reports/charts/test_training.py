from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import pytest

from reports import Result, SearchPoint
from reports.charts.curves import precision_recall, roc
from reports.charts.svg import style
from reports.charts.training import learning, search, training
from reports.records import LearningCurve
from tests.reports.samples import C_GRID, sample

TWO = sample(["cats", "dogs"])[0].results
SIX = sample(list("abcdef"), n_per_class=20)[0].results


def named(results: list[Result], classifier: str) -> Result:
    return next(result for result in results if result.classifier == classifier)


def all_charts(results: list[Result], n_classes: int) -> list:
    searches = [search(result, i) for i, result in enumerate(results)]
    curves = [*roc(results, n_classes), *precision_recall(results, n_classes)]
    return [*curves, *training(results), *filter(None, searches)]


def test_results_without_curves_have_no_chart():
    """There are no empty frames."""
    bare = [replace(result, roc=[], history={}, search=None) for result in TWO]
    assert all_charts(bare, 2) == []


def test_training_shows_networks_only():
    """Loss and accuracy have a line per network, dashed for the validation split."""
    dense = named(TWO, "dense")
    history = {**dense.history, "val_loss": [0.5, 0.4], "accuracy": [float("nan")]}
    loss, accuracy = training([replace(dense, history=history), named(TWO, "svm")])
    assert [key.label for key in loss.legend] == ["Dense head", "Dense head, validation"]
    assert loss.legend[1].dasharray
    assert accuracy.legend[0].value == "last -"


def test_search_has_a_line_per_kernel():
    """The legend has the best mean of each, and the axis a tick for every C."""
    chart = search(named(TWO, "svm"), 0)
    assert chart is not None
    assert [(key.label, key.value) for key in chart.legend] == [
        ("linear kernel", "best 0.966"),
        ("rbf kernel", "best 0.970"),
    ]
    texts = {element.text for element in ET.fromstring(chart.svg).iter("text")}
    assert {f"{c:g}" for c in C_GRID} <= texts


def test_a_pipeline_parameter_counts_by_its_last_part():
    """`svc__C` is C."""
    logreg = named(TWO, "logreg")
    assert logreg.search is not None
    points = [SearchPoint({"clf__C": c}, 0.9, 0.01) for c in C_GRID]
    changed = replace(logreg.search, points=points, chosen={"clf__C": 1.0})
    chart = search(replace(logreg, search=changed), 0)
    assert chart is not None
    assert [key.label for key in chart.legend] == ["Logistic regression"]


def test_a_search_without_c_has_no_chart():
    """There is no axis to draw it on."""
    logreg = named(TWO, "logreg")
    assert logreg.search is not None
    points = [SearchPoint({"C": "auto"}, 0.9, 0.01), SearchPoint({"depth": 3}, 0.9, 0.01)]
    assert search(replace(logreg, search=replace(logreg.search, points=points)), 0) is None


@pytest.mark.parametrize(("results", "n_classes"), [(TWO, 2), (SIX, 6)])
def test_drawings_are_the_same_every_time(results, n_classes):
    """Same record, same bytes, whatever the user's matplotlib settings are."""
    first = [chart.svg for chart in all_charts(results, n_classes)]
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.grid": False}):
        assert [chart.svg for chart in all_charts(results, n_classes)] == first


def test_ids_are_unique_across_the_drawings_of_a_page():
    """Every reference stays inside its own drawing."""
    svgs = [chart.svg for chart in all_charts(SIX, 6)]
    ids = [name for svg in svgs for name in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in svgs:
        own = set(re.findall(r'\bid="([^"]+)"', svg))
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= own


def test_a_drawing_has_a_name_and_the_page_s_colours():
    """A screen reader gets title and description; text stays text; nothing is dated."""
    svg = all_charts(TWO, 2)[0].svg
    root = ET.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "roc-all-title roc-all-desc"
    assert [child.tag for child in root[:2]] == ["title", "desc"]
    assert "SVM: AUC" in (root[1].text or "")
    assert "False positive rate" in [element.text for element in root.iter("text")]
    assert "var(--series-0)" in svg
    assert not re.search(r"#0[0-9a-f]{5}|#000000|metadata|DejaVu|http|xmlns", svg)


def test_hostile_names_stay_text():
    """Tags, formulas and bytes outside UTF-8 in a title do not reach the drawing's markup."""
    odd = replace(TWO[0], title="</title><script>$x_1$\udcff\n_")
    charts = all_charts([odd], 2)
    assert len(charts) > 1
    for chart in charts:
        root = ET.fromstring(chart.svg)
        assert "script" not in {element.tag for element in root.iter()}
        chart.svg.encode("utf-8")


def test_styles_of_32_series_differ():
    """Colour and dashes together tell them apart, also for the colour-blind."""
    assert len({style(i) for i in range(32)}) == 32


@pytest.mark.parametrize(
    ("per_class", "axis", "last", "first"),
    [
        (False, "Training images (log scale)", "90.0% with all 40", "with 20 training images,"),
        (
            True,
            "Training images per class (log scale)",
            "90.0% with 40 training images per class",
            "with 20 training images per class,",
        ),
    ],
)
def test_a_learning_curve_ends_with_all_images_only_where_it_does(per_class, axis, last, first):
    """Those of earlier versions ended with as many of every class as the smallest had."""
    run, _ = sample(["cats", "dogs"])
    curve = LearningCurve("svm", [20, 40], [[0.7, 0.8], [0.9]], per_class=per_class)
    chart = learning(replace(run, learning_curves=[curve]), run.results)
    assert chart is not None
    assert [key.value for key in chart.legend] == [last]
    assert axis in chart.svg
    assert first in chart.svg
