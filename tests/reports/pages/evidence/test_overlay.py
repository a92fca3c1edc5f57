"""Evidence maps as transparent images."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from reports.pages.evidence.overlay import (
    AGAINST,
    FOR,
    OPAQUE,
    colours,
    full_strength,
    overlay_png,
    smooth,
)


def test_the_colours_say_for_and_against_and_opacity_how_much() -> None:
    pixels = colours([[4.0, -4.0], [1.0, 0.0]], 4.0)
    assert pixels[0, 0].tolist() == [*FOR, OPAQUE]
    assert pixels[0, 1].tolist() == [*AGAINST, OPAQUE]
    assert pixels[1, 0, 3] == OPAQUE // 4
    assert pixels[1, 1, 3] == 0


def test_no_evidence_at_all_is_transparent() -> None:
    assert not colours(np.zeros((2, 2)), full_strength([[[0.0, 0.0], [0.0, 0.0]]]))[..., 3].any()


def test_weak_evidence_stays_pale() -> None:
    """A hundredth of an even share of a score of 1 is hardly to be seen, the share itself vivid."""
    for share, opacity in ((0.0025, OPAQUE // 100), (0.25, OPAQUE), (25.0, OPAQUE)):
        map_ = [[share, -share], [share, share]]
        assert (colours(map_, full_strength([map_]))[..., 3] == opacity).all()


def test_smoothing_keeps_the_places_where_they_are() -> None:
    """The brightest pixel is in the middle of the strongest place, whatever they cover."""
    for start, end in ((0.0, 1.0), (0.0, 0.8), (-0.1, 1.1)):
        shares = np.zeros((4, 5))
        shares[1, 3] = 1
        map_ = smooth(shares, (200, 300), start, end)
        assert map_.shape == (200, 300)
        row, column = np.unravel_index(map_.argmax(), map_.shape)
        assert abs((row + 0.5) / 200 - (start + (end - start) * 1.5 / 4)) < 0.01
        assert abs((column + 0.5) / 300 - (start + (end - start) * 3.5 / 5)) < 0.01


def test_smoothing_stays_within_the_values_and_reaches_the_borders() -> None:
    shares = np.random.default_rng(0).normal(size=(4, 4))
    map_ = smooth(shares, (64, 64), 0.0, 0.85)
    assert map_.min() >= shares.min()
    assert map_.max() <= shares.max()
    np.testing.assert_allclose(map_[-1, -1], shares[-1, -1])
    np.testing.assert_allclose(map_[0, 0], shares[0, 0])


def test_the_png_is_what_the_colours_say() -> None:
    png = base64.b64decode(overlay_png([[1.0, -1.0]], 1.0))
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels[0, 0].tolist() == [*FOR[::-1], OPAQUE]
    assert pixels[0, -1].tolist() == [*AGAINST[::-1], OPAQUE]
    assert len(png) < 1500
