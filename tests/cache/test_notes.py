"""Notes on images save work, and nothing depends on them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from cache.notes import Notes

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "ab" * 32


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    made = Notes(tmp_path / "notes.sqlite")
    made.remember("depth", {DIGEST: "deep", "cd" * 32: "shallow"})
    return made


def test_a_note_is_found_by_its_kind_and_digest(notes: Notes) -> None:
    assert notes.recall("depth", [DIGEST, "ef" * 32]) == {DIGEST: "deep"}
    assert notes.recall("remarks", [DIGEST]) == {}


def test_a_later_note_replaces_an_earlier_one(notes: Notes) -> None:
    notes.remember("depth", {DIGEST: "shallow"})
    assert notes.recall("depth", [DIGEST]) == {DIGEST: "shallow"}


def test_a_changed_note_is_forgotten(notes: Notes, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "notes.sqlite") as connection:
        connection.execute("UPDATE note SET text = 'shallow' WHERE digest = ?", (DIGEST,))
    assert notes.recall("depth", [DIGEST]) == {}


def test_a_damaged_file_is_renamed_and_begun_anew(notes: Notes, tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert notes.recall("depth", [DIGEST]) == {}
    notes.remember("depth", {DIGEST: "deep"})
    assert notes.recall("depth", [DIGEST]) == {DIGEST: "deep"}
    assert len(list(tmp_path.glob("notes.damaged-*.sqlite"))) == 1
