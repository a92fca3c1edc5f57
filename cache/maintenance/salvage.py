"""What can be saved of a damaged cache: good rows of a bad shard, good records of a bad index.

Nothing has to be believed here: a record carries a digest of itself, and a row one of the embedding
and of the names that it is found by.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.errors import CorruptCacheError
from cache.index import checksum, sound_shard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cache.index import NamedRow, ShardEntry
    from cache.store import Store


def good_rows(
    store: Store, shard: ShardEntry, rows: Sequence[NamedRow]
) -> dict[NamedRow, np.ndarray]:
    """Return those rows of a shard that are what was committed, with their embeddings."""
    placed = [row for row in rows if shard.has(row.position)]
    try:
        data = store.shards.read(shard, [row.position for row in placed])
    except CorruptCacheError:
        if len(placed) < 2:
            return {}
        # One row may be cut off; that says nothing of those before it.
        return {row: data for one in placed for row, data in good_rows(store, shard, [one]).items()}
    return {
        row: embedding
        for row, embedding in zip(placed, data, strict=True)
        if checksum(row.fingerprint, row.digest, embedding) == row.checksum
    }


def rescue(store: Store, shard: ShardEntry, good: Mapping[NamedRow, np.ndarray]) -> None:
    """Commit the good rows of a bad shard again, in a shard of their own; drop the others."""
    canonical = {recipe.fingerprint: recipe.canonical for recipe in store.recipes()}
    by_recipe: dict[str, list[NamedRow]] = defaultdict(list)
    for row in good:
        by_recipe[row.fingerprint].append(row)
    old: ShardEntry | None = shard
    for fingerprint, rows in by_recipe.items():
        digests = [row.digest for row in rows]
        data = np.stack([good[row] for row in rows])
        store.append(fingerprint, canonical[fingerprint], digests, data, instead_of=old)
        old = None
    if old is not None:
        store.index.forget_shards([shard])


def salvage(aside: Path, store: Store) -> None:
    """Take over what can still be read of an index that was set aside.

    Parameters
    ----------
    aside : Path
        A damaged database; it stays as it is.
    store : Store
        With a new index. Rows are not compared with their shards here;
        `cache.maintenance.upkeep.verify` does that.
    """
    with contextlib.closing(sqlite3.connect(aside, isolation_level=None)) as old:
        old.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        old.execute("PRAGMA writable_schema = ON")  # reads on where SQLite would otherwise stop
        recipes = {number: names for number, *names in _records(old, "recipe")}
        shards = {number: record for number, *record in _records(old, "shard")}
        rows = _records(old, "row")
        memos = _records(old, "memo")
    wanted: dict[tuple[Any, Any], list[tuple[Any, ...]]] = defaultdict(list)
    for recipe, digest, shard, position, check in rows:
        wanted[recipe, shard].append((digest, position, check))
    for (recipe, number), named in wanted.items():
        shard = sound_shard(shards.get(number))
        if shard is None or recipe not in recipes or not _is_text(*recipes[recipe]):
            continue
        whole = [row for row in named if _is_text(row[0]) and shard.has(row[1])]
        fingerprint, canonical = recipes[recipe]
        store.index.add(fingerprint, canonical, shard, whole, lambda: None)
    store.memo.restore(memos)


def _records(old: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Read a table from both ends, so that one bad page hides no more than itself."""
    found: dict[tuple[Any, ...], None] = {}
    for order in ("1, 2", "1 DESC, 2 DESC"):  # of columns whose names may be damaged
        with contextlib.suppress(sqlite3.Error):
            for record in old.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608
                found[record] = None
    return list(found)


def _is_text(*fields: object) -> bool:
    return all(isinstance(field, str) and field.isprintable() for field in fields)
