"""Every decision is in the file before it counts, and nothing in the file is ever lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from classify.errors import ReviewError
from classify.reviewing.corrections import Corrections, State
from extract.datasets.corrections import read_decisions
from extract.datasets.decisions import HEADER, Decision
from extract.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABELS = {"a.png": "cat", "b,c.png": "dog", " =d\n.png": "cat"}
CLASSES = ["cat", "dog", '"fox", ']
WHEN = "2026-01-31T12:00:00+00:00"


def opened(folder: Path) -> Corrections:
    return Corrections(folder / "corrections.csv", LABELS, CLASSES)


def rows(folder: Path) -> list[tuple[str, str, str]]:
    found = read_decisions(folder / "corrections.csv", LABELS, CLASSES)
    assert found is not None
    return [(one.path, one.label, one.decision) for one in found]


@pytest.fixture
def corrections(tmp_path: Path) -> Iterator[Corrections]:
    found = opened(tmp_path)
    yield found
    found.close()


def test_each_decision_is_a_row(corrections: Corrections, tmp_path: Path) -> None:
    """Also of names of any kind; they are all there when the file is opened again."""
    corrections.relabel("a.png", "dog")
    corrections.relabel("b,c.png", "dog")
    corrections.leave_out(" =d\n.png")
    assert corrections.relabel(" =d\n.png", '"fox", ') == State('"fox", ', "relabel", 2)
    corrections.close()
    assert rows(tmp_path) == [
        ("a.png", "dog", "relabel"),
        ("b,c.png", "dog", "keep"),
        (" =d\n.png", "", "leave out"),
        (" =d\n.png", '"fox", ', "relabel"),
    ]
    again = opened(tmp_path)
    assert [again.state(path) for path in LABELS] == [corrections.state(path) for path in LABELS]
    assert again.changes() == {"a.png": "dog", " =d\n.png": '"fox", '}
    assert again.decided_since(1) == ["b,c.png", " =d\n.png"]
    again.close()


def test_a_decision_about_what_another_tab_has_decided_is_refused(
    corrections: Corrections, tmp_path: Path
) -> None:
    """Nothing is written; who has seen the decision may change it."""
    seen = corrections.state("a.png").version
    other = corrections.leave_out("a.png", seen)
    with pytest.raises(ReviewError, match="nothing was saved: this image was decided meanwhile"):
        corrections.relabel("a.png", "dog", seen)
    assert corrections.state("a.png") == other
    assert corrections.relabel("a.png", "dog", other.version).label == "dog"


def test_a_row_about_an_image_that_the_run_does_not_have_is_refused(tmp_path: Path) -> None:
    """As ``--labels`` refuses it, but before anybody has decided more; the file stays as it is."""
    path = tmp_path / "corrections.csv"
    content = HEADER + Decision("gone.png", "cat", "relabel", "2026-01-01T00:00:00+00:00").encode()
    path.write_bytes(content)
    with pytest.raises(ReviewError, match=r"names 'gone\.png', which the run does not have"):
        Corrections(path, LABELS, ["cat", "dog"])
    assert path.read_bytes() == content


def test_decisions_are_taken_back_one_by_one(corrections: Corrections, tmp_path: Path) -> None:
    """Down to none, and no further; the rows say which label holds after each."""
    for decide in (
        lambda: corrections.relabel("a.png", "dog"),
        lambda: corrections.leave_out("a.png"),
        lambda: corrections.relabel("a.png", "cat"),
    ):
        decide()
    assert corrections.undo("a.png", 3) == State("", "leave out", 4)
    assert corrections.undo("a.png", 4) == State("dog", "relabel", 5)
    assert corrections.undo("a.png", 5) == State("cat", None, 6)
    with pytest.raises(ReviewError, match="no decision about this image to take back"):
        corrections.undo("a.png", 6)
    assert [label for _, label, _ in rows(tmp_path)] == ["dog", "", "cat", "", "dog", "cat"]
    assert corrections.changes() == {}
    corrections.close()
    again = opened(tmp_path)
    assert again.state("a.png") == State("cat", None, 6)
    again.close()


def test_a_decision_that_another_one_has_followed_is_not_taken_back(
    corrections: Corrections,
) -> None:
    """A tab takes back its own decision, not that of another."""
    version = corrections.relabel("a.png", "dog").version
    corrections.relabel("a.png", "cat")
    with pytest.raises(ReviewError, match="decided again since"):
        corrections.undo("a.png", version)
    assert corrections.state("a.png") == State("cat", "keep", 2)


def test_a_last_row_that_is_not_complete_is_cut_off(tmp_path: Path) -> None:
    """At every byte: what was confirmed stays, and the next decision is a row of its own."""
    path = tmp_path / "corrections.csv"
    first = HEADER + Decision("a.png", "dog", "relabel", WHEN).encode()
    both = first + Decision("b,c.png", '"fox", ', "relabel", WHEN).encode()
    for end in range(len(both)):
        path.write_bytes(both[:end])
        corrections = opened(tmp_path)
        corrections.leave_out(" =d\n.png")
        corrections.close()
        found = rows(tmp_path)
        assert found[-1] == (" =d\n.png", "", "leave out")
        assert (("a.png", "dog", "relabel") in found) is (end >= len(first) - 1), end
        assert len(found) == 1 + (end >= len(first) - 1) + (end == len(both) - 1), end
        assert path.read_bytes().endswith(b"\n")


def test_a_second_review_of_the_same_run_is_refused(
    corrections: Corrections, tmp_path: Path
) -> None:
    """While the first one is there; it goes on undisturbed."""
    with pytest.raises(ReviewError, match="another process is reviewing this run"):
        opened(tmp_path)
    corrections.relabel("a.png", "dog")
    corrections.close()
    opened(tmp_path).close()


def test_decisions_of_many_threads_are_all_kept(corrections: Corrections, tmp_path: Path) -> None:
    """As of several tabs."""

    def decide(label: str) -> None:
        for _ in range(25):
            corrections.relabel("a.png", label)

    threads = [threading.Thread(target=decide, args=[label]) for label in ("cat", "dog") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(tmp_path)
    assert len(found) == 100
    assert sum(label == "dog" for _, label, _ in found) == 50
    assert corrections.state("a.png").label == found[-1][1]


def test_a_file_that_a_spreadsheet_has_saved_is_continued(tmp_path: Path) -> None:
    """With its own separator and encoding; the rows stay, in our format."""
    path = tmp_path / "corrections.csv"
    text = "path;label;decision;decided\r\na.png;dog;relabel;31.01.2026 12:00\r\n"
    path.write_bytes(text.encode("cp1252"))
    corrections = opened(tmp_path)
    assert corrections.state("a.png") == State("dog", "relabel", 1)
    corrections.leave_out("a.png")
    corrections.close()
    assert rows(tmp_path) == [("a.png", "dog", "relabel"), ("a.png", "", "leave out")]
    assert path.read_bytes().startswith(HEADER)


def test_a_label_that_was_edited_by_hand_holds(tmp_path: Path) -> None:
    """Also in a row that takes a decision back."""
    path = tmp_path / "corrections.csv"
    edited = [
        Decision("a.png", "dog", "relabel", WHEN),
        Decision("a.png", '"fox", ', "undo", WHEN),
    ]
    path.write_bytes(HEADER + b"".join(one.encode() for one in edited))
    corrections = opened(tmp_path)
    assert corrections.state("a.png").label == '"fox", '
    assert corrections.state("a.png").decision is not None
    corrections.close()


def test_a_class_that_the_run_does_not_have_is_mentioned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a typing error."""
    path = tmp_path / "corrections.csv"
    path.write_bytes(HEADER + Decision("a.png", "dgo", "relabel", WHEN).encode())
    opened(tmp_path).close()
    assert "new class: dgo (did you mean dog?)" in caplog.text


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"path,label\na.png,dog\n", ReviewError),
        (b"notes of mine\n", ReviewError),
        (b"\x00\x01\x02", DataError),
        (HEADER + b'a.png,"dog\nb.png,cat\n', DataError),
        (HEADER + Decision("a.png", "dog", "Keep it", WHEN).encode(), DataError),
    ],
)
def test_another_file_is_refused_and_stays(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "corrections.csv"
    path.write_bytes(content)
    with pytest.raises(error):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_a_file_that_is_changed_meanwhile_is_not_written_to(
    corrections: Corrections, tmp_path: Path
) -> None:
    """The decision is refused, and what the other program has saved stays."""
    path = tmp_path / "corrections.csv"
    corrections.relabel("a.png", "dog")
    edited = path.read_bytes().replace(b"dog", b"cat")
    path.unlink()
    path.write_bytes(edited)
    with pytest.raises(ReviewError, match="NOT saved: another program has changed"):
        corrections.leave_out("a.png")
    assert path.read_bytes() == edited
    assert corrections.state("a.png") == State("dog", "relabel", 1)


def test_rows_that_another_program_has_appended_count(
    corrections: Corrections, tmp_path: Path
) -> None:
    corrections.relabel("a.png", "dog")
    with (tmp_path / "corrections.csv").open("ab") as file:
        file.write(Decision("b,c.png", "", "leave out", WHEN).encode())
    corrections.relabel("a.png", "cat")
    assert corrections.state("b,c.png") == State("", "leave out", 1)
    assert [label for _, label, _ in rows(tmp_path)] == ["dog", "", "cat"]


def test_a_decision_that_does_not_reach_the_disk_is_refused(
    corrections: Corrections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one is synced to the disk before it counts; one that fails leaves no row behind."""
    synced = []

    def fail(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        raise OSError(errno.EIO, "Input/output error")

    corrections.relabel("a.png", "dog")
    size = (tmp_path / "corrections.csv").stat().st_size
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(ReviewError, match=r"NOT saved: .*Input/output error"):
            corrections.leave_out("a.png")
    assert synced[0] > size
    assert corrections.state("a.png") == State("dog", "relabel", 1)
    assert rows(tmp_path) == [("a.png", "dog", "relabel")]
    corrections.leave_out("a.png")
    assert [kind for _, _, kind in rows(tmp_path)] == ["relabel", "leave out"]


def test_a_folder_that_cannot_be_written_to_refuses_each_decision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is there is shown; once the folder can be written to, decisions are saved."""
    folder = tmp_path / "run"
    corrections = opened(folder)  # it does not exist: as root, any folder can be written to
    assert "no decision can be saved until" in caplog.text
    with pytest.raises(ReviewError, match=r"NOT saved: .* cannot be written \(No such file"):
        corrections.relabel("a.png", "dog")
    assert corrections.state("a.png") == State("cat")
    folder.mkdir()
    corrections.relabel("a.png", "dog")
    corrections.close()
    assert rows(folder) == [("a.png", "dog", "relabel")]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from classify.errors import ReviewError
from classify.reviewing.corrections import Corrections

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
corrections = Corrections(path, {"a.png": "cat"}, ["cat", "dog"])
corrections.relabel("a.png", "dog")
size = path.stat().st_size
for room in range(60):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
    try:
        corrections.leave_out("a.png")
    except ReviewError as error:
        assert "NOT saved" in str(error), error
        assert corrections.state("a.png").label == "dog"
        assert path.stat().st_size == size
    else:
        break
print(room)
"""


def test_a_full_disk_loses_the_decision_that_it_refuses_and_no_other(tmp_path: Path) -> None:
    """Whatever part of the row there is room for; once there is room for all of it, it is saved."""
    path = tmp_path / "corrections.csv"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 30 < int(done.stdout) < 60
    found = read_decisions(path, ["a.png"], ["cat", "dog"])
    assert found is not None
    assert [one.label for one in found] == ["dog", ""]
