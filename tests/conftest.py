"""What the tests of several packages share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import LocalCluster


@pytest.fixture(scope="session")
def workers() -> Iterator[LocalCluster]:
    """Two Dask workers of one thread each, whom a nanny starts again when they are killed."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster
