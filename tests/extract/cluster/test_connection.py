"""Connections to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask
import pytest

from extract.cluster.connection import connect
from extract.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_workers_that_cannot_start_are_one_error(tmp_path: Path) -> None:
    """As with a full disk for temporary files; the first cause of many errors is named."""
    (tmp_path / "file").touch()
    with (
        dask.config.set({"temporary-directory": str(tmp_path / "file" / "folder")}),
        pytest.raises(ClusterError, match=r"cannot start 1 worker .*Not a directory") as raised,
        connect("local:1"),
    ):
        pass
    assert raised.value.setting == "dask"
