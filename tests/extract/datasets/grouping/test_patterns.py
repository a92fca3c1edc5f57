"""Groups from the paths of the images: by a pattern, or by folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract.datasets.grouping import patterns
from extract.errors import DataError
from tests.extract.datasets.grouping.samples import EXPECTED, groups, make, on_one_side

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract import Dataset


@pytest.mark.parametrize("pattern", ["([^/]+)_[^/_]*$", r"[bm]\d\d", r"/(.*)_"])
def test_the_first_capture_group_or_the_whole_match(
    load: Callable[..., Dataset], folder: Path, pattern: str
) -> None:
    data = load(folder, group_by=pattern)
    assert groups(data) == EXPECTED
    assert data.group_origin == f"paths, by {pattern}"
    assert on_one_side(data)


def test_paths_without_a_match_are_groups_of_their_own_and_named(
    load: Callable[..., Dataset], folder: Path
) -> None:
    make(folder, ["benign/extra.png"])
    data = load(folder, group_by="([^/]+)_")
    assert groups(data) == {**EXPECTED, "benign/extra.png": None}
    (remark,) = data.layout.remarks
    assert remark == (
        "'([^/]+)_' is not in 1 path, as 'benign/extra.png': each of these images is a group of "
        "its own."
    )


def test_a_pattern_that_matches_no_path_is_refused(
    load: Callable[..., Dataset], folder: Path
) -> None:
    with pytest.raises(DataError, match=r"in none of the paths.* 'benign/b00_scan0.png'") as caught:
        load(folder, group_by="video(.*)_")
    assert caught.value.setting == "group_by"


@pytest.mark.parametrize("pattern", ["(", "[", "(?P<a", "a{3,2}", "(?<=a+)b"])
def test_what_is_no_regular_expression_is_refused(
    load: Callable[..., Dataset], folder: Path, pattern: str
) -> None:
    with pytest.raises(DataError, match="is no regular expression"):
        load(folder, group_by=pattern)


def test_a_pattern_of_exponential_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SECONDS", 1.0)
    with pytest.raises(DataError, match="takes more than 1 s for 1 paths"):
        patterns.groups_by_pattern(["a" * 60], "(a+)+b")


def test_paths_that_are_not_utf8_are_matched() -> None:
    assert patterns.groups_by_pattern(["caf\udce9_1.png"], "(.*)_") == ["caf\udce9"]


def test_folders_below_the_classes(load: Callable[..., Dataset], tmp_path: Path) -> None:
    """Equal names in several classes are different folders, and it is said how to join them."""
    names = [f"{k}/{i}/{j}.png" for k in ("cats", "dogs") for i in "123" for j in range(3)]
    folder = make(tmp_path / "data", [*names, "cats/9.png"])
    data = load(folder, group_by="folder", layout="class-folders")
    assert groups(data) == {name: name.rpartition("/")[0] for name in names} | {"cats/9.png": None}
    alone, twice = data.layout.remarks[-2:]
    assert alone == (
        "1 image is in no folder below the one of a class: each is a group of its own."
    )
    assert twice.endswith("if they are the same, set group_by to '([^/]+)/[^/]+$'.")
    joined = load(folder, group_by="([^/]+)/[^/]+$", layout="class-folders")
    assert groups(joined)["cats/1/0.png"] == groups(joined)["dogs/1/0.png"] == "1"


def test_the_folders_directly_below_the_classes_are_taken(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    """Sessions of one individual are not apart; a remark names both levels, and takes the other."""
    names = [f"{k}/{k}{i}/{s}/0.png" for k in "ab" for i in range(4) for s in ("may", "june")]
    folder = make(tmp_path / "data", names)
    data = load(folder, group_by="folder", layout="class-folders")
    assert groups(data) == {name: "/".join(name.split("/")[:2]) for name in names}
    remark = (
        "Groups are folders as 'a/a0', with other folders in them, as 'a/a0/june'; if those are "
        r"the groups, set group_by to '(.*)/[^/]+$'."
    )
    assert remark in data.layout.remarks
    inner = load(folder, group_by="(.*)/[^/]+$", layout="class-folders")
    assert groups(inner) == {name: name.rpartition("/")[0] for name in names}


def test_a_folder_that_holds_all_of_a_class_is_passed(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    """As `photos` in each class: the folders in it are the groups."""
    names = [f"{k}/photos/{k}{i}/{j}.png" for k in "ab" for i in range(4) for j in range(2)]
    data = load(make(tmp_path / "data", names), group_by="folder", layout="class-folders")
    assert groups(data) == {name: name.rpartition("/")[0] for name in names}


def test_folders_of_splits_are_no_groups(load: Callable[..., Dataset], tmp_path: Path) -> None:
    names = [f"{k}/{s}/{i}.png" for k in "ab" for s in ("train", "test") for i in range(3)]
    with pytest.raises(DataError, match="no image is in a folder below the one of its class"):
        load(make(tmp_path / "data", names), group_by="folder")
