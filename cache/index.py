"""The index: which row of which shard belongs to which image and recipe.

Every record carries a digest of its own fields, and a row's covers the embedding and the names that
it is found by: a bit that flips in the index is found like one that flips in a shard.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cache.database import marks, portions, seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from cache.database import Database

TABLES = """
CREATE TABLE recipe (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    canonical TEXT NOT NULL
) STRICT;
CREATE TABLE shard (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    shape TEXT NOT NULL,
    dtype TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created REAL NOT NULL,
    used REAL NOT NULL,
    seal BLOB NOT NULL
) STRICT;
CREATE TABLE row (
    recipe INTEGER NOT NULL REFERENCES recipe,
    digest TEXT NOT NULL,
    shard INTEGER NOT NULL REFERENCES shard,
    position INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (recipe, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX row_by_shard ON row (shard, position);
"""


_DANGLING = "shard NOT IN (SELECT id FROM shard) OR recipe NOT IN (SELECT id FROM recipe)"


@dataclass(frozen=True)
class ShardEntry:
    """What the index says of a shard; two recipes with the same numbers share one."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class RowEntry:
    """Where one embedding is: shard, position in it, and its `checksum`."""

    shard: ShardEntry
    position: int
    checksum: bytes


@dataclass(frozen=True)
class NamedRow:
    """A row of a given shard with the names that it is found by."""

    fingerprint: str
    digest: str
    position: int
    checksum: bytes


@dataclass(frozen=True)
class RecipeEntry:
    """What the cache holds of one recipe; times are seconds since 1970."""

    fingerprint: str
    canonical: str
    rows: int
    shards: int
    bytes: int
    first: float
    last: float
    used: float


class Index:
    """Recipes, shards and rows.

    Parameters
    ----------
    database : Database
        With the index's `TABLES`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def locate(self, fingerprint: str, digests: Sequence[str]) -> dict[str, RowEntry]:
        """Return where the embeddings of these images are; those not there are left out."""
        found: dict[str, RowEntry] = {}
        shards: dict[str, ShardEntry] = {}
        with self._database.transaction(write=False) as connection:
            for some in portions(digests):
                rows = connection.execute(
                    f"""SELECT digest, name, shape, dtype, bytes, position, checksum
                    FROM row JOIN shard ON shard.id = row.shard
                    JOIN recipe ON recipe.id = row.recipe
                    WHERE fingerprint = ? AND digest IN ({marks(some)})""",  # noqa: S608 - marks
                    (fingerprint, *some),
                )
                for digest, name, shape, dtype, size, position, check in rows:
                    if name not in shards:
                        shards[name] = _shard(name, shape, dtype, size)
                    found[digest] = RowEntry(shards[name], position, check)
        return found

    def add(
        self,
        fingerprint: str,
        canonical: str,
        shard: ShardEntry,
        rows: Iterable[tuple[str, int, bytes]],
        publish_again: Callable[[], None],
    ) -> None:
        """Name a published shard and its rows `(digest, position, checksum)`, all or nothing.

        Rows that another process has committed in the meantime stay as they are. `publish_again`
        is called with the index locked, to make sure that the file is still there: until it is
        named, another process may delete one with the same bytes.
        """
        now = time.time()
        with self._database.transaction() as connection:
            publish_again()
            connection.execute(
                "INSERT OR IGNORE INTO recipe (fingerprint, canonical) VALUES (?, ?)",
                (fingerprint, canonical),
            )
            (recipe,) = connection.execute(
                "SELECT id FROM recipe WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
            connection.execute(
                """INSERT INTO shard (name, shape, dtype, bytes, created, used, seal)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET used = ?6""",
                (
                    shard.name,
                    json.dumps(shard.shape),
                    shard.dtype,
                    shard.bytes,
                    now,
                    now,
                    seal(shard.name, json.dumps(shard.shape), shard.dtype, shard.bytes),
                ),
            )
            (shard_id,) = connection.execute(
                "SELECT id FROM shard WHERE name = ?", (shard.name,)
            ).fetchone()
            connection.executemany(
                "INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?, ?)",
                [(recipe, digest, shard_id, position, check) for digest, position, check in rows],
            )

    def touch(self, shards: Iterable[ShardEntry]) -> None:
        """Note that these shards are being read now: the least recently used go first."""
        now = time.time()
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE shard SET used = max(used, ?) WHERE name = ?",
                [(now, shard.name) for shard in shards],
            )

    def recipes(self) -> list[RecipeEntry]:
        """Return what there is of each recipe, the latest computed last."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                """SELECT fingerprint, canonical, sum(rows), count(*), sum(bytes),
                    min(created), max(created), max(used)
                FROM (SELECT recipe, shard, count(*) AS rows FROM row GROUP BY recipe, shard)
                JOIN shard ON shard.id = shard JOIN recipe ON recipe.id = recipe
                GROUP BY recipe ORDER BY max(created)"""
            )
            return [RecipeEntry(*row) for row in rows]

    def shards(self) -> list[ShardEntry]:
        """Return every shard that the index names."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute("SELECT name, shape, dtype, bytes FROM shard ORDER BY id")
            return [_shard(*row) for row in rows]

    def shards_by_use(self, fingerprint: str | None = None) -> list[tuple[ShardEntry, float]]:
        """Return shards with the time they were last used, the least recently used first."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                """SELECT name, shape, dtype, bytes, used FROM shard
                WHERE ?1 IS NULL OR id IN (SELECT shard FROM row JOIN recipe
                    ON recipe.id = row.recipe WHERE fingerprint = ?1)
                ORDER BY used, id""",
                (fingerprint,),
            )
            return [(_shard(*fields), used) for *fields, used in rows]

    def rows_of(self, shard: ShardEntry) -> list[NamedRow]:
        """Return every row of a shard, under any recipe."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                """SELECT fingerprint, digest, position, checksum
                FROM row JOIN shard ON shard.id = row.shard JOIN recipe ON recipe.id = row.recipe
                WHERE name = ? ORDER BY position""",
                (shard.name,),
            )
            return [NamedRow(*row) for row in rows]

    def forget_recipe(self, fingerprint: str | None = None) -> list[ShardEntry]:
        """Drop one recipe's rows, or all; return the shards that no row is left in."""
        with self._database.transaction() as connection:
            connection.execute(
                """DELETE FROM row WHERE ?1 IS NULL
                OR recipe = (SELECT id FROM recipe WHERE fingerprint = ?1)""",
                (fingerprint,),
            )
            return _drop_unused(connection)

    def forget_shards(
        self, shards: Iterable[ShardEntry], unless_used_since: float | None = None
    ) -> list[ShardEntry]:
        """Drop shards with their rows; return those dropped.

        A shard that was used at or after `unless_used_since` (seconds since 1970) stays.
        """
        with self._database.transaction() as connection:
            for shard in shards:
                connection.execute(
                    """DELETE FROM row WHERE shard =
                    (SELECT id FROM shard WHERE name = ? AND (?2 IS NULL OR used < ?2))""",
                    (shard.name, unless_used_since),
                )
            return _drop_unused(connection)

    def forget_row(self, row: NamedRow) -> None:
        """Drop one row."""
        with self._database.transaction() as connection:
            connection.execute(
                """DELETE FROM row WHERE digest = ?
                AND recipe = (SELECT id FROM recipe WHERE fingerprint = ?)""",
                (row.digest, row.fingerprint),
            )
            _drop_unused(connection)

    def delete_unnamed(self, names: Iterable[str], delete: Callable[[str], None]) -> None:
        """Delete shard files with the index locked, so that none is named in the same moment."""
        for name in names:
            with self._database.transaction() as connection:
                named = connection.execute("SELECT 1 FROM shard WHERE name = ?", (name,))
                if named.fetchone() is None:
                    delete(name)

    def damaged(self) -> list[str]:
        """Return a sentence for every record that is not as it was written."""
        with self._database.transaction(write=False) as connection:
            recipes = [
                f"recipe {fingerprint[:12]} is not the fingerprint of its own text"
                for _, fingerprint, canonical in connection.execute("SELECT * FROM recipe")
                if _fingerprint(canonical) != fingerprint
            ]
            shards = [
                f"the record of shard {name[:12]} is not what was written"
                for name, *fields, sealed in connection.execute(
                    "SELECT name, shape, dtype, bytes, seal FROM shard"
                )
                if seal(name, *fields) != sealed
            ]
            (dangling,) = connection.execute(
                f"SELECT count(*) FROM row WHERE {_DANGLING}"  # noqa: S608 - a constant
            ).fetchone()
        lost = [f"{dangling} rows name a shard or a recipe that is not there"] if dangling else []
        return recipes + shards + lost

    def forget_damaged(self) -> list[ShardEntry]:
        """Drop the records that `damaged` finds, with their rows; return the shards dropped."""
        with self._database.transaction() as connection:
            for number, fingerprint, canonical in connection.execute(
                "SELECT * FROM recipe"
            ).fetchall():
                if _fingerprint(canonical) != fingerprint:
                    connection.execute("DELETE FROM row WHERE recipe = ?", (number,))
            for number, *fields, sealed in connection.execute(
                "SELECT id, name, shape, dtype, bytes, seal FROM shard"
            ).fetchall():
                if seal(*fields) != sealed:
                    connection.execute("DELETE FROM row WHERE shard = ?", (number,))
            connection.execute(f"DELETE FROM row WHERE {_DANGLING}")  # noqa: S608 - a constant
            return _drop_unused(connection)


def checksum(fingerprint: str, digest: str, row: np.ndarray) -> bytes:
    """Return the SHA-256 of an embedding's bytes together with the names it is found by."""
    found = hashlib.sha256(f"{fingerprint} {digest} ".encode("utf-8", "surrogateescape"))
    found.update(np.ascontiguousarray(row).data)
    return found.digest()


def _drop_unused(connection: sqlite3.Connection) -> list[ShardEntry]:
    """Drop recipes without rows and shards without rows; return these shards."""
    connection.execute("DELETE FROM recipe WHERE id NOT IN (SELECT recipe FROM row)")
    dropped = connection.execute(
        """DELETE FROM shard WHERE id NOT IN (SELECT shard FROM row)
        RETURNING name, shape, dtype, bytes"""
    ).fetchall()
    return [_shard(*row) for row in dropped]


def _shard(name: str, shape: str, dtype: str, size: int) -> ShardEntry:
    return ShardEntry(name, _shape(shape), dtype, size)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(json.loads(text))


def _fingerprint(canonical: str) -> str:
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()
