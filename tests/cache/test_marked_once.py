"""A process marks a shard as used once, so that processes that read a cache do not wait in turn."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import numpy as np

from cache.store import Store

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [f"{i:064x}" for i in range(3)]


def filled(folder: Path) -> Store:
    store = Store(folder)
    store.append("f", "{}", KEYS[:2], np.ones((2, 4), np.float32))
    store.append("f", "{}", KEYS[2:], np.zeros((1, 4), np.float32))
    return store


def used(folder: Path) -> list[float]:
    with sqlite3.connect(folder / "index.sqlite") as connection:
        return [time for (time,) in connection.execute("SELECT used FROM shard ORDER BY id")]


def test_each_shard_is_marked_at_its_first_use(tmp_path: Path) -> None:
    """Not at the second one; another shard is, and so it is by another process's store."""
    filled(tmp_path)
    before = used(tmp_path)
    store = Store(tmp_path)
    store.read("f", KEYS[:1])
    first = used(tmp_path)
    assert first[0] > before[0]
    assert first[1] == before[1]
    store.read("f", KEYS[1:2])
    assert used(tmp_path) == first
    store.read("f", KEYS)
    assert used(tmp_path)[0] == first[0]
    assert used(tmp_path)[1] > first[1]
    Store(tmp_path).read("f", KEYS[:1])
    assert used(tmp_path)[0] > first[0]


def test_a_read_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    """Once its shards are marked."""
    store = filled(tmp_path)
    store.read("f", KEYS)
    writer = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    read = threading.Thread(target=store.read, args=("f", KEYS))
    read.start()
    read.join(timeout=10)
    writer.execute("ROLLBACK")
    writer.close()
    assert not read.is_alive()
