"""Presets of KerasHub, each written once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.extract.backbones.hub.networks import SIDE, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that returns the folder of a preset, which must not be changed."""
    made: dict[tuple[str, int | None], Path] = {}

    def saved(family: str = "DINOV2", side: int | None = SIDE) -> Path:
        if (family, side) not in made:
            made[family, side] = save(tmp_path_factory.mktemp(family), family, side=side)
        return made[family, side]

    return saved


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder that remembers which presets have been checked."""
    return tmp_path_factory.mktemp("cache")
