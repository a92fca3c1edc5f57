"""`python -m classify.predict --sort-into` and `--undo`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

from classify.serving.output import table
from classify.serving.sorting.journal import UNDO_NAME
from tests.classify.predict.commands import (
    BASE,
    N_IMAGES,
    Stopping,
    assert_equal,
    multiply,
    predict,
    rows_of,
    undo,
)
from tests.classify.serving.sorting.conftest import tree, visible
from tests.commands import ROOT, run_command


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
