"""`python -m classify.predict` on folders: tables that go on, sorted images, memory."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import cv2
import numpy as np
import pytest

from classify import load_model
from classify.serving import blocks, many_files
from classify.serving.model import Model
from classify.serving.output import table
from classify.serving.output.rows import RowFormat
from classify.serving.output.table import TableTarget, open_table
from classify.serving.sorting.journal import UNDO_NAME
from tests.classify.serving.sorting.conftest import tree, visible
from tests.commands import ROOT, run_command
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
    from collections.abc import Iterable

BASE = ("--weights", "mobilenet.weights.h5", "--cache", "cache", "--clf", "centroid")
N_IMAGES = 26


def predict(home: Path, *options: str, images: str = "pictures/test") -> Any:
    return run_command("classify.predict", "run", images, *BASE, *options, cwd=home)


def undo(home: Path, folder: str = "sorted") -> Any:
    return run_command("classify.predict", "--undo", folder, cwd=home)


@pytest.fixture
def home(earlier_home: Path, tmp_path: Path) -> Path:
    """Return a folder with a run and its pictures, which a test may change."""
    return Path(shutil.copytree(earlier_home, tmp_path / "home"))


def multiply(home: Path, times: int, name: str = "many") -> Path:
    """Return a folder with copies of the test pictures, whose embeddings are in the cache."""
    pictures = sorted((home / "pictures" / "test").rglob("*.jpg"))
    for number in range(times):
        folder = home / name / f"{number:03}"
        folder.mkdir(parents=True)
        for picture in pictures:
            shutil.copy(picture, folder / f"{picture.parent.name}-{picture.name}")
    return home / name


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Rows are equal; probabilities but for rounding, which depends on the size of a block."""
    for row, other in zip(found, expected, strict=True):
        shares = [float(each.pop("probability") or 0) for each in (row, other)]
        assert shares[0] == pytest.approx(shares[1], abs=1e-9)
        assert row == other


def test_images_are_sorted_as_they_are_predicted(home: Path) -> None:
    """A folder for each class, hard links in it; the summary says how it is undone."""
    before = tree(home / "pictures")
    done = predict(home, "--sort-into", "sorted", "--csv", "answers.csv")
    assert done.returncode == 0, done.stderr
    table = {row["path"]: row["class"] or "unusable" for row in rows_of(home / "answers.csv")}
    found = {
        str(path.relative_to(home)): link.parent.name
        for path in (home / "pictures" / "test").rglob("*.jpg")
        for link in (home / "sorted").rglob("*.jpg")
        if path.samefile(link)
    }
    assert found == table
    assert "sorted: 26 images linked: disc 10, star 8, square 7, unusable 1" in done.stdout
    assert "python -m classify.predict --undo sorted" in done.stdout
    put_back = undo(home)
    assert put_back.stdout == "sorted: 26 images put back\n"
    assert tree(home / "pictures") == before
    assert not (home / "sorted").exists()


@pytest.mark.parametrize("how", ["--link", "--copy", "--move"])
def test_a_folder_in_the_images_is_not_sorted_again(home: Path, how: str) -> None:
    """However often the command is repeated; `classify` and `extract` do not read it, either."""
    before = tree(home / "pictures")
    for _ in range(3):
        done = predict(home, "--sort-into", "pictures/test/sorted", how)
        assert len(visible(home / "pictures" / "test" / "sorted")) == N_IMAGES
        assert done.returncode == 0, done.stderr
    assert "26 images had been sorted before" in done.stdout
    if how != "--move":
        plain = predict(home, "--csv", "-")
        assert len(plain.stdout.splitlines()) == N_IMAGES + 1
        assert "1 folder of sorted images" in plain.stderr
    assert undo(home, "pictures/test/sorted").returncode == 0
    assert tree(home / "pictures") == before


def test_images_in_the_folder_to_sort_into_are_never_input(home: Path) -> None:
    """Neither by a link to it, nor if it has images of the user already, nor if they are named."""
    shutil.copytree(home / "pictures" / "test", home / "pictures" / "test" / "sorted")
    (home / "pictures" / "test" / "other").symlink_to("sorted")
    done = predict(home, "--sort-into", "pictures/test/sorted")
    assert "26 images linked" in done.stdout
    assert "not looked at: 52 images in pictures/test/sorted" in done.stderr
    for images in ("sorted", "sorted/disc", "sorted/disc/001.jpg"):
        named = predict(home, "--sort-into", "pictures/test/sorted",
                        images=f"pictures/test/{images}")  # fmt: skip
        assert named.returncode == 2
        assert "whose images are never sorted again" in named.stderr
        assert "(--sort-into)" in named.stderr


def test_the_most_uncertain_images_come_first(home: Path) -> None:
    """In the order of the margin of the probabilities that the table has."""
    done = predict(home, "--sort-into", "sorted", "--by", "uncertain", "--csv", "answers.csv",
                   "--top", "2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    margins = {
        Path(row["path"]).name: float(row["probability_1"]) - float(row["probability_2"])
        for row in rows_of(home / "answers.csv")
        if row["class"]
    }
    names = [name for name in visible(home / "sorted") if not name.startswith("unusable")]
    listed = [margins[name.rpartition(" ")[2]] for name in names]
    assert listed == pytest.approx(sorted(margins.values()), abs=1e-4)


def test_names_begin_with_the_probability(home: Path) -> None:
    """With `--by top`, in the folder of each class."""
    predict(home, "--sort-into", "sorted", "--by", "top", "--csv", "answers.csv")
    expected = [
        f"{row['class']}/{float(row['probability']):.4f} {Path(row['path']).name}"
        if row["class"]
        else "unusable/broken.jpg"
        for row in rows_of(home / "answers.csv")
    ]
    assert visible(home / "sorted") == sorted(expected)


def test_a_table_is_not_replaced_unless_it_is_asked_for(home: Path) -> None:
    """Nothing is computed before the check; the earlier table is whole until the new one is."""
    (home / "answers.csv").write_text("mine")
    done = predict(home, "--csv", "answers.csv")
    assert done.returncode == 2
    assert "answers.csv exists, and no file is overwritten" in done.stderr
    assert "(--force)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (home / "answers.csv").read_text() == "mine"
    done = predict(home, "--csv", "answers.csv", "--force")
    assert done.stdout == "answers.csv: 25 images classified, 1 broken\n"
    assert len(rows_of(home / "answers.csv")) == N_IMAGES
    assert not [*home.glob("answers.csv.*")]


@pytest.mark.parametrize("target", ["gone/answers.csv", "pictures"])
def test_a_table_that_cannot_be_written_is_an_error_at_once(home: Path, target: str) -> None:
    """Before the model is loaded."""
    done = predict(home, "--csv", target)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "(--csv)" in line


class Stopping:
    """Lets a model predict some files, then stops as Ctrl-C does; notes what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.files: list[str] = []
        monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 4)
        predict_blocks = Model.predict_blocks

        def stopping(model: Model, files: Iterable[str], *args: Any, **kwargs: Any) -> Any:
            for block in predict_blocks(model, [*files], *args, **kwargs):
                if len(self.files) >= after:
                    raise KeyboardInterrupt
                self.files += [str(prediction.path) for prediction in block]
                yield block

        monkeypatch.setattr(Model, "predict_blocks", stopping)


def test_a_table_goes_on_where_it_was_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same as that of a command that was not; no file is predicted twice."""
    predict(home, "--csv", "whole.csv")
    with monkeypatch.context() as patched:
        first = Stopping(patched, 12)
        done = predict(home, "--csv", "answers.csv")
    assert done.returncode == 130
    assert "the same command goes on from there" in done.stderr
    assert not (home / "answers.csv").exists()
    with (home / "answers.csv.part").open("a") as part:
        part.write('["pictures/test/st')  # a line that a kill has cut off
    with monkeypatch.context() as patched:
        second = Stopping(patched, 1000)
        done = predict(home, "--csv", "answers.csv")
    assert done.returncode == 0, done.stderr
    assert (len(first.files), len(second.files)) == (12, N_IMAGES - 12)
    assert not set(first.files) & set(second.files)
    assert_equal(rows_of(home / "answers.csv"), rows_of(home / "whole.csv"))
    assert not [*home.glob("answers.csv.*")]


def test_a_row_of_a_file_that_has_changed_is_made_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one of a file that is gone is dropped."""
    with monkeypatch.context() as patched:
        stopped = Stopping(patched, 12)
        predict(home, "--csv", "answers.csv")
    changed, gone = (home / file for file in stopped.files[:2])
    star = next((home / "pictures" / "test" / "star").iterdir())
    shutil.copy(star, changed)
    gone.unlink()
    predict(home, "--csv", "answers.csv")
    predict(home, "--csv", "whole.csv")
    found, expected = (
        sorted(rows_of(home / f"{name}.csv"), key=lambda row: row["path"])
        for name in ("answers", "whole")
    )
    assert found[0]["class"] == "star"
    assert_equal(found, expected)


def test_rows_of_another_command_are_not_mixed_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What differs is named; `--force` discards them."""
    with monkeypatch.context() as patched:
        Stopping(patched, 12)
        predict(home, "--csv", "answers.csv")
    done = predict(home, "--csv", "answers.csv", "--clf", "svm")
    assert done.returncode == 2
    assert "first rows of another table: classifier, model differ" in done.stderr
    assert "(--force)" in done.stderr
    done = predict(home, "--csv", "answers.csv", "--clf", "svm", "--force")
    assert done.returncode == 0, done.stderr
    predict(home, "--csv", "whole.csv", "--clf", "svm")
    assert_equal(rows_of(home / "answers.csv"), rows_of(home / "whole.csv"))


def test_a_table_of_moved_images_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that was moved before the stop has its row, too."""
    predict(home, "--csv", "whole.csv")
    with monkeypatch.context() as patched:
        Stopping(patched, 12)
        done = predict(home, "--csv", "answers.csv", "--sort-into", "sorted", "--move")
    assert done.returncode == 130
    assert len(visible(home / "sorted")) == 12
    done = predict(home, "--csv", "answers.csv", "--sort-into", "sorted", "--move")
    assert done.returncode == 0, done.stderr
    assert len(visible(home / "sorted")) == N_IMAGES
    assert_equal(rows_of(home / "answers.csv"), rows_of(home / "whole.csv"))


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


def test_two_commands_do_not_write_one_table(home: Path) -> None:
    """The second is refused, and leaves the rows of the first alone."""
    target = TableTarget(home / "answers.csv")
    with open_table(target, RowFormat(), {}):
        done = predict(home, "--csv", "answers.csv")
        assert done.returncode == 2
        assert "another command is writing answers.csv" in done.stderr
        assert target.part.exists()
    assert not target.part.exists()


def test_a_command_that_has_moved_everything_is_completed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped after the last image, before the table got its name."""
    predict(home, "--csv", "whole.csv")
    before = tree(home / "pictures")
    options = ("--csv", "answers.csv", "--sort-into", "sorted", "--move")
    with monkeypatch.context() as patched:
        patched.setattr(table.PartialTable, "publish", mock.Mock(side_effect=KeyboardInterrupt))
        assert predict(home, *options).returncode == 130
    done = predict(home, *options)
    assert done.returncode == 0, done.stderr
    assert "no image is left there" in done.stderr
    assert_equal(rows_of(home / "answers.csv"), rows_of(home / "whole.csv"))
    again = predict(home, "--sort-into", "sorted", "--move")
    assert (again.returncode, "26 images had been sorted before" in again.stdout) == (0, True)
    assert predict(home, "--sort-into", "other", "--move").returncode == 2
    assert undo(home).returncode == 0
    assert tree(home / "pictures") == before


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


def test_a_full_disk_keeps_the_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no table before it is complete."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(table, "os", SimpleNamespace(**{**vars(os), "fsync": full}))
        done = predict(home, "--csv", "answers.csv")
    assert done.returncode == 2
    assert "No space left on device; the rows so far are kept in answers.csv.part" in done.stderr
    assert [path.name for path in home.glob("answers.csv*")] == ["answers.csv.part"]
    assert predict(home, "--csv", "answers.csv").returncode == 0
    assert len(rows_of(home / "answers.csv")) == N_IMAGES


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
def test_an_image_of_one_pixel_and_a_name_with_a_line_break(home: Path) -> None:
    """Both are sorted; the name is escaped where it is printed, and kept where it is a name."""
    (home / "odd").mkdir()
    cv2.imwrite(str(home / "odd" / "pixel.png"), np.zeros((1, 1, 3), np.uint8))
    shutil.copy(home / "pictures" / "test" / "disc" / "001.jpg", home / "odd" / "a\nb.jpg")
    done = predict(home, "--sort-into", "sorted\nhere", "--csv", "answers.csv", images="odd")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (home / "sorted\nhere").rglob("*.*g")) == [
        "a\nb.jpg", "pixel.png",
    ]  # fmt: skip
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert r"odd/a\nb.jpg" in (home / "answers.csv").read_text()
    assert undo(home, "sorted\nhere").returncode == 0
    assert sorted(path.name for path in (home / "odd").iterdir()) == ["a\nb.jpg", "pixel.png"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--copy", "--move"])
def test_a_command_that_is_killed_is_repeated_and_undone(home: Path, how: str) -> None:
    """With SIGKILL, in the middle of 2,600 images: every one is back, and nothing else."""
    many = multiply(home, 100)
    before = tree(many)
    arguments = ("many", *BASE, "--sort-into", "sorted", how, "--csv", "answers.csv")
    command = [sys.executable, "-m", "classify.predict", "run", *arguments]
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and len(visible(home / "sorted")) < 100:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed = len(visible(home / "sorted"))
    assert 100 <= killed < 2600
    done = run_command("classify.predict", "run", *arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    assert len(visible(home / "sorted")) == 2600
    assert len(rows_of(home / "answers.csv")) == 2600
    assert undo(home).returncode == 0
    assert tree(many) == before
    assert not (home / "sorted").exists()


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


def test_an_undo_says_what_it_could_not_put_back(home: Path) -> None:
    """By name; the exit status is 2, and the undo file stays."""
    predict(home, "--sort-into", "sorted", "--copy")
    (home / "sorted" / "disc" / "001.jpg").write_bytes(b"edited")
    done = undo(home)
    assert done.returncode == 2
    assert "sorted: 25 images put back" in done.stdout
    assert "  disc/001.jpg  changed since" in done.stdout
    assert "1 image could not be put back, and the undo file is kept" in done.stderr
    assert (home / "sorted" / UNDO_NAME).exists()
