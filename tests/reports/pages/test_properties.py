"""Shortcuts and weak spots on the page, in the tables and in sentences."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from reports.frames import (
    SHORTCUT_COLUMNS,
    WEAK_SPOT_COLUMNS,
    shortcuts_frame,
    weak_spots_frame,
)
from reports.json_summary import summary
from reports.pages import page
from reports.pages.properties import properties_view
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.ranking import ranked
from reports.reading import parse_record
from reports.records import Audit, Shortcut, WeakSpot
from reports.tables import remarks, write_audit
from reports.wording.headline import headline
from reports.wording.shortcuts import shortcuts_sentence, weak_spots_sentence
from tests.reports.samples import sample

if TYPE_CHECKING:
    from reports.records import Run

HOSTILE = "<script>=1\n"


def shortcut(
    name: str, origin: str = "file", accuracy: float = 0.84, found: bool = True
) -> Shortcut:
    span = (accuracy - 0.02, accuracy + 0.02)
    values = {"cat": HOSTILE, "dog": "95"}
    return Shortcut(name, origin, accuracy, *span, 0.5, 0.001, 0.02, found, 2000, values)


def weak_spot(value: str, found: bool = True, paths: tuple[str, ...] = ()) -> WeakSpot:
    return WeakSpot(
        "column", "site", value, 40, 20, 0.5, 0.35, 0.65, 0.98, 1e-9, 1e-7, found, list(paths)
    )


def audited() -> Run:
    run, _ = sample(["cat", "dog"], classifiers=("svm", "logreg"))
    audit = Audit(
        [], [], [], {}, 9.0,
        shortcuts=[shortcut("JPEG quality"), shortcut("width", accuracy=0.51, found=False)],
        weak_spots=[
            weak_spot(HOSTILE, paths=("a.png", "b.png")),
            weak_spot("Bonn", found=False, paths=("a.png",)),
        ],
    )  # fmt: skip
    return dataclasses.replace(run, audit=audit)


def test_the_first_line_of_every_report_names_what_is_found() -> None:
    """On the page, in the headline and in the terminal; without an audit, too."""
    run = audited()
    assert run.audit is not None
    hint = dataclasses.replace(run, audit=None, shortcuts=run.audit.shortcuts[:1])
    words = "predicts the label of 84.0% of the training images (chance 50.0%): the classes"
    for one in (run, hint):
        best = headline(one, ranked(one))
        assert best is not None
        assert any(words in remark for remark in best.remarks)
        assert any(words in line for line in remarks(one))
        assert words in page.render(one, [], None)
        assert summary(Path("run"), one)["shortcuts"] == ["JPEG quality"]
    clean = dataclasses.replace(hint, shortcuts=[])
    assert "alone predict" not in page.render(clean, [], None)


def test_a_property_of_the_picture_is_not_called_a_shortcut() -> None:
    """A colour may be what the classes look like."""
    of_picture = shortcuts_sentence([shortcut("green cast", "picture")])
    assert of_picture is not None
    assert "this may be what the classes look like" in of_picture
    assert "different sources" not in of_picture
    of_file = shortcuts_sentence([shortcut("green cast", "picture"), shortcut("camera", "file")])
    assert of_file is not None
    assert "different sources" in of_file


def test_the_best_three_properties_are_named() -> None:
    """The others are counted, and all together are not one of them."""
    found = [shortcut(f"property {i}", accuracy=0.9 - 0.05 * i) for i in range(5)]
    sentence = shortcuts_sentence([*found, shortcut("all together", "all", 0.99)])
    assert sentence is not None
    assert sentence.startswith(
        "Property 0 alone predicts the label of 90.0% of the training images (chance 50.0%), "
        "property 1 of 85.0% and property 2 of 80.0%, and 2 further properties likewise: "
    )
    together = shortcuts_sentence([shortcut("all together", "all", 0.7)])
    assert together is not None
    assert "70.0% of the training images (chance 50.0%); no property does so alone" in together


def test_the_weakest_spot_is_named() -> None:
    """With its interval; nothing is said where nothing is found."""
    spots = [weak_spot("Bonn"), dataclasses.replace(weak_spot("Köln"), accuracy_high=0.6)]
    assert weak_spots_sentence(spots) == (
        "It fails more often where site is Köln: 50.0% of 40 test images are correct (95% interval "
        "35.0% to 60.0%), 98.0% elsewhere; 1 more weak spot."
    )
    assert weak_spots_sentence([weak_spot("Bonn", found=False)]) is None


def test_the_page_shows_both_tables_and_escapes_values() -> None:
    """A value called <script> stays text."""
    html = page.render(audited(), [], None)
    for words in ("What else predicts the label", "Where it fails", "cat: &lt;script&gt;=1\\n"):
        assert words in html
    assert "<script>=1" not in html
    assert "site: &lt;script&gt;=1\\n" in html


def test_weak_spots_are_shown_with_their_images(tmp_path: Path) -> None:
    """Only those that are found; a missing image has an empty frame."""
    run = audited()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((90, 90, 3), np.uint8))
    with installed_thumbnails() as thumbnail:
        view = properties_view(run, EmbeddedImages(str(tmp_path), thumbnail))
    assert view is not None
    first, second = view.weak_spots
    assert [(path, image is not None) for path, image in first.images] == [
        ("a.png", True), ("b.png", False),
    ]  # fmt: skip
    assert second.images == []


def test_all_that_is_found_is_listed() -> None:
    """However much it is; of the rest, the first rows."""
    run = audited()
    many = [shortcut(f"property {i}", found=i < 20) for i in range(40)]
    audit = dataclasses.replace(run.audit, shortcuts=many, weak_spots=[])
    view = properties_view(dataclasses.replace(run, audit=audit))
    assert view is not None
    assert (len(view.shortcuts), view.n_shortcuts) == (20, 40)


def test_the_tables_list_everything_that_was_tested(tmp_path: Path) -> None:
    """With the columns of the data frames."""
    run = audited()
    assert run.audit is not None
    write_audit(run.audit, tmp_path)
    for name, columns, frame in (
        ("shortcuts.csv", SHORTCUT_COLUMNS, shortcuts_frame(run.audit.shortcuts)),
        ("weak_spots.csv", WEAK_SPOT_COLUMNS, weak_spots_frame(run.audit.weak_spots)),
    ):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["found"] for row in rows] == ["yes", "no"]
        assert list(rows[0]) == columns == list(frame.columns)
        assert frame["found"].tolist() == [True, False]
        assert rows[0]["images"] == str(frame["images"][0])
        assert float(rows[0]["accuracy"]) == frame["accuracy"][0]


def test_an_audit_of_an_earlier_version_has_neither(tmp_path: Path) -> None:
    """Its record is read, and its page has no such section."""
    raw = json.loads(audited().to_json())
    del raw["shortcuts"], raw["audit"]["shortcuts"], raw["audit"]["weak_spots"]
    run = parse_record(json.dumps(raw))
    assert run.audit is not None
    assert (run.shortcuts, run.audit.shortcuts, run.audit.weak_spots) == ([], [], [])
    assert "Where it fails" not in page.render(run, [], None)
    write_audit(run.audit, tmp_path)
    assert not (tmp_path / "shortcuts.csv").exists()


def test_a_record_is_read_as_it_was_written() -> None:
    """With all that was found."""
    assert parse_record(audited().to_json()) == audited()


def test_empty_frames_have_all_columns() -> None:
    """With their types."""
    assert shortcuts_frame([]).dtypes["accuracy"] == "float64"
    assert weak_spots_frame([]).dtypes["found"] == "bool"


@pytest.mark.parametrize("n", [1, 2])
def test_one_more_is_one(n: int) -> None:
    """And several are several."""
    found = [shortcut(f"p{i}") for i in range(3 + n)]
    sentence = shortcuts_sentence(found)
    assert sentence is not None
    assert ("1 further property" if n == 1 else "2 further properties") in sentence
