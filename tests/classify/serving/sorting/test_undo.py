"""An undo puts everything back, refuses what has changed since, and loses nothing."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from classify.errors import ModelError
from classify.serving.sorting import actions
from classify.serving.sorting.actions import Outcome
from classify.serving.sorting.journal import UNDO_NAME
from tests.classify.serving.sorting.conftest import tree, visible

if TYPE_CHECKING:
    from tests.classify.serving.sorting.conftest import Home


def test_a_link_that_is_the_last_name_of_an_image_becomes_its_name_again(home: Home) -> None:
    """The images were deleted because their links were taken for copies."""
    before = tree(home.images)
    home.sort()
    shutil.rmtree(home.images)
    assert home.undo().n_left == 0
    assert tree(home.images) == before


def test_a_copy_that_is_the_last_one_stays(home: Home) -> None:
    """It cannot be known whether it is needed."""
    home.sort(how="copy")
    (home.images / "a" / "1.jpg").unlink()
    (home.images / "c.jpg").write_bytes(b"edited")
    result = home.undo()
    assert result.counts == {Outcome.ONLY_COPY: 2, Outcome.BACK: 2}
    assert result.left == [
        ("cat/1.jpg", Outcome.ONLY_COPY),
        ("unusable/c.jpg", Outcome.ONLY_COPY),
    ]
    assert visible(home.sorted) == ["cat/1.jpg", "unusable/c.jpg"]


@pytest.mark.parametrize("how", ["copy", "move"])
def test_an_image_that_has_been_edited_since_stays(home: Home, how: str) -> None:
    """The undo file stays, too; once the image is out of the way, the undo is complete."""
    home.sort(how=how)
    edited = home.sorted / "dog" / "2.jpg"
    edited.write_bytes(b"edited")
    result = home.undo()
    assert result.counts == {Outcome.BACK: 3, Outcome.CHANGED: 1}
    assert edited.read_bytes() == b"edited"
    with pytest.raises(ModelError, match="has begun, and is not complete"):
        home.sort(how=how)
    again = home.undo()
    assert (again.n_left, again.counts[Outcome.CHANGED]) == (1, 1)
    edited.rename(home.images.parent / "kept.jpg")
    assert home.undo().n_left == (0 if how == "copy" else 1)


def test_a_link_that_an_editor_has_replaced_stays(home: Home) -> None:
    """Most programs write a new file under the name."""
    home.sort()
    edited = home.sorted / "dog" / "2.jpg"
    edited.unlink()
    edited.write_bytes(b"edited")
    assert home.undo().counts == {Outcome.BACK: 3, Outcome.CHANGED: 1}
    assert edited.read_bytes() == b"edited"
    assert (home.images / "b" / "2.jpg").read_bytes() == b"b/2.jpg"


@pytest.mark.parametrize("how", ["link", "move"])
def test_a_place_that_another_file_has_taken_is_not_replaced(home: Home, how: str) -> None:
    """Both files are kept."""
    home.sort(how=how)
    place = home.images / "b" / "2.jpg"
    place.unlink(missing_ok=True)
    place.write_bytes(b"another")
    assert home.undo().counts == {Outcome.BACK: 3, Outcome.OCCUPIED: 1}
    assert place.read_bytes() == b"another"
    assert (home.sorted / "dog" / "2.jpg").read_bytes() == b"b/2.jpg"


def test_what_was_renamed_in_the_folder_is_left_alone(home: Home, how: str) -> None:
    """A person has corrected a class. A repeated command does not sort the image again."""
    before = tree(home.images)
    home.sort(how=how)
    (home.sorted / "dog" / "2.jpg").rename(home.sorted / "cat" / "2.jpg")
    home.sort(how=how)
    assert visible(home.sorted) == ["cat/1 (2).jpg", "cat/1.jpg", "cat/2.jpg", "unusable/c.jpg"]
    result = home.undo()
    assert visible(home.sorted) == ["cat/2.jpg"]
    if how == "move":
        assert result.left == [("dog/2.jpg", Outcome.LOST)]
        (home.sorted / "dog").mkdir()
        (home.sorted / "cat" / "2.jpg").rename(home.sorted / "dog" / "2.jpg")
        assert home.undo().n_left == 0
    else:
        assert (result.n_left, result.counts[Outcome.GONE]) == (0, 1)
    assert tree(home.images) == before


def test_files_of_the_user_stay_with_their_folders(home: Home, how: str) -> None:
    """Folders are only removed when they are empty."""
    home.sort(how=how)
    (home.sorted / "cat" / "notes.txt").write_text("mine")
    home.undo()
    assert [path.name for path in home.sorted.iterdir()] == ["cat"]
    assert (home.sorted / "cat" / "notes.txt").read_text() == "mine"


def test_the_folder_may_have_been_renamed(home: Home, how: str) -> None:
    """The undo file is in it, and says where everything was."""
    before = tree(home.images)
    home.sort(how=how)
    home.sorted = home.sorted.rename(home.sorted.with_name("renamed"))
    assert home.undo().n_left == 0
    assert tree(home.images) == before
    assert not home.sorted.exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{]", "is damaged: expected a JSON object in line 2"),
        ("[]", "is damaged: expected a JSON object in line 2"),
        ('{"folder": "../images"}', "is damaged: expected paths in"),
        ('{"folder": "/tmp"}', "is damaged: expected paths in"),
        ('{"entry": {"number": 9, "from": "x"}}', "is damaged: expected an entry"),
    ],
)
def test_a_damaged_undo_file_is_refused(home: Home, line: str, message: str) -> None:
    """Before anything is touched; nothing outside of the folder is ever removed."""
    home.sort()
    journal = home.sorted / UNDO_NAME
    first, rest = journal.read_text().split("\n", 1)
    journal.write_text("\n".join([first, line, rest]))
    before = tree(home.images.parent)
    with pytest.raises(ModelError, match=message):
        home.undo()
    assert tree(home.images.parent) == before


def test_an_undo_file_that_leads_outside_is_refused(home: Home) -> None:
    """An entry of another folder's is none of its."""
    home.sort()
    journal = home.sorted / UNDO_NAME
    journal.write_text(journal.read_text().replace("cat/1.jpg", "../images/c.jpg"))
    with pytest.raises(ModelError, match="is damaged: expected paths in"):
        home.undo()
    assert (home.images / "c.jpg").exists()


def test_an_undo_file_without_its_settings_is_refused(home: Home) -> None:
    """Without them it is not known what to undo."""
    home.sort()
    journal = home.sorted / UNDO_NAME
    journal.write_text(journal.read_text().replace('"how": "link"', '"how": "burn"', 1))
    with pytest.raises(ModelError, match="is damaged: expected settings with one of link, copy"):
        home.undo()


def test_an_undo_file_of_another_version_is_refused(home: Home) -> None:
    """With both versions in the message."""
    home.sort()
    journal = home.sorted / UNDO_NAME
    journal.write_text(journal.read_text().replace('"format": 1', '"format": 2', 1))
    with pytest.raises(ModelError, match="expected the format 1, found 2"):
        home.undo()


@pytest.mark.parametrize("after", range(4))
def test_an_undo_that_is_stopped_goes_on(
    home: Home, how: str, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Ctrl-C between two images."""
    before = tree(home.images)
    home.sort(how=how)
    put_back, calls = actions.put_back, iter(range(100))

    def stop(*args: Any) -> Outcome:
        if next(calls) == after:
            raise KeyboardInterrupt
        return put_back(*args)

    monkeypatch.setattr(actions, "put_back", stop)
    with pytest.raises(KeyboardInterrupt):
        home.undo()
    monkeypatch.undo()
    with pytest.raises(ModelError, match="has begun, and is not complete"):
        home.sort(how=how)
    assert home.undo().n_left == 0
    assert tree(home.images) == before
    assert not os.path.lexists(home.sorted)


@pytest.mark.parametrize("cut", [1, 2, 20, 40])
def test_a_line_that_was_cut_off_is_as_if_it_were_not_there(home: Home, how: str, cut: int) -> None:
    """A power cut while the undo file was written, before the steps that the line announces."""
    before = tree(home.images)
    home.sort(home.predictions[:3], how=how)
    journal = home.sorted / UNDO_NAME
    first = journal.read_bytes()
    home.sort(how=how)
    added = journal.read_bytes().removeprefix(first)
    home.undo()
    home.sort(home.predictions[:3], how=how)
    with journal.open("ab") as file:
        file.write(added[:-cut] if cut < len(added) else b"")
    home.sort(how=how)
    assert home.undo().n_left == 0
    assert tree(home.images) == before
