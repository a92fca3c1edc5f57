"""The index: which row of which shard belongs to which image and recipe.

Every record has a digest of its own fields; that of a row also covers the embedding. So a flipped
bit is detected in the index as well as in a shard.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cache.database import batches, placeholders, record_digest
from cache.entries import NamedRow, RecipeEntry, RowEntry, ShardEntry
from cache.errors import REPAIR_HINT, CorruptCacheError
from toolkit.wording import plural

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
_USED = 5  # place of `used` among the columns
_DANGLING = "shard NOT IN (SELECT id FROM shard) OR recipe NOT IN (SELECT id FROM recipe)"


class Index:
    """Recipes, shards and rows.

    Parameters
    ----------
    database : Database
        Contains the `TABLES` of the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._marked: set[int] = set()

    def locate(self, fingerprint: str, digests: Sequence[str]) -> dict[str, RowEntry]:
        """Return where the embeddings of images are; images without one are left out.

        Their shards are marked as used in the same transaction, once by each process, so that none
        can be pruned while the process runs.

        Parameters
        ----------
        fingerprint : str
            The recipe.
        digests : sequence of str
            SHA-256 of the image files.

        Returns
        -------
        dict from str to RowEntry
            By digest.

        Raises
        ------
        CorruptCacheError
            If the record of a shard is damaged.
        """
        # What this process has marked before is safe. It need not be written again, for which
        # other processes would have to wait.
        if self._marked:
            with self._database.transaction(write=False) as connection:
                located, shards = _located(connection, fingerprint, digests)
            if shards <= self._marked:
                return located
        now = time.time()
        with self._database.transaction() as connection:
            located, shards = _located(connection, fingerprint, digests)
            for number in shards - self._marked:
                _mark_used(connection, number, now)
        self._marked |= shards
        return located

    def add(
        self,
        fingerprint: str,
        canonical: str,
        shard: ShardEntry,
        rows: Iterable[tuple[str, int, bytes]],
        ensure_published: Callable[[], None],
        replaces: ShardEntry | None = None,
    ) -> bool:
        """Add a published shard and its rows in one transaction.

        Parameters
        ----------
        fingerprint, canonical : str
            The recipe.
        shard : ShardEntry
            The shard.
        rows : iterable of (str, int, bytes)
            Digest, position and checksum. Rows that another process has committed in the meantime
            stay as they are.
        ensure_published : callable
            Is called with the index locked. It makes sure that the file still exists: until the
            index names it, another process may delete a shard with the same bytes.
        replaces : ShardEntry, default=None
            A shard whose rows are dropped in the same transaction.

        Returns
        -------
        bool
            Whether the shard was added. It is not if none of its rows was.
        """
        now = time.time()
        with self._database.transaction() as connection:
            ensure_published()
            if replaces is not None:
                connection.execute(
                    "DELETE FROM row WHERE shard = (SELECT id FROM shard WHERE name = ?)",
                    (replaces.name,),
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
                (*record, record_digest(*record)),
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
            if replaces is not None:
                _drop_unused(connection)
            return not unused.rowcount

    def recipes(self) -> list[RecipeEntry]:
        """Return what the cache contains of each recipe, the latest computed last.

        Raises
        ------
        CorruptCacheError
            If a record is damaged.
        """
        for problem in self.find_damage():
            raise CorruptCacheError(f"the cache index is damaged: {problem}; {REPAIR_HINT}")
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
        """Return all shards of the index, without those whose record is damaged."""
        with self._database.transaction(write=False) as connection:
            records = connection.execute(f"SELECT {_SHARD} FROM shard ORDER BY id")  # noqa: S608
            return [_entry(record) for record in records if _is_intact(record)]

    def shards_by_use(self, fingerprint: str | None = None) -> list[tuple[ShardEntry, float]]:
        """Return shards and the time of their last use, the least recently used first."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                f"""SELECT {_SHARD} FROM shard
                WHERE ?1 IS NULL OR id IN (SELECT shard FROM row JOIN recipe
                    ON recipe.id = row.recipe WHERE fingerprint = ?1)
                ORDER BY used, id""",  # noqa: S608 - a constant
                (fingerprint,),
            )
            return [(_entry(record), record[_USED]) for record in rows if _is_intact(record)]

    def rows_of(self, shard: ShardEntry) -> list[NamedRow]:
        """Return all rows of a shard, under all recipes."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute(
                """SELECT fingerprint, digest, position, checksum
                FROM row JOIN shard ON shard.id = row.shard JOIN recipe ON recipe.id = row.recipe
                WHERE name = ? ORDER BY position""",
                (shard.name,),
            )
            return [NamedRow(*row) for row in rows]

    def drop_recipe(self, fingerprint: str | None = None) -> list[ShardEntry]:
        """Drop the rows of one recipe, or of all; return the shards without remaining rows."""
        with self._database.transaction() as connection:
            connection.execute(
                """DELETE FROM row WHERE ?1 IS NULL
                OR recipe = (SELECT id FROM recipe WHERE fingerprint = ?1)""",
                (fingerprint,),
            )
            return _drop_unused(connection)

    def drop_shards(
        self, shards: Iterable[ShardEntry], unless_used_since: float | None = None
    ) -> list[ShardEntry]:
        """Drop shards and their rows; return the dropped shards.

        Shards that were used at or after `unless_used_since` (seconds since 1970) stay.
        """
        with self._database.transaction() as connection:
            for shard in shards:
                connection.execute(
                    """DELETE FROM row WHERE shard =
                    (SELECT id FROM shard WHERE name = ? AND (?2 IS NULL OR used < ?2))""",
                    (shard.name, unless_used_since),
                )
            return _drop_unused(connection)

    def drop_row(self, shard: ShardEntry, row: NamedRow) -> None:
        """Drop one row of a shard."""
        with self._database.transaction() as connection:
            # Not by recipe and image, because damaged text might not match.
            connection.execute(
                """DELETE FROM row WHERE shard = (SELECT id FROM shard WHERE name = ?)
                AND position IS ? AND checksum IS ?""",
                (shard.name, row.position, row.checksum),
            )
            _drop_unused(connection)

    def is_lost(self, name: str, intact: Callable[[], bool]) -> bool:
        """Return whether the index names a shard that is not intact.

        The index is locked meanwhile, so that no other process deletes or publishes the shard.
        """
        with self._database.transaction() as connection:
            named = connection.execute("SELECT 1 FROM shard WHERE name = ?", (name,)).fetchone()
            return named is not None and not intact()

    def delete_unnamed(self, names: Iterable[str], delete: Callable[[str], None]) -> None:
        """Delete shard files that the index does not name; the index is locked meanwhile."""
        for name in names:
            with self._database.transaction() as connection:
                named = connection.execute("SELECT 1 FROM shard WHERE name = ?", (name,))
                if named.fetchone() is None:
                    delete(name)

    def find_damage(self) -> list[str]:
        """Return a sentence for each damaged record."""
        with self._database.transaction(write=False) as connection:
            recipes = [
                f"recipe {fingerprint!r:.14} is damaged: its fingerprint does not match its text"
                for _, fingerprint, canonical in connection.execute("SELECT * FROM recipe")
                if _fingerprint(canonical) != fingerprint
            ]
            shards = [
                f"the record of shard {record[0]!r:.14} is damaged"
                for record in connection.execute(f"SELECT {_SHARD} FROM shard")  # noqa: S608
                if not _is_intact(record)
            ]
            (dangling,) = connection.execute(
                f"SELECT count(*) FROM row WHERE {_DANGLING}"  # noqa: S608 - a constant
            ).fetchone()
        rows = [f"{plural(dangling, 'row')} without a shard or a recipe"] if dangling else []
        return recipes + shards + rows

    def drop_damaged(self) -> list[ShardEntry]:
        """Drop the records that `find_damage` finds, and their rows; return the dropped shards."""
        with self._database.transaction() as connection:
            for number, fingerprint, canonical in connection.execute(
                "SELECT * FROM recipe"
            ).fetchall():
                if _fingerprint(canonical) != fingerprint:
                    connection.execute("DELETE FROM row WHERE recipe = ?", (number,))
            for number, *record in connection.execute(
                f"SELECT id, {_SHARD} FROM shard"  # noqa: S608 - a constant
            ).fetchall():
                if not _is_intact(record):
                    connection.execute("DELETE FROM row WHERE shard = ?", (number,))
            connection.execute(f"DELETE FROM row WHERE {_DANGLING}")  # noqa: S608 - a constant
            return _drop_unused(connection)


def checksum(fingerprint: str, digest: str, row: np.ndarray) -> bytes:
    """Return the SHA-256 of an embedding's bytes together with its recipe and image."""
    sha256 = hashlib.sha256(f"{fingerprint} {digest} ".encode("utf-8", "surrogateescape"))
    sha256.update(np.ascontiguousarray(row).data)
    return sha256.digest()


def _drop_unused(connection: sqlite3.Connection) -> list[ShardEntry]:
    """Drop recipes and shards without rows; return the dropped shards."""
    connection.execute("DELETE FROM recipe WHERE id NOT IN (SELECT recipe FROM row)")
    dropped = connection.execute(
        f"""DELETE FROM shard WHERE id NOT IN (SELECT shard FROM row)
        RETURNING {_SHARD}"""  # noqa: S608 - a constant
    ).fetchall()
    return [_entry(record) for record in dropped if _is_intact(record)]


def _located(
    connection: sqlite3.Connection, fingerprint: str, digests: Sequence[str]
) -> tuple[dict[str, RowEntry], set[int]]:
    """Return where the embeddings of images are, and the numbers of their shards."""
    located: dict[str, RowEntry] = {}
    shards: dict[int, ShardEntry] = {}
    # In the order of the table, so that each of its pages is read once.
    for batch in batches(sorted(set(digests))):
        rows = connection.execute(
            f"""SELECT digest, shard, position, checksum FROM row
            WHERE recipe = (SELECT id FROM recipe WHERE fingerprint = ?)
            AND digest IN ({placeholders(batch)})""",  # noqa: S608 - placeholders
            (fingerprint, *batch),
        ).fetchall()
        for digest, number, position, check in rows:
            if number not in shards:
                shards[number] = _entry(_shard_record(connection, number))
            located[digest] = RowEntry(shards[number], position, check)
    return located, set(shards)


def _shard_record(connection: sqlite3.Connection, number: int) -> Sequence[Any]:
    record: Sequence[Any] | None = connection.execute(
        f"SELECT {_SHARD} FROM shard WHERE id = ?",  # noqa: S608 - a constant
        (number,),
    ).fetchone()
    if record is None or not _is_intact(record):
        raise CorruptCacheError(f"a shard's record in the cache index is damaged; {REPAIR_HINT}")
    return record


def _mark_used(connection: sqlite3.Connection, number: int, now: float) -> None:
    """Set the time of the last use of a shard."""
    record = _shard_record(connection, number)
    fields = (*record[:_USED], max(now, record[_USED]))
    connection.execute(
        "UPDATE shard SET used = ?, seal = ? WHERE id = ?",
        (fields[_USED], record_digest(*fields), number),
    )


def parse_shard(record: Sequence[Any] | None) -> ShardEntry | None:
    """Return the shard of a record of the table; None if the record is missing or damaged."""
    return _entry(record) if record is not None and _is_intact(record) else None


def _is_intact(record: Sequence[Any]) -> bool:
    """Tell whether the record of a shard is undamaged and its name is that of a shard.

    A forged index may have correct digests, but its names must not lead out of the folder.
    """
    *fields, digest = record
    is_name = re.fullmatch("[0-9a-f]{64}", str(fields[0]))
    return bool(record_digest(*fields) == digest and is_name)


def _entry(record: Sequence[Any]) -> ShardEntry:
    name, shape, dtype, size = record[:4]
    return ShardEntry(name, tuple(json.loads(shape)), dtype, size)


def _fingerprint(canonical: object) -> str:
    return hashlib.sha256(str(canonical).encode("utf-8", "surrogateescape")).hexdigest()
