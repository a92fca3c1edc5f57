"""What the tests of groups share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract import Dataset, load_dataset
from tests.extract.datasets.grouping.samples import NAMES, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Load with a cache of this test's own."""
    return lambda data, **settings: load_dataset(data, cache=tmp_path / "cache", **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders with three pictures of each of twelve patients."""
    return make(tmp_path / "data", NAMES)
