from __future__ import annotations

from dataclasses import replace

import pytest

from reports.pages.views import axis, confusion_matrix, files, format_value
from tests.reports.samples import sample

RUN = sample(["cats", "dogs"], n_per_class=50)[0]
NAN = float("nan")


def scored(accuracy: float, low: float, high: float, log_loss: float = 0.1, title: str = "A"):
    return replace(
        RUN.results[0],
        title=title,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        log_loss=log_loss,
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.66, 0.98, [0.6, 0.8, 1]), (0.1, 0.17, [0.1, 0.15, 0.2]), (0, 1, [0, 0.5, 1])],
)
def test_the_axis_holds_every_interval(low, high, ticks):
    """Its ticks are round, and it is as short as possible."""
    assert axis([scored(0.5, low, high)]).ticks == pytest.approx(ticks)


def test_places_on_the_axis_stay_on_it():
    """A mark is between both ends, whatever the record says."""
    scale = axis([scored(0.9, 0.85, 0.95)])
    assert [scale.place(value) for value in (0.9, 0.0, 2.0, NAN)] == [
        "50.00%",
        "0.00%",
        "100.00%",
        "0.00%",
    ]


def test_the_most_frequent_mistakes_are_named():
    """With more than two classes the page says which are confused most often."""
    result = replace(RUN.results[0], confusion=[[8, 2, 0], [0, 9, 1], [3, 0, 0]])
    view = confusion_matrix(result, ["a", "b", "c"])
    assert view.mixed_up == [("c", "a", 3), ("a", "b", 2), ("b", "c", 1)]
    assert [cell.share for cell in view.rows[2][1]] == [1, 0, 0]
    assert confusion_matrix(replace(result, confusion=[[0, 0], [0, 0]]), ["a", "b"]).mixed_up == []


def test_values_are_formatted_by_their_type():
    """Strings are unchanged; containers become JSON."""
    assert [format_value(value) for value in ("x", 1500, True, None, {"a": [1]}, 0.5)] == [
        "x",
        "1,500",
        "yes",
        "-",
        '{"a": [1]}',
        "0.5",
    ]


def test_only_files_that_exist_are_linked(tmp_path):
    """Addresses are relative and quoted, so that no name becomes an address of another kind."""
    name = "javascript:alert(1) \udcff.skops"
    (tmp_path / "metrics.csv").touch()
    (tmp_path / name).touch()
    run = replace(RUN, results=[replace(RUN.results[0], model=name)])
    assert files(run, tmp_path) == [
        ("metrics.csv", "./metrics.csv"),
        (name, "./javascript%3Aalert%281%29%20%FF.skops"),
    ]
    assert files(run, None) == []
