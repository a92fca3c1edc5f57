"""The index: which row of which shard belongs to which image and recipe.

Every record carries a digest of its own fields, and a row's covers the embedding and the names that
it is found by: a bit that flips in the index is found like one that flips in a shard.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.database import marks, portions, seal
from cache.errors import CorruptCacheError

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


_SHARD = "name, shape, dtype, bytes, created, used, seal"
_USED = 5
MEND = "run python -m cache verify --repair, then the same command again"
_DANGLING = "shard NOT IN (SELECT id FROM shard) OR recipe NOT IN (SELECT id FROM recipe)"


@dataclass(frozen=True)
class ShardEntry:
    """What the index says of a shard; two recipes with the same numbers share one."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int

    def has(self, *positions: object) -> bool:
        """Tell whether these are positions of rows; a damaged index may say anything."""
        return all(type(place) is int and 0 <= place < self.shape[0] for place in positions)


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
        """Return where the embeddings of these images are; those not there are left out.

        Their shards are marked as used in the same transaction, so that none can be pruned between
        being found and being read.

        Raises
        ------
        CorruptCacheError
            If the record of a shard is not what was written.
        """
        now = time.time()
        found: dict[str, RowEntry] = {}
        shards: dict[int, ShardEntry] = {}
        with self._database.transaction() as connection:
            # In the order of the table, whose pages are then each read once.
            for some in portions(sorted(set(digests))):
                rows = connection.execute(
                    f"""SELECT digest, shard, position, checksum FROM row
                    WHERE recipe = (SELECT id FROM recipe WHERE fingerprint = ?)
                    AND digest IN ({marks(some)})""",  # noqa: S608 - marks
                    (fingerprint, *some),
                ).fetchall()
                for digest, number, position, check in rows:
                    if number not in shards:
                        shards[number] = _use(connection, number, now)
                    found[digest] = RowEntry(shards[number], position, check)
        return found

    def add(
        self,
        fingerprint: str,
        canonical: str,
        shard: ShardEntry,
        rows: Iterable[tuple[str, int, bytes]],
        publish_again: Callable[[], None],
        instead_of: ShardEntry | None = None,
    ) -> bool:
        """Name a published shard and its rows `(digest, position, checksum)`, all or nothing.

        Rows that another process has committed in the meantime stay as they are; if that is so for
        all of them, the shard is not named, and False is returned. `publish_again`
        is called with the index locked, to make sure that the file is still there: until it is
        named, another process may delete one with the same bytes. The rows of the shard
        `instead_of` are dropped in the same transaction.
        """
        now = time.time()
        with self._database.transaction() as connection:
            publish_again()
            if instead_of is not None:
                connection.execute(
                    "DELETE FROM row WHERE shard = (SELECT id FROM shard WHERE name = ?)",
                    (instead_of.name,),
                )
            connection.execute(
                "INSERT OR IGNORE INTO recipe (fingerprint, canonical) VALUES (?, ?)",
                (fingerprint, canonical),
            )
            (recipe,) = connection.execute(
                "SELECT id FROM recipe WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
            record = (shard.name, json.dumps(shard.shape), shard.dtype, shard.bytes, now, now)
            connection.execute(
                f"""INSERT INTO shard ({_SHARD}) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET shape = ?2, dtype = ?3, bytes = ?4,
                created = ?5, used = ?6, seal = ?7""",  # noqa: S608 - a constant
                (*record, seal(*record)),
            )
            (shard_id,) = connection.execute(
                "SELECT id FROM shard WHERE name = ?", (shard.name,)
            ).fetchone()
            connection.executemany(
                "INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?, ?)",
                [(recipe, digest, shard_id, position, check) for digest, position, check in rows],
            )
            unused = connection.execute(
                "DELETE FROM shard WHERE id = ?1 AND ?1 NOT IN (SELECT shard FROM row "
                "WHERE shard = ?1)",
                (shard_id,),
            )
            if instead_of is not None:
                _drop_unused(connection)
            return not unused.rowcount

    def recipes(self) -> list[RecipeEntry]:
        """Return what there is of each recipe, the latest computed last.

        Raises
        ------
        CorruptCacheError
            If a record is not what was written.
        """
        for problem in self.damaged():
            raise CorruptCacheError(f"the cache index is damaged: {problem}; {MEND}")
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
        """Return every shard that the index names, except for those in `damaged` records."""
        with self._database.transaction(write=False) as connection:
            records = connection.execute(f"SELECT {_SHARD} FROM shard ORDER BY id")  # noqa: S608
            return [_entry(record) for record in records if _is_sound(record)]

    def shards_by_use(self, fingerprint: str | None = None) -> list[tuple[ShardEntry, float]]:
        """Return shards with the time they were last used, the least recently used first."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                f"""SELECT {_SHARD} FROM shard
                WHERE ?1 IS NULL OR id IN (SELECT shard FROM row JOIN recipe
                    ON recipe.id = row.recipe WHERE fingerprint = ?1)
                ORDER BY used, id""",  # noqa: S608 - a constant
                (fingerprint,),
            )
            return [(_entry(record), record[_USED]) for record in rows if _is_sound(record)]

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

    def forget_row(self, shard: ShardEntry, row: NamedRow) -> None:
        """Drop one row of a shard."""
        with self._database.transaction() as connection:
            # Not by its names, which may be no text any more.
            connection.execute(
                """DELETE FROM row WHERE shard = (SELECT id FROM shard WHERE name = ?)
                AND position IS ? AND checksum IS ?""",
                (shard.name, row.position, row.checksum),
            )
            _drop_unused(connection)

    def is_lost(self, name: str, intact: Callable[[], bool]) -> bool:
        """Return whether a shard is named but not intact, looking with the index locked.

        Otherwise another process might just be deleting it, or publishing it again.
        """
        with self._database.transaction() as connection:
            named = connection.execute("SELECT 1 FROM shard WHERE name = ?", (name,)).fetchone()
            return named is not None and not intact()

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
                f"recipe {fingerprint!r:.14} is not the fingerprint of its own text"
                for _, fingerprint, canonical in connection.execute("SELECT * FROM recipe")
                if _fingerprint(canonical) != fingerprint
            ]
            shards = [
                f"the record of shard {record[0]!r:.14} is not what was written"
                for record in connection.execute(f"SELECT {_SHARD} FROM shard")  # noqa: S608
                if not _is_sound(record)
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
            for number, *record in connection.execute(
                f"SELECT id, {_SHARD} FROM shard"  # noqa: S608 - a constant
            ).fetchall():
                if not _is_sound(record):
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
        f"""DELETE FROM shard WHERE id NOT IN (SELECT shard FROM row)
        RETURNING {_SHARD}"""  # noqa: S608 - a constant
    ).fetchall()
    return [_entry(record) for record in dropped if _is_sound(record)]


def _use(connection: sqlite3.Connection, number: int, now: float) -> ShardEntry:
    """Mark a shard as used now and return it."""
    record = connection.execute(
        f"SELECT {_SHARD} FROM shard WHERE id = ?",  # noqa: S608 - a constant
        (number,),
    ).fetchone()
    if record is None or not _is_sound(record):
        raise CorruptCacheError(f"the cache index's record of a shard is damaged; {MEND}")
    fields = (*record[:_USED], max(now, record[_USED]))
    connection.execute(
        "UPDATE shard SET used = ?, seal = ? WHERE id = ?", (fields[_USED], seal(*fields), number)
    )
    return _entry(record)


def sound_shard(record: Sequence[Any] | None) -> ShardEntry | None:
    """Return the shard that a record of the table speaks of, if it is as it was written."""
    return _entry(record) if record is not None and _is_sound(record) else None


def _is_sound(record: Sequence[Any]) -> bool:
    """Tell whether the record of a shard is one that was written here.

    An index from elsewhere may have good seals; its names must not lead out of the folder.
    """
    *fields, sealed = record
    return bool(seal(*fields) == sealed and re.fullmatch("[0-9a-f]{64}", str(fields[0])))


def _entry(record: Sequence[Any]) -> ShardEntry:
    name, shape, dtype, size = record[:4]
    return ShardEntry(name, tuple(json.loads(shape)), dtype, size)


def _fingerprint(canonical: object) -> str:
    return hashlib.sha256(str(canonical).encode("utf-8", "surrogateescape")).hexdigest()
