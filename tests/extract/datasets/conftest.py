"""Fixtures for the tests of downloads and sources: servers, folders and a cache."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from extract.datasets.sources import download
from tests.extract import file_server, misbehaving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only a millisecond before the next attempt."""
    monkeypatch.setattr(download, "BACKOFF", 0.001)


@pytest.fixture
def server() -> Iterator[misbehaving.Server]:
    """Start a server of one file that misbehaves as the test demands."""
    with misbehaving.serving() as server:
        yield server


@pytest.fixture
def lesson(tmp_path: Path) -> Iterator[file_server.Server]:
    """Serve four small zip files of the lesson's layout."""
    with file_server.serving(file_server.make_lesson(tmp_path / "served")) as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """Yield an address where nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the file of a download, in a folder that does not exist yet."""
    return tmp_path / "kept" / "pets.zip"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache folder that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder that contains nothing but what unpacking leaves in it."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder
