"""Repair keeps what is intact: rows of a damaged shard, records of a damaged index."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cache import CorruptCacheError, Store
from cache.cli import main
from cache.maintenance.upkeep import verify
from toolkit.addresses import FileState

if TYPE_CHECKING:
    from pathlib import Path

CANONICAL = json.dumps({"backbone": "one"})
F = hashlib.sha256(CANONICAL.encode()).hexdigest()
ROWS = np.arange(3 * 40, dtype=np.float32).reshape(3, 40)
DIGESTS = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(3)]
STATE = FileState(1, 10**18, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = Store(tmp_path)
    store.append(F, CANONICAL, DIGESTS, ROWS)
    store.memo.remember({b"/a.jpg": (STATE, DIGESTS[0])})
    return tmp_path


def repair(folder: Path) -> int:
    return main(["verify", "--repair", "--quiet", "--cache", str(folder)])


def change(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def test_intact_rows_of_a_damaged_shard_stay(folder: Path) -> None:
    """Only the row with the flipped bit is computed again."""
    (path,) = (folder / "shards").glob("*.npy")
    change(path, ROWS[1].tobytes(), (ROWS[1] + 1).tobytes())
    assert repair(folder) == 0
    store = Store(folder)
    assert store.missing(F, DIGESTS) == [DIGESTS[1]]
    assert np.array_equal(store.read(F, [DIGESTS[0], DIGESTS[2]]), ROWS[[0, 2]])
    assert verify(store).problems == []
    assert not path.exists()


def test_a_damaged_header_loses_no_row(folder: Path) -> None:
    """The rows are intact, so the shard is written again unchanged."""
    (path,) = (folder / "shards").glob("*.npy")
    change(path, b"NUMPY", b"NUMPX")
    assert repair(folder) == 0
    store = Store(folder)
    assert np.array_equal(store.read(F, DIGESTS), ROWS)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_rows_before_the_cut_stay(folder: Path) -> None:
    """The complete rows of a truncated file are kept."""
    (path,) = (folder / "shards").glob("*.npy")
    path.write_bytes(path.read_bytes()[:-200])
    assert repair(folder) == 0
    store = Store(folder)
    assert store.missing(F, DIGESTS) == DIGESTS[1:]
    assert np.array_equal(store.read(F, DIGESTS[:1]), ROWS[:1])


def damage_order(index: Path) -> None:
    """Make the tables of the index contradict each other."""
    with contextlib.closing(sqlite3.connect(index)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        text = "CREATE INDEX row_by_shard ON row (shard, position, checksum)"
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'row_by_shard'", (text,))
        connection.commit()


def damage_application(index: Path) -> None:
    """Flip a bit of the number that identifies the database."""
    data = bytearray(index.read_bytes())
    data[68] ^= 1
    index.write_bytes(data)


def damage_page(index: Path) -> None:
    """Cut off the last page."""
    index.write_bytes(index.read_bytes()[:-4096])


@pytest.mark.parametrize("damage", [damage_order, damage_application, damage_page])
def test_intact_records_of_a_damaged_index_stay(folder: Path, damage) -> None:
    """A new index gets what can be read; the old one is renamed."""
    damage(folder / "index.sqlite")
    assert main(["verify", "--quiet", "--cache", str(folder)]) == 2
    assert repair(folder) == 0
    assert len(list(folder.glob("index.damaged-*.sqlite"))) == 1
    store = Store(folder)
    assert np.array_equal(store.read(F, DIGESTS), ROWS)
    assert verify(store).problems == []
    if damage is not damage_page:
        assert store.memo.recall({b"/a.jpg": STATE}) == {b"/a.jpg": DIGESTS[0]}


@pytest.mark.parametrize("column", ["digest", "position", "checksum", "shard", "recipe"])
def test_a_changed_record_of_a_row_is_dropped_alone(folder: Path, column: str) -> None:
    """The checksum of a row covers its fields in the index."""
    values = {"digest": "f" * 64, "position": 2, "checksum": b"x", "shard": 9, "recipe": 9}
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as connection:
        connection.execute(f"UPDATE row SET {column} = ? WHERE digest = ?",
                           (values[column], DIGESTS[0]))  # fmt: skip
        connection.commit()
    with pytest.raises(OSError, match=r"cache repair|python -m extract"):
        Store(folder).read(F, DIGESTS)
    assert len(verify(Store(folder)).problems) == 1
    assert repair(folder) == 0
    store = Store(folder)
    assert store.missing(F, DIGESTS) == DIGESTS[:1]
    assert np.array_equal(store.read(F, DIGESTS[1:]), ROWS[1:])
    assert verify(store).problems == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("shape", "[3, 41]"), ("dtype", "<i4"), ("bytes", 5), ("created", 1.0), ("used", 1.0)],
)
def test_a_changed_record_of_a_shard_is_found(folder: Path, column: str, value: object) -> None:
    """It is not used when a row is read, and a repair drops it."""
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as connection:
        connection.execute(f"UPDATE shard SET {column} = ?", (value,))
        connection.commit()
    store = Store(folder)
    with pytest.raises(CorruptCacheError, match="python -m cache repair"):
        store.read(F, DIGESTS)
    with pytest.raises(CorruptCacheError, match="python -m cache repair"):
        store.recipes()
    assert repair(folder) == 0
    assert Store(folder).missing(F, DIGESTS) == DIGESTS


def test_a_lost_index_is_found(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """An empty file in its place is a valid database, but there are shards beside it."""
    (folder / "index.sqlite").write_bytes(b"")
    assert main(["verify", "--cache", str(folder)]) == 2
    assert "was empty or missing" in capsys.readouterr().err
    assert Store(folder).missing(F, DIGESTS) == DIGESTS


def test_a_hostile_index_leads_to_no_file_outside(folder: Path) -> None:
    """The name of a shard must be a SHA-256, even if its record has a correct digest."""
    store = Store(folder)
    (entry,) = store.index.shards()
    outside = type(entry)("../../outside", entry.shape, entry.dtype, entry.bytes)
    store.index.add(F, CANONICAL, outside, [("e" * 64, 0, b"x")], lambda: None)
    with pytest.raises(CorruptCacheError, match="shard's record in the cache index is damaged"):
        store.read(F, ["e" * 64])
    assert len(verify(store, repair=True).problems) == 1
    assert np.array_equal(store.read(F, DIGESTS), ROWS)
