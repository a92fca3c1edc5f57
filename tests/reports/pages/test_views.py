from __future__ import annotations

from dataclasses import replace

import pytest

from reports.pages.views import axis, confusion, fact, files
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
    """Its ticks are round, and it is no longer than it need be."""
    assert axis([scored(0.5, low, high)]).ticks == pytest.approx(ticks)


def test_places_on_the_axis_stay_on_it():
    """Whatever a record says, a mark lies between both ends."""
    scale = axis([scored(0.9, 0.85, 0.95)])
    assert [scale.place(value) for value in (0.9, 0.0, 2.0, NAN)] == [
        "50.00%",
        "0.00%",
        "100.00%",
        "0.00%",
    ]


def test_the_most_frequent_mistakes_are_named_where_classes_are_many():
    """Of more than two classes the page says which pair is mixed up most."""
    result = replace(RUN.results[0], confusion=[[8, 2, 0], [0, 9, 1], [3, 0, 0]])
    view = confusion(result, ["a", "b", "c"])
    assert view.mixed_up == [("c", "a", 3), ("a", "b", 2), ("b", "c", 1)]
    assert [cell.share for cell in view.rows[2][1]] == [1, 0, 0]
    assert confusion(replace(result, confusion=[[0, 0], [0, 0]]), ["a", "b"]).mixed_up == []


def test_free_fields_are_shown_as_they_stand():
    """Words stay words; other values are JSON."""
    assert [fact(value) for value in ("x", 1500, True, None, {"a": [1]}, 0.5)] == [
        "x",
        "1,500",
        "yes",
        "-",
        '{"a": [1]}',
        "0.5",
    ]


def test_only_files_that_are_there_are_linked(tmp_path):
    """Addresses are relative and quoted, so that no name becomes another kind of address."""
    name = "javascript:alert(1) \udcff.skops"
    (tmp_path / "metrics.csv").touch()
    (tmp_path / name).touch()
    run = replace(RUN, results=[replace(RUN.results[0], model=name)])
    assert files(run, tmp_path) == [
        ("metrics.csv", "./metrics.csv"),
        (name, "./javascript%3Aalert%281%29%20%FF.skops"),
    ]
    assert files(run, None) == []
