from __future__ import annotations

import pytest

from reports.wording.text import count, duration, figure, join_names, percent, timestamp
from toolkit.wording import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Katze ä 猫 🐈", "Katze ä 猫 🐈"),
        ("a\nb\r\t\0", "a\\nb\\r\\t\\x00"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("gpj.\u202etac", "gpj.\\u202etac"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text, expected):
    """Printable text of any script stays; everything else becomes visible ASCII."""
    assert printable(text) == expected
    printable(text).encode("utf-8")


def test_figures_that_are_not_known_are_a_dash():
    """None, NaN and infinity never reach a reader."""
    values = [percent(None), percent(float("nan")), figure(float("inf")), duration(float("nan"))]
    assert values == ["-"] * 4


def test_a_time_that_is_none_stays_as_it_is():
    """An unreadable date is kept as it is."""
    assert timestamp("yesterday") == "yesterday"


def test_numbers_are_written_for_people():
    """Thousands are marked, durations have the unit that fits, lists read as sentences."""
    assert count(3453634) == "3,453,634"
    assert duration(59.99) == "60.0 s"
    assert duration(3599.9) == "1 h 0 min"
    assert join_names([]) == ""
