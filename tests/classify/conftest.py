"""What the tests of the classifiers share."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch the notes of `classify`."""
    caplog.set_level(logging.INFO, logger="classify")
    return caplog
