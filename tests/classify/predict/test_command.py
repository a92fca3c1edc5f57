"""What `python -m classify.predict` accepts and prints, and its memory."""

from __future__ import annotations

import csv
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from classify import load_model
from classify.serving import blocks, many_files
from classify.serving.output.rows import RowFormat
from tests.classify.predict.commands import (
    BASE,
    N_IMAGES,
    Stopping,
    assert_equal,
    multiply,
    predict,
)
from tests.classify.serving.sorting.conftest import visible
from tests.commands import run_command
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
    from pathlib import Path


def test_no_bar_is_shown_while_something_is_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar of a terminal takes what is printed, also if it was to go into a file."""
    shown, line = [False], RowFormat.line

    class Bar(ConsoleProgress):
        def __call__(self, *_: Any) -> None:
            shown[0] = True

        def close(self) -> None:
            shown[0] = False

    def printed(*arguments: Any) -> str:
        assert not shown[0]
        return line(*arguments)

    monkeypatch.setattr("classify.predict.ConsoleProgress", Bar)
    monkeypatch.setattr(RowFormat, "line", printed)
    monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 5)
    done = predict(home)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, N_IMAGES), done.stderr


def test_the_most_probable_classes_are_listed(home: Path) -> None:
    """In every format, the most probable first; no more than the model has."""
    done = predict(home, "--top", "9", "--csv", "-")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert list(rows[0])[6:] == [
        "class_1", "probability_1", "class_2", "probability_2", "class_3", "probability_3",
    ]  # fmt: skip
    objects = json.loads(predict(home, "--top", "9", "--json").stdout)["predictions"]
    lines = predict(home, "--top", "2").stdout.splitlines()
    for row, fields, line in zip(rows, objects, lines, strict=True):
        if not row["class"]:
            assert (row["class_1"], row["probability_1"], fields["top"]) == ("", "", [])
            continue
        shares = [float(row[f"probability_{rank}"]) for rank in (1, 2, 3)]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1)
        assert (row["class_1"], shares[0]) == (row["class"], float(row["probability"]))
        assert [entry["probability"] for entry in fields["top"]] == shares
        assert {entry["class"] for entry in fields["top"]} == {"disc", "square", "star"}
        assert line.endswith(f"{row['class_2']} {shares[1]:.3f}")


def test_json_is_one_object_however_many_blocks_there_are(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one block gives; a sorting changes nothing in it."""
    one = predict(home, "--json").stdout
    monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 3)
    several = [predict(home, "--json", *more).stdout for more in ([], ["--sort-into", "sorted"])]
    assert len(visible(home / "sorted")) == N_IMAGES
    for printed in several:
        assert printed == json.dumps(json.loads(printed)) + "\n"
        found, expected = json.loads(printed), json.loads(one)
        assert_equal(found.pop("predictions"), expected.pop("predictions"))
        assert found == expected


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for their paths: below 600 bytes for each, and an embedding alone has 1,024."""
    monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 128)
    files = sorted(str(path) for path in multiply(home, 120).rglob("*.jpg"))
    model = load_model(
        home / "run",
        "centroid",
        weights=str(home / "mobilenet.weights.h5"),
        cache=home / "cache",
    )
    peaks = []
    for chosen in (files[:128], files[:520], files):
        tracemalloc.start()
        n_images = sum(1 for _ in model.stream_files(chosen))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert n_images == len(chosen)
    assert (peaks[2] - peaks[1]) / (len(files) - 520) < 600


def test_what_is_white_is_decided_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that goes on keeps it, so it need not read the images that are done."""
    options = ("--csv", "answers.csv", "--sort-into", "sorted")
    with monkeypatch.context() as patched:
        Stopping(patched, 12)
        predict(home, *options)

    def decide_again(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(many_files, "recipe_for", decide_again)
    assert predict(home, *options).returncode == 0
    assert predict(home, "--sort-into", "sorted").returncode == 0
    assert "AssertionError" in predict(home, "--csv", "others.csv").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: RUN, IMAGE|FOLDER"),
        (["run"], "the following arguments are required: IMAGE|FOLDER"),
        (["run", "new", "--by", "top"], "--by says how images are sorted, and needs --sort-into"),
        (["run", "new", "--move"], "--move says how images are sorted, and needs --sort-into"),
        (["run", "new", "--sort-into", "x", "--copy", "--move"], "not allowed with"),
        (["run", "new", "--force"], "--force replaces the file of --csv, and needs --csv FILE"),
        (["run", "new", "--top", "0"], "expected a whole number from 1 on, found '0'"),
        (["--undo", "x", "run", "new"], "unrecognized arguments: run new"),
        (["--undo=x", "--csv", "a.csv"], "unrecognized arguments: --csv a.csv"),
        (["--undo", "pictures"], "has no undo file"),
    ],
)
def test_arguments_that_do_not_fit_together(home: Path, arguments: list[str], message: str) -> None:
    """Status 2 and one line."""
    done = run_command("classify.predict", *arguments, cwd=home)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line


def test_options_may_stand_between_the_run_and_the_images(home: Path) -> None:
    """And before both of them."""
    between = run_command("classify.predict", "run", *BASE, "pictures/test", cwd=home)
    before = run_command("classify.predict", *BASE, "run", "pictures/test", cwd=home)
    assert between.returncode == before.returncode == 0, between.stderr
    assert len(between.stdout.splitlines()) == N_IMAGES
