"""Images go into folders, nothing is replaced, and a repeated command goes on."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from classify.errors import ModelError
from tests.classify.serving.sorting.conftest import Home, predicted, tree, visible
from tests.commands import ROOT, python

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = {
    "link": {"link": 5, "mkdir": 4, "fsync": 6},
    "copy": {"link": 4, "mkdir": 4, "fsync": 10},
    "move": {"link": 4, "mkdir": 4, "fsync": 6},
}
"""How often a sorting calls functions of `os`."""
SORTED = ["cat/1 (2).jpg", "cat/1.jpg", "dog/2.jpg", "unusable/c.jpg"]


def test_every_image_gets_into_the_folder_of_its_class(home: Home, how: str) -> None:
    """Equal names are numbered in the order of the images; what is no image has its folder."""
    before = tree(home.images)
    result = home.sort(how=how)
    assert visible(home.sorted) == SORTED
    assert result.folders == {"cat": 2, "dog": 1, "unusable": 1}
    assert (home.sorted / "cat" / "1.jpg").read_bytes() == b"a/1.jpg"
    assert (home.sorted / "cat" / "1 (2).jpg").read_bytes() == b"b/1.jpg"
    assert (home.images / "a" / "1.jpg").exists() == (how != "move")
    is_same = [path.stat().st_nlink == 2 for path in home.sorted.rglob("*.jpg")]
    assert all(is_same) if how == "link" else not any(is_same)
    if how != "move":
        assert tree(home.images) == before


def test_undo_puts_everything_back(home: Home, how: str) -> None:
    """By name, byte and time; nothing is left of the folder."""
    before = tree(home.images.parent)
    home.sort(how=how)
    result = home.undo()
    assert tree(home.images.parent) == before
    assert (sum(result.counts.values()), result.n_left) == (4, 0)
    with pytest.raises(ModelError, match="has no undo file"):
        home.undo()


def test_a_repeated_command_changes_nothing(home: Home, how: str) -> None:
    """And says how many images had been sorted; new ones are added beside them."""
    home.sort(how=how)
    once = tree(home.sorted)
    again = home.sort(how=how)
    assert (again.n_before, again.folders.total()) == (4, 0)
    assert tree(home.sorted) == once
    (home.images / "z").mkdir()
    (home.images / "z" / "1.jpg").write_bytes(b"new")
    home.sort(how=how)
    assert visible(home.sorted) == sorted([*SORTED, "cat/1 (3).jpg"])


def test_the_same_images_get_the_same_names_in_any_number_of_commands(
    home: Home, tmp_path: Path
) -> None:
    """Whether a command sorts all of them, or each has one of its own."""
    other = Home(tmp_path / "other")
    home.sort()
    for prediction in other.predictions:
        other.sort([prediction])
    assert {name: data for name, (data, _) in tree(home.sorted).items() if ".jpg" in name} == {
        name: data for name, (data, _) in tree(other.sorted).items() if ".jpg" in name
    }


def test_no_file_is_replaced(home: Home, how: str) -> None:
    """What is in the folder already keeps its name and content, also after the undo."""
    (home.sorted / "cat").mkdir(parents=True)
    (home.sorted / "cat" / "1.jpg").write_bytes(b"of the user")
    home.sort(how=how)
    assert visible(home.sorted) == sorted([*SORTED, "cat/1 (3).jpg"])
    home.undo()
    assert visible(home.sorted) == ["cat/1.jpg"]
    assert (home.sorted / "cat" / "1.jpg").read_bytes() == b"of the user"


def test_a_name_that_is_taken_in_between_is_not_replaced(
    home: Home, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program writes it after the name was chosen; the image gets the next one."""
    link = os.link

    def race(source: Any, target: Any) -> None:
        if str(target).endswith("2.jpg") and not os.path.lexists(target):
            Path(target).write_bytes(b"of another program")
        link(source, target)

    monkeypatch.setattr(os, "link", race)
    home.sort([predicted(home.images / "b" / "2.jpg", "dog")], how=how)
    assert visible(home.sorted) == ["dog/2 (2).jpg", "dog/2.jpg"]
    monkeypatch.undo()
    assert home.undo().n_left == 0
    assert visible(home.sorted) == ["dog/2.jpg"]
    assert (home.images / "b" / "2.jpg").read_bytes() == b"b/2.jpg"


def test_names_with_line_breaks_and_bytes_that_are_no_text(home: Home, how: str) -> None:
    """They are kept, and come back."""
    for name in ("a\nb.jpg", "\udcff.jpg", " .jpg", "x" * 251 + ".jpg"):
        (home.images / name).write_bytes(b"image")
    before = tree(home.images)
    home.sort(how=how)
    names = [name for name in visible(home.sorted) if name.startswith("cat/")]
    assert "cat/a\nb.jpg" in names
    assert "cat/\udcff.jpg" in names
    assert len(names) == 6
    home.undo()
    assert tree(home.images) == before


def test_hostile_class_names_stay_in_the_folder_and_are_said(
    home: Home, notes: pytest.LogCaptureFixture
) -> None:
    """No class leads out of the folder."""
    classes = ["..", "a/b", "CON", "\n"]
    paths = sorted(home.images.rglob("*.jpg"))
    with home.sorter(classes) as sorter:
        sorter.place(predicted(path, label) for path, label in zip(paths, classes, strict=True))
    assert visible(home.sorted) == ["_/c.jpg", "_CON/2.jpg", "__/1.jpg", "a_b/1.jpg"]
    assert sorted(path.name for path in home.sorted.parent.iterdir()) == ["images", "sorted"]
    assert "4 classes get a name that is possible for a folder: '__' for '..'" in notes.text


def test_undecided_and_refused_images_have_folders_of_their_own(home: Home) -> None:
    """A refused image is refused first; sorted by uncertainty, an undecided one is uncertain."""
    a, b = home.images / "a" / "1.jpg", home.images / "b" / "2.jpg"
    images = [predicted(a, p=0.6, undecided=True), predicted(b, undecided=True, refused=True)]
    home.sort(images)
    assert visible(home.sorted) == ["refused/2.jpg", "undecided/1.jpg"]
    home.undo()
    home.sort(images, by="uncertain")
    assert visible(home.sorted) == ["margin 0.2 to 0.3/0.2000 1.jpg", "refused/2.jpg"]
    home.undo()
    home.sort(images, by="top")
    assert visible(home.sorted) == ["refused/2.jpg", "undecided/0.6000 1.jpg"]


def test_the_most_uncertain_images_come_first(home: Home) -> None:
    """By name of folder and file; a probability of 1 is in the last folder."""
    shares = [1.0, 0.51, 0.96, 0.54]
    paths = sorted(home.images.rglob("*.jpg"))
    home.sort([predicted(path, p=p) for path, p in zip(paths, shares, strict=True)], by="uncertain")
    assert visible(home.sorted) == [
        "margin 0.0 to 0.1/0.0200 1.jpg", "margin 0.0 to 0.1/0.0800 c.jpg",
        "margin 0.9 to 1.0/0.9200 2.jpg", "margin 0.9 to 1.0/1.0000 1.jpg",
    ]  # fmt: skip


def test_a_folder_is_not_sorted_into_in_two_ways(home: Home) -> None:
    """What differs is named; after an undo, every way is possible."""
    home.sort()
    with pytest.raises(ModelError, match="sorted into in another way: by, how differ") as error:
        home.sort(by="top", how="copy")
    assert error.value.setting == "undo"
    home.undo()
    home.sort(by="top", how="copy")


def test_another_command_at_the_same_time_is_refused(home: Home) -> None:
    """Also an undo."""
    with home.sorter():
        with pytest.raises(ModelError, match="another command is sorting into"):
            home.sort()
        with pytest.raises(ModelError, match="another command is sorting into"):
            home.undo()


def test_links_are_followed_but_not_moved(home: Home) -> None:
    """A hard link or a copy is of the file that a link leads to; to move it would break it."""
    (home.images / "d.jpg").symlink_to("a/1.jpg")
    outside = home.images.parent / "outside"
    outside.mkdir()
    (outside / "e.jpg").write_bytes(b"outside")
    (home.images / "linked").symlink_to(outside)
    images = [predicted(home.images / name) for name in ("d.jpg", "linked/e.jpg")]
    for how in ("link", "copy"):
        home.sort(images, how=how)
        assert visible(home.sorted) == ["cat/d.jpg", "cat/e.jpg"]
        assert not (home.sorted / "cat" / "d.jpg").is_symlink()
        assert home.undo().n_left == 0
    left = home.sort(images, how="move").left
    assert left == {
        "a link, and links are not moved": 1,
        "behind a link to another folder, and not moved": 1,
    }
    assert not home.sorted.exists()
    assert (outside / "e.jpg").exists()


def test_nothing_to_sort_leaves_nothing_behind(home: Home) -> None:
    """Neither a folder nor an undo file; a folder of the user stays."""
    home.sort([])
    assert not home.sorted.exists()
    home.sorted.mkdir()
    home.sort([])
    assert list(home.sorted.iterdir()) == []


def test_an_address_is_only_copied(home: Home) -> None:
    """The error says so, before anything is predicted."""
    from classify.serving.sorting.opening import open_sorter
    from classify.serving.sorting.settings import SortSettings

    for how, verb in (("link", "linked"), ("move", "moved")):
        settings = SortSettings(home.sorted, how=how)
        with (
            pytest.raises(ModelError, match=f"is an address, and .* be {verb}; copy") as error,
            open_sorter(settings, {}, ("cat",), ["https://host/1.jpg"], ["https://host/"]),
        ):
            pass
        assert error.value.setting == "copy"
    assert not home.sorted.exists()


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EXDEV, "on another file system"), (errno.EPERM, "impossible")]
)
def test_where_hard_links_are_impossible_the_error_names_copies(
    home: Home, failing: Callable[..., None], number: int, words: str
) -> None:
    """Before anything is predicted; nothing is left behind, and no symbolic link is made."""
    failing("link", number)
    with pytest.raises(ModelError, match=words) as error:
        home.sort()
    assert "copy the images" in str(error.value)
    assert error.value.setting == "copy"
    assert not home.sorted.exists()


@pytest.mark.parametrize("how", ["copy", "move"])
def test_a_file_system_without_hard_links_takes_copies_and_moves(
    home: Home, failing: Callable[..., None], how: str
) -> None:
    """As exFAT; nothing is replaced there, either."""
    before = tree(home.images)
    failing("link", errno.EPERM)
    home.sort(how=how)
    assert visible(home.sorted) == SORTED
    assert (home.sorted / "cat" / "1.jpg").read_bytes() == b"a/1.jpg"
    assert home.undo().n_left == 0
    assert tree(home.images) == before


def test_a_folder_that_cannot_be_written_to_is_an_error_at_once(
    home: Home, failing: Callable[..., None]
) -> None:
    """With the reason, and what to do."""
    home.sorted.write_text("a file")
    with pytest.raises(ModelError, match=r"cannot sort into .*: File exists"):
        home.sort()
    home.sorted.unlink()
    failing("mkdir", errno.EROFS)
    with pytest.raises(ModelError, match=r"cannot sort into .*: Read-only file system.*choose"):
        home.sort()


@pytest.mark.parametrize("call", ["link", "fsync", "mkdir"])
@pytest.mark.parametrize("after", range(12))
def test_a_full_disk_is_one_error_and_the_next_command_goes_on(
    home: Home, how: str, failing: Callable[..., None], call: str, after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nothing half-written has its final name; the undo then puts everything back."""
    before = tree(home.images)
    contents = {content for content, _ in before.values()}
    failing(call, errno.ENOSPC, after=after)
    expected = contextlib.nullcontext()
    if after < CALLS[how][call]:
        words = "No space left on device.*run the same command again"
        expected = pytest.raises(ModelError, match=words)
    with expected:
        home.sort(how=how)
    monkeypatch.undo()
    if home.sorted.exists():
        assert all(file.read_bytes() in contents for file in home.sorted.rglob("*/*.jpg"))
    home.sort(how=how)
    assert visible(home.sorted) == SORTED
    assert home.undo().n_left == 0
    assert tree(home.images) == before
    assert not home.sorted.exists()


def test_a_kill_at_any_point_loses_nothing(home: Home, how: str) -> None:
    """Before each system call of a sorting or an undo; what follows it completes or undoes it."""
    arguments = ("-m", "tests.classify.serving.sorting.kills", str(home.images.parent / "k"), how)
    done = python(*arguments, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert int(line.removesuffix(" kills")) > 20
