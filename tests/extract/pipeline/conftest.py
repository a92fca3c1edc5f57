"""An empty store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cache import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")
