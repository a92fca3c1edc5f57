"""What the tests of the classifiers share."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

EARLIER = Path(__file__).parents[1] / "data" / "earlier-run"


@pytest.fixture(scope="module")
def earlier_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the run of an earlier version, with its pictures, weights and cache."""
    return Path(shutil.copytree(EARLIER, tmp_path_factory.mktemp("earlier") / "home"))


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch the notes of `classify`."""
    caplog.set_level(logging.INFO, logger="classify")
    return caplog
