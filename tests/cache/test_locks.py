"""Locks between processes, and the leases of running commands."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import filelock
import pytest

from cache.locks import Lease, claimed, locked

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["locks", "no locks"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test also where the system has no file locks."""
    if request.param == "no locks":

        def lacking(*_: object, **__: object) -> bool:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(filelock, "lock_descriptor", lacking)
    return str(request.param)


def test_a_lock_file_is_gone_afterwards(tmp_path: Path, kind: str) -> None:
    with locked(tmp_path / "a.lock"):
        assert (tmp_path / "a.lock").is_file()
    assert not list(tmp_path.iterdir())


def test_a_lease_says_since_when_a_command_runs(tmp_path: Path, kind: str) -> None:
    started = time.time()
    lease = Lease(tmp_path)
    assert Lease.oldest(tmp_path, exclude=lease) is None
    oldest = Lease.oldest(tmp_path)
    assert oldest is not None
    assert started - 1 <= oldest <= time.time()
    lease._release()
    assert not list(tmp_path.iterdir())


def test_the_lease_of_a_process_that_has_ended_is_deleted(tmp_path: Path, kind: str) -> None:
    """Its lock tells; without locks, its age."""
    left = tmp_path / "999-abc"
    left.touch()
    if kind == "no locks":
        assert Lease.oldest(tmp_path) is not None
        os.utime(left, (1e9, 1e9))
    assert Lease.oldest(tmp_path) is None
    assert not left.exists()


def test_a_file_is_claimed_by_one_command(tmp_path: Path, kind: str) -> None:
    """The second one is told so at once, and can claim it later."""
    path = tmp_path / "a.lock"
    with claimed(path) as first, claimed(path) as second:
        assert (first, second) == (True, False)
    assert not path.exists()
    with claimed(path) as again:
        assert again


def test_what_a_killed_command_has_claimed_is_free(tmp_path: Path) -> None:
    """The system has released its lock."""
    (tmp_path / "a.lock").touch()
    with claimed(tmp_path / "a.lock") as is_held:
        assert is_held
