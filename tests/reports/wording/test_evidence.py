"""Where the evidence lies, in words."""

from __future__ import annotations

import numpy as np
import pytest

from reports.wording.evidence import REGIONS, evidence_sentence


@pytest.mark.parametrize(
    ("row", "column", "region"),
    [
        (0, 0, "upper left"),
        (0, 6, "upper right"),
        (6, 0, "lower left"),
        (6, 6, "lower right"),
        (3, 3, "centre"),
    ],
)
@pytest.mark.parametrize("weight", [1.0, 0.01, 1e9])
def test_a_single_place_lies_in_its_region(
    row: int, column: int, region: str, weight: float
) -> None:
    shares = np.zeros((7, 7))
    shares[row, column] = weight
    shares[3, 4] = -5 * weight  # what counts against the class does not count
    sentence = evidence_sentence(shares.tolist(), "cat")
    assert sentence == f"100% of the evidence for cat lies in the {region}"


def test_the_largest_part_is_named_with_its_share() -> None:
    shares = [[8.0, 1.0], [0.5, 0.5]]
    assert evidence_sentence(shares, "cat") == "80% of the evidence for cat lies in the upper left"


def test_evidence_all_over_the_image_is_said_to_be_spread() -> None:
    for side in (1, 2, 4, 7):
        shares = np.ones((side, side)).tolist()
        assert "is spread over the image" in evidence_sentence(shares, "cat")


def test_nothing_speaks_for_a_class() -> None:
    nothing = "nothing in the image is evidence for cat"
    for shares in ([[0.0, -1.0]], [[0.01, -1.5]], [[1e-7, 3e-7]], [[0.0]]):
        assert evidence_sentence(shares, "cat") == nothing
    assert evidence_sentence([[0.02, -1.0]], "cat") != nothing


def test_places_that_leave_out_a_margin_are_where_they_are() -> None:
    """The third of four places is in the middle if they cover only the upper left of an image."""
    shares = np.zeros((4, 4))
    shares[2, 2] = 1
    assert "centre" in evidence_sentence(shares.tolist(), "cat", 0.0, 0.8)
    assert "lower right" in evidence_sentence(shares.tolist(), "cat")


def test_regions_have_the_same_area() -> None:
    areas = {(b - a) * (d - c) for (a, b), (c, d) in REGIONS.values()}
    assert areas == {0.25}
