"""`python -m classify.predict --csv`: tables that go on."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from classify.serving.output import table
from classify.serving.output.rows import RowFormat
from classify.serving.output.table import TableTarget, open_table
from tests.classify.predict.commands import N_IMAGES, Stopping, assert_equal, predict, rows_of

if TYPE_CHECKING:
    from pathlib import Path


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


def test_two_commands_do_not_write_one_table(home: Path) -> None:
    """The second is refused, and leaves the rows of the first alone."""
    target = TableTarget(home / "answers.csv")
    with open_table(target, RowFormat(), {}):
        done = predict(home, "--csv", "answers.csv")
        assert done.returncode == 2
        assert "another command is writing answers.csv" in done.stderr
        assert target.part.exists()
    assert not target.part.exists()


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
