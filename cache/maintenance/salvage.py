"""Save what is intact of a damaged cache: rows of a damaged shard, records of a damaged index.

Everything is verified: a record has a digest of its own fields, and a row one of the embedding with
its recipe and image.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import CorruptCacheError
from cache.index import checksum, parse_shard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cache.entries import NamedRow, ShardEntry
    from cache.store import Store


def intact_rows(
    store: Store, shard: ShardEntry, rows: Sequence[NamedRow]
) -> dict[NamedRow, np.ndarray]:
    """Return the undamaged rows of a shard with their embeddings."""
    placed = [row for row in rows if shard.has_rows(row.position)]
    try:
        data = store.shards.read(shard, [row.position for row in placed])
    except CorruptCacheError:
        if len(placed) < 2:
            return {}
        # The file may be truncated; the rows before its end can still be read one by one.
        one_by_one = (intact_rows(store, shard, [row]) for row in placed)
        return {row: embedding for rows in one_by_one for row, embedding in rows.items()}
    return {
        row: embedding
        for row, embedding in zip(placed, data, strict=True)
        if checksum(row.fingerprint, row.digest, embedding) == row.checksum
    }


def replace_shard(store: Store, shard: ShardEntry, intact: Mapping[NamedRow, np.ndarray]) -> None:
    """Commit the intact rows of a damaged shard as a new shard; drop the others."""
    canonical = {recipe.fingerprint: recipe.canonical for recipe in store.recipes()}
    by_recipe: dict[str, list[NamedRow]] = defaultdict(list)
    for row in intact:
        by_recipe[row.fingerprint].append(row)
    old: ShardEntry | None = shard
    for fingerprint, rows in by_recipe.items():
        digests = [row.digest for row in rows]
        data = np.stack([intact[row] for row in rows])
        store.append(fingerprint, canonical[fingerprint], digests, data, replaces=old)
        old = None
    if old is not None:
        store.index.drop_shards([shard])


def salvage(damaged: Path, store: Store) -> None:
    """Copy the readable records of a damaged index into a new one.

    Parameters
    ----------
    damaged : Path
        The damaged database; it is not changed.
    store : Store
        Has a new index. Rows are not compared with their shards here;
        `cache.maintenance.upkeep.verify` does that.
    """
    with contextlib.closing(sqlite3.connect(damaged, isolation_level=None)) as old:
        old.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        old.execute("PRAGMA writable_schema = ON")  # continues where SQLite would stop
        recipes = {number: names for number, *names in _records(old, "recipe")}
        shards = {number: record for number, *record in _records(old, "shard")}
        rows = _records(old, "row")
        memos = _records(old, "memo")
    by_shard: dict[tuple[Any, Any], list[tuple[Any, ...]]] = defaultdict(list)
    for recipe, digest, shard, position, check in rows:
        by_shard[recipe, shard].append((digest, position, check))
    for (recipe, number), entries in by_shard.items():
        shard = parse_shard(shards.get(number))
        if shard is None or recipe not in recipes or not _is_text(*recipes[recipe]):
            continue
        intact = [row for row in entries if _is_text(row[0]) and shard.has_rows(row[1])]
        fingerprint, canonical = recipes[recipe]
        store.index.add(fingerprint, canonical, shard, intact, lambda: None)
    store.memo.restore(memos)


def _records(old: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Read a table from both ends, so that one damaged page hides no more than itself."""
    records: dict[tuple[Any, ...], None] = {}
    for order in (
        "1, 2",
        "1 DESC, 2 DESC",
    ):  # by number, because the names of the columns may be damaged
        with contextlib.suppress(sqlite3.Error):
            for record in old.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608
                records[record] = None
    return list(records)


def _is_text(*fields: object) -> bool:
    return all(isinstance(field, str) and field.isprintable() for field in fields)
