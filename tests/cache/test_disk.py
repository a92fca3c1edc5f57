"""Files and folders are written completely or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from cache import CacheError, disk


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    disk.publish(tmp_path / "new" / "a", b"old")
    disk.publish(tmp_path / "new" / "a", b"new")
    assert (tmp_path / "new" / "a").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No temporary file is left."""

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    disk.publish(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        disk.publish(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("number", [None, errno.EPERM, errno.ENOTSUP])
def test_a_file_gets_a_new_name_unless_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    """Also where there are no hard links; the file keeps its name then, as the other does."""

    def fail(*_: object) -> None:
        raise OSError(number, "no hard links")

    if number is not None:
        monkeypatch.setattr(os, "link", fail)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        disk.rename_new(tmp_path / "a", tmp_path / "b")
    disk.rename_new(tmp_path / "a", tmp_path / "c")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"b": "b", "c": "a"}


@pytest.mark.parametrize(("name", "number"), [("unlink", None), ("replace", errno.EPERM)])
def test_a_file_that_cannot_be_renamed_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int | None
) -> None:
    """Its folder may be read-only. No second name is left."""

    def refuse(*arguments: object) -> None:
        if Path(str(arguments[0])).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        working(*arguments)

    def fail(*_: object) -> None:
        raise OSError(number, "no hard links")

    working = getattr(os, name)
    monkeypatch.setattr(os, name, refuse)
    if number is not None:
        monkeypatch.setattr(os, "link", fail)
    (tmp_path / "a").write_text("a")
    with pytest.raises(PermissionError):
        disk.rename_new(tmp_path / "a", tmp_path / "c")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "a"}


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    with disk.atomic_folder(tmp_path / "new" / "folder") as scratch:
        (scratch / "a").write_bytes(b"a")
        assert not (tmp_path / "new" / "folder").exists()
    assert (tmp_path / "new" / "folder" / "a").read_bytes() == b"a"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_completed_does_not_appear(tmp_path: Path) -> None:

    def interrupted() -> None:
        with disk.atomic_folder(tmp_path / "folder") as scratch:
            (scratch / "a").write_bytes(b"a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_scratch_folders_of_killed_runs_are_deleted_a_day_later(tmp_path: Path) -> None:
    """A recent one of the same name may be in use."""
    for name, age in (("old", 2 * 86400), ("young", 3600)):
        folder = tmp_path / f".o[u]t.{name}.partial"
        folder.mkdir()
        moment = folder.stat().st_mtime - age
        os.utime(folder, (moment, moment))
    with disk.atomic_folder(tmp_path / "o[u]t"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"o[u]t", ".o[u]t.young.partial"}


def test_an_error_of_the_system_says_what_was_attempted() -> None:
    """And what to do, and which setting helps."""
    with (
        pytest.raises(CacheError, match=r"^cannot write a: No space; choose another$") as raised,
        disk.attempt("write a", "choose another", setting="cache"),
    ):
        raise OSError(28, "No space")
    assert raised.value.setting == "cache"


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert disk.sha256(tmp_path / "a") == hashlib.sha256(b"content").hexdigest()
