"""What unpacking leaves after an error, an interruption or damage."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.datasets.sources.archive import check_archive, unpack
from extract.errors import ArchiveError
from tests.extract.datasets.sources.zip_samples import GOOD, make

if TYPE_CHECKING:
    from pathlib import Path


def test_an_error_of_the_system_leaves_nothing(tmp_path: Path, place: Path) -> None:
    """A folder that cannot be written is one error."""
    (place / "file").touch()
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(make(tmp_path / "a.zip", GOOD), place / "file" / "out")
    assert [path.name for path in place.iterdir()] == ["file"]


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, place: Path) -> None:
    """Nothing is left after an interruption."""

    def stop(stage: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(make(tmp_path / "a.zip", GOOD), place / "out", progress=stop)
    assert list(place.iterdir()) == []


def test_the_files_are_on_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut right after unpacking leaves no empty images under the final name."""
    synced: dict[int, bool] = {}
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced[os.fstat(descriptor).st_ino] = (place / "out").exists()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    unpack(make(tmp_path / "a.zip", GOOD), place / "out")
    below = {path.stat().st_ino for path in (place / "out").rglob("*")}
    assert {inode for inode, named in synced.items() if not named} >= below
    assert synced[place.stat().st_ino]


def test_a_folder_with_files_is_not_replaced(tmp_path: Path, place: Path) -> None:
    """Its files are not changed."""
    (place / "out").mkdir()
    (place / "out/mine.txt").write_text("mine")
    with pytest.raises(ArchiveError):
        unpack(make(tmp_path / "a.zip", GOOD), place / "out")
    assert [path.name for path in place.rglob("*")] == ["out", "mine.txt"]


BUFFER = io.BytesIO()
make(BUFFER, GOOD, zipfile.ZIP_DEFLATED)
SAMPLE = BUFFER.getvalue()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=6
    )
)
def test_damage_raises_no_other_error(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    """An archive with overwritten bytes is unpacked or refused; no other error is raised."""
    data = bytearray(SAMPLE)
    for at, value in changes:
        data[at] = value
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    raised: Exception | None = None
    try:
        check_archive(path)
    except Exception as error:  # noqa: BLE001 - which one it may be is what is tested
        raised = error
    assert raised is None or isinstance(raised, ArchiveError)
