"""The findings of an audit on the page and in the tables."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest

from reports.pages import page
from reports.pages.audit import SHOWN, audit_view
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.reading import parse_record
from reports.records import Audit, Copy, Leak, Outlier, Suspect
from reports.tables import remarks, write_audit
from reports.wording.findings import suspects_sentence, unused_files_sentence
from tests.reports.samples import sample

HOSTILE = "cat/<script>=cmd()\n.jpg"


def audited(n_suspects=3):
    """Return a run with one leak, some suspects and one outlier, with hostile names."""
    run, predictions = sample(["cat", "dog"], classifiers=("svm", "logreg"))
    audit = Audit(
        leaks=[Leak("cat/0001.jpg", HOSTILE, 0.91, exact=False)],
        suspects=[Suspect(HOSTILE, "train", "cat", "dog", 0.01 * i) for i in range(n_suspects)],
        outliers=[Outlier("cat/0002.jpg", "test", "cat", "tiny: 8 x 8 pixels")],
        accuracies_without_leaks={"svm": 0.9},
        seconds=9.0,
        copies=[Copy(HOSTILE, "train", "cat", "dog/1.jpg", "dog")],
    )
    return dataclasses.replace(run, audit=audit), predictions


def test_the_page_escapes_what_names_hold():
    """A file called <script> stays text, and a line break is escaped."""
    run, predictions = audited()
    html = page.render(run, predictions, None)
    assert "cat? Rather dog" in html
    assert "the same file, labelled cat and dog" in html
    assert "<script>=cmd" not in html
    assert "&lt;script&gt;=cmd()\\n.jpg" in html


def test_the_page_shows_a_part_of_many_findings():
    """With their number."""
    run, predictions = audited(n_suspects=SHOWN + 7)
    (_, _, suspects, _) = audit_view(run).groups
    assert (suspects.number, len(suspects.findings)) == (SHOWN + 7, SHOWN)
    assert f"{SHOWN + 7}, {SHOWN} shown" in page.render(run, predictions, None)


def test_images_that_exist_are_shown(tmp_path):
    """As thumbnails; missing ones have an empty frame."""
    run, _ = audited()
    (tmp_path / "cat").mkdir()
    cv2.imwrite(str(tmp_path / "cat" / "0001.jpg"), np.zeros((90, 90, 3), np.uint8))
    run = dataclasses.replace(run, data=dataclasses.replace(run.data, root=str(tmp_path)))
    with installed_thumbnails() as thumbnail:
        (leaks, *_) = audit_view(run, EmbeddedImages(str(tmp_path), thumbnail)).groups
    assert [image is not None for image in leaks.findings[0].images] == [True, False]


def test_the_tables_survive_hostile_names(tmp_path):
    """No formulas, no line breaks; path and label come first, as in a table of labels."""
    run, _ = audited()
    write_audit(run.audit, tmp_path)
    with (tmp_path / "suspects.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert list(first)[:2] == ["path", "label"]
    assert first["path"] == "cat/<script>=cmd()\\n.jpg"
    assert (tmp_path / "copies.csv").read_text().splitlines()[1].endswith(",dog,,the same file,0")
    assert (tmp_path / "leaks.csv").read_text().splitlines()[1].endswith(",0.91,no,,0")
    assert "tiny: 8 x 8 pixels" in (tmp_path / "outliers.csv").read_text()


def test_an_audit_is_read_back_and_summarised_in_the_terminal():
    """Its numbers are below the table of results."""
    run, _ = audited()
    assert parse_record(run.to_json()) == run
    assert remarks(run)[-4:] == [
        "audit (9.00 s): 1 test image looks like a training image (0 byte for byte); 1 copy of "
        "another image (1 with another label); 3 suspect labels; 1 outlier",
        "groups.csv lists 1 group (2 images): copies; --groups keeps each on one side of a drawn "
        "split",
        "--labels with leaks.csv leaves out the test images that are in training",
        unused_files_sentence(run),
    ]
    without = "svm: accuracy 90.0% without test images that look like training images"
    assert without in remarks(run)


def test_the_labels_to_look_at_first_are_counted_and_marked(tmp_path):
    """In the terminal, on the page and in the table; the others are doubtful, not wrong."""
    run, predictions = audited(n_suspects=5)
    audit = dataclasses.replace(
        run.audit,
        suspects=[dataclasses.replace(s, wrong=i < 2) for i, s in enumerate(run.audit.suspects)],
        wrong_labels=2,
        judged_labels=1000,
    )
    run = dataclasses.replace(run, audit=audit)
    sentence = "about 2 of 1,000 labels are probably wrong; 3 more images look like another class"
    assert any(sentence in line for line in remarks(run))
    html = page.render(run, predictions, None)
    assert "Look at the first 2, which are marked" in html
    assert html.count("probably wrong, probability that its label is right") == 2
    write_audit(audit, tmp_path)
    with (tmp_path / "suspects.csv").open(newline="") as file:
        marks = [row["probably wrong"] for row in csv.DictReader(file)]
    assert marks == ["yes", "yes", "no", "no", "no"]
    assert suspects_sentence(dataclasses.replace(audit, wrong_labels=0)) == (
        "probably none of 1,000 labels is wrong; 5 images look like another class"
    )
    assert parse_record(run.to_json()) == run


@pytest.mark.parametrize(
    ("suspect", "words"),
    [
        # Hardly any label is wrong, so this one is right although it looks like another class.
        (
            {"label_by_image": 0.121, "likely_by_image": 0.873},
            "by the image alone dog 87.3%, cat 12.1%",
        ),
        ({"label_by_image": 0.49996, "likely_by_image": 0.50004}, "dog 50.004%, cat 49.996%"),
        (
            {"wrong": True, "probability": 0.0301},
            "probably wrong, probability that its label is right 3.0%",
        ),
        (
            {"wrong": True, "probability": 0.99996},
            "among the most suspect, probability that its label is right more than 99.9%",
        ),
        ({"wrong": True, "probability": 1e-9}, "is right less than 0.1%"),
        ({}, "probability that its label is right more than 99.9%"),  # of an earlier version
    ],
)
def test_a_suspect_is_shown_with_what_makes_it_suspect(suspect, words):
    """Not with the probability that its label is right, if that is not why; never rounded off."""
    run, _ = audited()
    shown = Suspect("1.jpg", "train", "cat", "dog", **{"probability": 0.99998, **suspect})
    run = dataclasses.replace(run, audit=dataclasses.replace(run.audit, suspects=[shown]))
    (_, _, suspects, _) = audit_view(run).groups
    assert words in suspects.findings[0].detail
    assert "100.0%" not in suspects.findings[0].detail


def test_no_audit_is_no_section():
    """The report of a run without an audit does not mention it."""
    run, predictions = sample(["cat", "dog"])
    assert audit_view(run) is None
    assert "wrong-data" not in page.render(run, predictions, None)
