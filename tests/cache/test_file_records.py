"""Records of files: damage is found, and repaired on request."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from cache import CacheError, file_records

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"weights" * 99


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a file with its record, and a record without a file."""
    file_records.write_record(
        tmp_path / "a.json", file="a.npz", sha256=hashlib.sha256(CONTENT).hexdigest()
    )
    (tmp_path / "a.npz").write_bytes(CONTENT)
    file_records.write_record(tmp_path / "b.json", identity="0" * 64)
    return tmp_path


def test_a_record_is_read_as_it_was_written(folder: Path) -> None:
    """The fields are returned without the digest."""
    assert file_records.read_record(folder / "b.json") == {"identity": "0" * 64}
    assert file_records.read_record(folder / "c.json") is None


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"{}", b'{"seal": 1}', b"\xff", b"[" * 9999])
def test_a_damaged_record_is_none(folder: Path, text: bytes) -> None:
    """No damaged content is accepted."""
    (folder / "b.json").write_bytes(text)
    assert file_records.read_record(folder / "b.json") is None
    assert len(file_records.verify_records(folder)) == 1


def test_intact_files_are_no_problem(folder: Path) -> None:
    """Intact files, files not downloaded yet and a missing folder are no problems."""
    assert file_records.verify_records(folder) == []
    (folder / "a.npz").unlink()
    assert file_records.verify_records(folder) == []
    assert file_records.verify_records(folder / "gone") == []


@pytest.mark.parametrize("name", ["a.npz", "a.json", "b.json"])
def test_a_flipped_bit_is_found_and_repaired(folder: Path, name: str) -> None:
    """The damaged file is deleted, the others stay, and a second check finds no problem."""
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    (problem,) = file_records.verify_records(folder, repair=True)
    assert name in problem
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        {"a.npz", "a.json", "b.json"} - {name}
    )
    assert file_records.verify_records(folder) == []


def test_a_record_leads_to_no_file_outside_its_folder(folder: Path) -> None:
    """A forged record must not make a repair delete other files."""
    outside = folder / "outside.npz"
    outside.write_bytes(b"mine")
    inside = folder / "inside"
    inside.mkdir()
    file_records.write_record(inside / "a.json", file="../outside.npz", sha256="0" * 64)
    assert file_records.verify_records(inside, repair=True) == []
    assert outside.read_bytes() == b"mine"


def test_a_record_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """The error names the file that could not be written."""
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="cannot write"):
        file_records.write_record(tmp_path / "file" / "a.json", identity="0" * 64)
