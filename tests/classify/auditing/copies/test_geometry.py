"""Copies are proven by the places of their points, and described; others are not."""

import re

import cv2
import numpy as np
import pytest

from classify.auditing.copies.geometry import prove
from classify.auditing.copies.local_features import local_features
from classify.auditing.copies.relation import describe, draw
from extract.datasets.sources.shapes import draw_image
from tests.classify.auditing.copies.pictures import EDITS, bordered, textured


def examined(image):
    return local_features(np.ascontiguousarray(image), 600)


@pytest.fixture(scope="module")
def original():
    """Return the features of a picture."""
    return examined(textured(0))


def numbers_of(words):
    return [float(word.rstrip("%°,")) for word in words.split() if word[0].isdigit()]


def words_of(text):
    return [word for word in text.replace(",", "").split() if not word[0].isdigit()]


@pytest.mark.parametrize("expected", EDITS)
def test_an_edited_copy_is_proven_and_described(original, expected):
    """In both directions; figures are right to a few units."""
    copy = examined(EDITS[expected](textured(0)))
    proven = prove(copy, original)
    assert proven is not None
    assert len(proven.points) >= 12
    description = describe(proven)
    expected = expected.partition(", blurred")[0].partition(", shrunk")[0]
    expected = expected.partition(", written")[0]
    assert words_of(description) == words_of(expected)
    np.testing.assert_allclose(numbers_of(description), numbers_of(expected), atol=3)
    other_way = prove(original, copy)
    assert other_way is not None
    size = np.array(proven.copy_size)
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [*size, 1]])
    there_and_back = corners @ proven.matrix.T @ other_way.matrix.T
    np.testing.assert_allclose(there_and_back, corners, atol=4)
    np.testing.assert_allclose(proven.reversed().matrix, other_way.matrix, atol=4)


def test_other_pictures_are_not_copies(original):
    """Neither with other texture, nor where a part is the same sign or frame."""
    for seed in range(1, 25):
        assert prove(examined(textured(seed)), original) is None
    texts = [
        cv2.putText(textured(seed), "COPYRIGHT", (10, 100), 0, 1.2, (255, 255, 255), 3)
        for seed in (0, 1)
    ]
    assert prove(*map(examined, texts)) is None
    assert prove(*(examined(bordered(textured(seed))) for seed in (0, 1))) is None


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_pictures_with_a_part_in_common_are_not_copies(seed):
    """As a logo in a corner: it has many points in the same places, but the rest differs."""
    logo, first, second = textured(99), textured(seed).copy(), textured(seed + 10).copy()
    for image in (first, second):
        image[:90, :120] = logo[:90, :120]
    assert prove(examined(first), examined(second)) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("train", 94), ("train", 238)),
        (("train", 64), ("test", 184)),
        (("train", 40), ("test", 190)),
        (("train", 315), ("test", 15)),
        (("train", 268), ("test", 166)),
        (("test", 94), ("test", 148)),
    ],
)
def test_two_drawings_of_one_kind_are_not_copies(first, second):
    """Some corners of two stars match in a squashed view; most of their points do not."""
    assert prove(examined(draw_image(*first)), examined(draw_image(*second))) is None


@pytest.mark.parametrize("index", [4, 12, 16, 58, 72])
def test_a_mirrored_drawing_is_called_mirrored(index):
    """And not turned and squashed, which brings some of its symmetric corners together."""
    image = draw_image("train", index)
    proven = prove(examined(image[:, ::-1]), examined(image))
    assert proven is not None
    assert describe(proven) == "mirrored"


def test_another_object_over_the_same_background_is_told():
    """It may be an edit; which it is, a person sees."""

    def with_disc(x, colour):
        return cv2.circle(textured(3), (x, 90), 50, colour, -1)

    proven = prove(examined(with_disc(80, (200, 0, 0))), examined(with_disc(170, (0, 90, 0))))
    assert proven is not None
    assert re.fullmatch(
        r"edited or saved again, the same in [5-7]\d% of the area", describe(proven)
    )


def test_pictures_without_points_are_compared_as_a_whole():
    """A drawing that is mirrored is a copy; one with its shape elsewhere, or blank, is not."""

    def disc(x, y, radius=24, colour=(200, 30, 30)):
        return cv2.circle(np.full((96, 128, 3), 250, np.uint8), (x, y), radius, colour, -1)

    drawn = examined(disc(40, 40))
    copy = prove(examined(disc(40, 40)[:, ::-1]), drawn)
    assert copy is not None
    assert (len(copy.points), describe(copy)) == (0, "mirrored")
    assert draw(copy).lines == []
    assert prove(examined(disc(52, 40)), drawn) is prove(examined(disc(44, 40)), drawn) is None
    assert prove(examined(disc(40, 40, radius=32)), drawn) is None
    black, grey = (examined(np.full((96, 128, 3), value, np.uint8)) for value in (0, 90))
    assert prove(black, grey) is prove(black, black) is None
    assert prove(black, drawn) is None


def test_a_drawing_shows_the_same_points_in_both(original):
    """Of a crop: the whole copy, and where it is in the other picture."""
    drawing = draw(prove(examined(textured(0)[36:144, 48:192]), original))
    assert drawing.aspects == [1.333, 1.333]
    np.testing.assert_allclose(
        np.ptp(np.reshape(drawing.outlines[0], (-1, 2)), axis=0), 1, atol=0.05
    )
    np.testing.assert_allclose(
        np.ptp(np.reshape(drawing.outlines[1], (-1, 2)), axis=0), 0.6, atol=0.03
    )
    lines = np.array(drawing.lines)
    assert lines.shape == (8, 4)
    np.testing.assert_allclose(lines[:, 2:], 0.2 + 0.6 * lines[:, :2], atol=0.03)


def test_the_mirrored_features_are_those_of_the_mirror_image(original):
    """Descriptors included; a few points are lost where the image is sampled anew."""
    by_calculation = original.mirrored()
    by_detection = examined(textured(0)[:, ::-1])
    apart = np.linalg.norm(by_calculation.points[:, None] - by_detection.points, axis=2)
    nearest = apart.argmin(axis=1)
    same = (apart.min(axis=1) < 1.5) & (
        np.abs((by_calculation.angles - by_detection.angles[nearest] + 180) % 360 - 180) < 5
    )
    assert same.mean() > 0.5
    difference = np.abs(
        by_calculation.descriptors[same].astype(int) - by_detection.descriptors[nearest[same]]
    )
    assert np.median(difference.mean(axis=1)) < 5


def test_the_same_pair_always_gives_the_same_map(original):
    """Samples are drawn with a fixed seed."""
    copy = examined(EDITS["cropped to 36%"](textured(0)))
    maps = [prove(copy, original).matrix for _ in range(3)]
    assert (maps[0] == maps[1]).all()
    assert (maps[0] == maps[2]).all()
