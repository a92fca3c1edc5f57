"""What two images have in common, drawn on both."""

import base64
import contextlib
import dataclasses

import pytest

from reports.pages import page
from reports.pages.audit import audit_view
from reports.pages.pair_drawing import GAP, SIDE, pair_drawing
from reports.pages.thumbnails import EmbeddedImages
from reports.reading import parse_record
from reports.records import Audit, Copy, Drawing, Leak
from tests.reports.samples import sample

WHOLE = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
DRAWING = Drawing([1.0, 2.0], [WHOLE, [0.25, 0.0, 0.75, 0.0, 0.75, 1.0]], [[0.5, 0.25, 0.0, 1.0]])


def audited():
    """Return a run with a leak and a copy, both drawn."""
    run, predictions = sample(["cat", "dog"])
    leak = Leak("a.jpg", "b.jpg", 0.9, False, "mirrored, cropped to 60%", 31, DRAWING)
    copy = Copy("c.jpg", "test", "cat", "d.jpg", "dog", "turned by 90°", 12, DRAWING)
    audit = Audit([leak], [], [], {}, 1.0, copies=[copy])
    return dataclasses.replace(run, audit=audit), predictions


def test_points_and_outlines_are_where_the_images_are():
    """The second image is half as high, in the middle, right of the first."""
    drawn = pair_drawing(DRAWING)
    first, second = drawn.boxes
    assert (first.width, first.height, second.width, second.height) == (SIDE, SIDE, SIDE, SIDE / 2)
    assert (second.x, second.y) == (SIDE + GAP, SIDE / 4)
    assert (drawn.width, drawn.height) == (2 * SIDE + GAP, SIDE)
    assert drawn.lines == [(SIDE / 2, SIDE / 4, SIDE + GAP, 3 * SIDE / 4)]
    assert drawn.outlines[1].split()[0] == f"{SIDE + GAP + SIDE / 4:g},{SIDE / 4:g}"


@pytest.mark.parametrize(
    "changes",
    [
        {"aspects": [1.0]},
        {"aspects": [1.0, 1e9]},
        {"aspects": [1.0, float("nan")]},
        {"outlines": [WHOLE]},
        {"outlines": [WHOLE, WHOLE[:3]]},
        {"lines": [[0.5, 0.5, 0.5]]},
        {"lines": [[0.5, 0.5, 0.5, float("inf")]]},
        {"lines": [[0.5, 0.5, 0.5, 1e300]]},
    ],
)
def test_a_record_that_describes_no_pair_is_not_drawn(changes):
    """It may come from anybody."""
    assert pair_drawing(DRAWING) is not None
    assert pair_drawing(dataclasses.replace(DRAWING, **changes)) is None


def test_the_page_shows_what_matches_and_says_how_the_images_are_related():
    """For leaks and copies, if both images are there."""
    run, predictions = audited()
    images = EmbeddedImages("", lambda *_: b"jpeg")
    leaks, copies, *_ = audit_view(run, images).groups
    assert leaks.findings[0].drawing == pair_drawing(DRAWING)
    assert leaks.findings[0].problem == "mirrored, cropped to 60%"
    assert leaks.findings[0].detail == "test and training, 31 points in the same places"
    assert copies.findings[0].problem == "turned by 90°, labelled cat and dog"
    assert copies.findings[0].detail == "in test, 12 points in the same places"
    without = EmbeddedImages("", lambda path, _: None if path.name == "b.jpg" else b"jpeg")
    assert audit_view(run, without).groups[0].findings[0].drawing is None
    assert audit_view(run, without).groups[1].findings[0].drawing is not None

    html = page.render(
        run, predictions, None, thumbnails=lambda: contextlib.nullcontext(images.thumbnail)
    )
    assert html.count('<svg class="pair"') == 2
    assert html.count(base64.b64encode(b"jpeg").decode()) >= 4
    assert f'<polygon points="{pair_drawing(DRAWING).outlines[1]}"/>' in html
    assert 'aria-label="a.jpg and b.jpg: mirrored, cropped to 60%"' in html


def test_a_record_with_drawings_is_read_back():
    """And one of an earlier version, whose leaks have a cosine only, is shown as before."""
    run, _ = audited()
    assert parse_record(run.to_json()) == run
    earlier = Audit([Leak("a.jpg", "b.jpg", 0.91, False)], [], [], {}, 1.0)
    leaks, *_ = audit_view(dataclasses.replace(run, audit=earlier)).groups
    assert leaks.findings[0].problem == "cosine similarity 0.91"
