"""What the tests of `python -m classify.predict` share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def home(earlier_home: Path, tmp_path: Path) -> Path:
    """Return a folder with a run and its pictures, which a test may change."""
    return Path(shutil.copytree(earlier_home, tmp_path / "home"))
