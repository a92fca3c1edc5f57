"""Where the cache is, also for users without a home folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cache.errors import CacheError
from cache.location import ENVIRONMENT_VARIABLE, cache_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
    assert cache_folder(tmp_path / "chosen") == tmp_path / "chosen"


def test_a_user_without_a_home_folder_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As cron, systemd and containers run commands; no folder called ~ is made."""
    for variable in ("HOME", "XDG_CACHE_HOME", ENVIRONMENT_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_000_660_000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CacheError, match=f"no home folder.*{ENVIRONMENT_VARIABLE}") as raised:
        cache_folder()
    assert raised.value.setting == "cache"
    with pytest.raises(CacheError, match="home directory"):
        cache_folder("~/somewhere")
    assert not list(tmp_path.iterdir())
    assert cache_folder(tmp_path / "chosen").is_dir()
