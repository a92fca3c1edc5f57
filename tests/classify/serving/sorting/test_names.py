"""Names of classes become folders that every file system takes, and names of files fit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from classify.serving.sorting.names import SPECIAL, file_name, folder_names, safe_name

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "", ".", "..", "...", "a/b", "a\\b", "/", "CON", "con.txt", "nul", "COM1", "LPT9.x", ".hidden",
    "ends.", "ends ", " begins", "a\nb", "a\tb", "\x00", "\x1b[31m", "\u202etxt.exe", "\udcff",
    "x" * 300, "ä" * 300, "a:b", "a*?b", '"<>|', "undecided", "Refused", "UNUSABLE",
]  # fmt: skip


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_class_name_becomes_a_folder_that_can_be_created(
    label: str, tmp_path: Path
) -> None:
    """Directly in the folder, visible, and of ordinary length."""
    (name,) = folder_names([label]).values()
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert name.isprintable()
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert not set(name) & set('/\\:*?"<>|')
    assert name.partition(".")[0].casefold() not in {"con", "nul", "com1", "lpt9"}
    assert name.casefold() not in SPECIAL
    assert len(os.fsencode(name)) <= 110


def test_no_two_classes_share_a_folder() -> None:
    """Neither where capitals do not count, nor where letters with accents are composed."""
    labels = list(dict.fromkeys(["a/b", "a\\b", "a_b", "A_B", "é", "e\u0301", *HOSTILE]))
    names = folder_names(labels)
    assert len({name.casefold() for name in names.values()}) == len(labels)
    assert names["a/b"] == "a_b"
    assert names["a\\b"] == "a_b (2)"
    assert names["é"] != names["e\u0301"]


def test_ordinary_names_stay_as_they_are() -> None:
    """In any script, with spaces and dots inside."""
    for label in ("cat", "Canis lupus", "犬", "v1.2", "tabby, tabby cat", "ångström"):
        assert safe_name(label) == label


@pytest.mark.parametrize("name", ["x" * 251 + ".jpg", "ä" * 125 + ".jpg", "x." + "y" * 253])
def test_a_long_file_name_is_shortened_so_that_it_can_be_created(name: str, tmp_path: Path) -> None:
    """It keeps its suffix, and equal ones still differ."""
    names = [file_name("0.9731 ", name, number) for number in (1, 2, 10)]
    for made in names:
        (tmp_path / made).touch(exist_ok=False)
        assert made.startswith("0.9731 ")
    if name.endswith(".jpg"):
        assert all(made.endswith(".jpg") for made in names)
