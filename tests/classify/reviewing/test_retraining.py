"""Training again with corrected labels, and what is said about it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from classify.reviewing.neighbours import cached_base
from classify.reviewing.retraining import retrain
from classify.serving.classifier import SavedClassifier
from reports import tables
from reports.reading import read_record
from tests.classify.reviewing.conftest import BASE, SHAPES
from tests.commands import run_command
from toolkit.csv_cells import write_csv
from toolkit.errors import ToolkitError
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from pathlib import Path

    from classify.reviewing.retraining import Retrained
    from reports.records import PictureRecord

pytestmark = pytest.mark.slow


def retrained(
    home: Path,
    changes: dict[str, str],
    classifier: str = "logreg",
    pictures: list[PictureRecord] | None = None,
    cache: str = "cache",
    run: str = "run",
) -> Retrained:
    saved = SavedClassifier(home / run, classifier)
    predictions = tables.read_predictions(home / run / "predictions.csv")
    return retrain(
        saved,
        cached_base(saved.run, saved.result, str(home / cache)),
        pictures or tables.read_pictures(home / run / "pictures.csv"),
        [row for row in predictions if row.classifier == classifier],
        changes,
    )


@pytest.fixture(scope="module")
def wrong(shapes_home: Path, truth: dict[str, str]) -> dict[str, str]:
    """Return the corrections of all planted labels."""
    pictures = tables.read_pictures(shapes_home / "run" / "pictures.csv")
    found = {one.path: truth[one.path] for one in pictures if one.label != truth[one.path]}
    assert len(found) == 27
    return found


@pytest.mark.parametrize("classifier", ["logreg", "centroid"])
def test_without_corrections_nothing_changes(shapes_home: Path, classifier: str) -> None:
    """The same classifier gives the same predictions, so a flip is due to the labels."""
    found = retrained(shapes_home, {}, classifier)
    assert found.flips == []
    assert found.before == found.after
    [result] = [
        one
        for one in json.loads((shapes_home / "run" / "run.json").read_text())["results"]
        if one["classifier"] == classifier
    ]
    assert found.after.n_others_correct == result["n_correct"]
    assert found.after.others_low == pytest.approx(result["accuracy_low"])


def test_corrected_labels_raise_the_accuracy(shapes_home: Path, wrong: dict[str, str]) -> None:
    """On the test images whose label was right, which are the ones that are compared."""
    found = retrained(shapes_home, wrong)
    assert (found.n_relabelled, found.n_left_out) == (24, 0)
    assert found.before.n_others == found.after.n_others == 57
    assert found.after.n_others_correct > found.before.n_others_correct
    assert (found.after.others_low, found.after.others_high) == wilson(
        found.after.n_others_correct, 57
    )
    gained = [f for f in found.flips if not f.is_relabelled and f.after == f.label]
    lost = [f for f in found.flips if not f.is_relabelled and f.before == f.label]
    gain = found.after.n_others_correct - found.before.n_others_correct
    assert len(gained) - len(lost) == gain
    assert found.comparison is not None
    assert (found.comparison.only_second, found.comparison.only_first) == (len(gained), len(lost))
    assert found.after.n_relabelled == 3


def test_images_that_are_left_out_are_in_neither_split(
    shapes_home: Path, wrong: dict[str, str]
) -> None:
    tests = [path for path in wrong if path.startswith("test/")]
    found = retrained(shapes_home, dict.fromkeys(tests, ""))
    assert (found.n_relabelled, found.n_left_out) == (0, 0)
    assert found.after.n_others == 57
    assert found.after.n_relabelled == 0


def test_the_command_gives_the_same_figures(home: Path, wrong: dict[str, str]) -> None:
    """What is shown at once is what a run with the same corrections finds."""
    found = retrained(home, wrong)
    rows = "".join(f"{path},{label}\n" for path, label in wrong.items())
    (home / "labels.csv").write_text(f"path,label\n{rows}")
    done = run_command(
        "classify", "--data", "pictures", *BASE, "--clf", "logreg", "--labels", "labels.csv",
        "--out", "mended", "--json", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][0]["relabelled"] == dataclasses.asdict(found.after)


def test_groups_are_kept(shapes_home: Path) -> None:
    """Images of few groups say less about new ones, so the interval is wider."""
    pictures = tables.read_pictures(shapes_home / "run" / "pictures.csv")
    grouped = [
        dataclasses.replace(one, group=f"{one.split}{i % 6}") for i, one in enumerate(pictures)
    ]
    alone, together = (
        retrained(shapes_home, {}, "centroid", one).after for one in (pictures, grouped)
    )
    assert (together.others_low, together.others_high) != (alone.others_low, alone.others_high)


def test_what_cannot_be_trained_here_is_one_sentence(shapes_home: Path) -> None:
    """A class that loses its images, a cache without the embeddings."""
    pictures = tables.read_pictures(shapes_home / "run" / "pictures.csv")
    rest = [one.path for one in pictures if one.label == SHAPES[0] and one.split == "train"][1:]
    with pytest.raises(ToolkitError, match="too few images in the train split"):
        retrained(shapes_home, dict.fromkeys(rest, ""))
    with pytest.raises(ToolkitError, match="150 of 150 images have no embedding in the cache"):
        retrained(shapes_home, {}, cache="empty")


def test_a_network_is_not_trained_here(earlier_home: Path) -> None:
    """It takes longer than a page should wait; the sentence names the way."""
    with pytest.raises(ToolkitError, match="train it with the command below"):
        retrained(earlier_home, {}, "finetune")


def test_labels_of_an_earlier_round_stay_apart(home: Path, wrong: dict[str, str]) -> None:
    """The same test images as the command of the second round counts."""
    write_csv(home / "first.csv", ["path", "label"], [[*pair] for pair in wrong.items()])
    for number, more in enumerate(([], ["--labels", "second.csv"])):
        done = run_command(
            "classify", "--data", "pictures", *BASE, "--clf", "logreg", "--labels", "first.csv",
            *more, "--out", f"round-{number}", cwd=home,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if not number:
            pictures = tables.read_pictures(home / "round-0" / "pictures.csv")
            unchanged = [one for one in pictures if one.split == "test" and one.path not in wrong]
            second = {unchanged[0].path: "", unchanged[1].path: wrong_label(unchanged[1].label)}
            write_csv(home / "second.csv", ["path", "label"], [[*pair] for pair in second.items()])
    found = retrained(home, second, run="round-0")
    assert found.after.n_relabelled == 4
    [result] = read_record(home / "round-1").results
    assert result.relabelled is not None
    assert found.after.n_others == result.relabelled.n_others
    assert found.after.n_others_correct == result.relabelled.n_others_correct


def wrong_label(label: str) -> str:
    return next(shape for shape in SHAPES if shape != label)
