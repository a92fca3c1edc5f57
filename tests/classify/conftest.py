"""What the tests of the classifiers share."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def notes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """Catch the notes of `classify`, also where a command line has taken them for itself."""
    monkeypatch.setattr(logging.getLogger("classify"), "propagate", True)
    caplog.set_level(logging.INFO, logger="classify")
    return caplog
