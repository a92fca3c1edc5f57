"""What the tests of the reports share."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "frozen_features"


@pytest.fixture(autouse=True, scope="package")
def declared_entry_points() -> Iterator[None]:
    """Let pages find what `pyproject.toml` declares, whatever version is installed."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    declared = tomllib.loads(text)["project"]["entry-points"][GROUP]
    points = EntryPoints(EntryPoint(name, value, GROUP) for name, value in declared.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.pages.thumbnails.entry_points", points.select)
        yield
