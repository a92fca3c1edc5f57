"""The SQLite index: which row of which shard belongs to which image and recipe.

The journal is SQLite's rollback journal, not the write-ahead log: it is safe on network folders,
leaves one file that can be copied, and at a commit every few seconds its cost does not show.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache.errors import CacheError, CacheSchemaError, CorruptCacheError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SCHEMA = 1
_APPLICATION_ID = 0x46464331  # "FFC1": lets `file` and us tell the index from another database
_SECONDS_TO_WAIT_FOR_A_LOCK = 60.0
_NAMES_PER_QUERY = 900  # below the smallest limit on parameters that SQLite is built with

_TABLES = """
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
    created REAL NOT NULL
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
CREATE TABLE memo (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True)
class ShardEntry:
    """What the index says of a shard; two recipes with the same numbers share one."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class RowEntry:
    """Where one embedding is: shard, position in it, SHA-256 of its bytes."""

    shard: ShardEntry
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


@dataclass(frozen=True)
class FileState:
    """What a file's status says of its content: as long as it stays, so does the content."""

    size: int
    mtime_ns: int
    inode: int


class Index:
    """The index of one cache folder; every call opens it anew, so threads may share one.

    Parameters
    ----------
    path : Path
        The database file, made if need be.

    Raises
    ------
    CacheSchemaError
        If the file was written by a newer version of the toolkit.
    CorruptCacheError
        If it is not an index at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            elif version != SCHEMA:
                raise CacheSchemaError(
                    f"the cache index {path} has schema {version}, this version of "
                    f"frozen-features uses {SCHEMA}; use the version that wrote it, or another "
                    "folder with --cache"
                )

    def locate(self, fingerprint: str, digests: Sequence[str]) -> dict[str, RowEntry]:
        """Return where the embeddings of these images are; those not there are left out."""
        found: dict[str, RowEntry] = {}
        shards: dict[str, ShardEntry] = {}
        with self._transaction(write=False) as connection:
            for some in _portions(digests):
                rows = connection.execute(
                    f"""SELECT digest, name, shape, dtype, bytes, position, checksum
                    FROM row JOIN shard ON shard.id = row.shard
                    JOIN recipe ON recipe.id = row.recipe
                    WHERE fingerprint = ? AND digest IN ({_marks(some)})""",  # noqa: S608 - marks
                    (fingerprint, *some),
                )
                for digest, name, shape, dtype, size, position, checksum in rows:
                    if name not in shards:
                        shards[name] = ShardEntry(name, _shape(shape), dtype, size)
                    found[digest] = RowEntry(shards[name], position, checksum)
        return found

    def add(
        self,
        fingerprint: str,
        canonical: str,
        shard: ShardEntry,
        rows: Iterable[tuple[str, int, bytes]],
    ) -> None:
        """Name a published shard and its rows `(digest, position, checksum)`, all or nothing.

        Rows that another process has committed in the meantime stay as they are.
        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO recipe (fingerprint, canonical) VALUES (?, ?)",
                (fingerprint, canonical),
            )
            (recipe,) = connection.execute(
                "SELECT id FROM recipe WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
            connection.execute(
                """INSERT OR IGNORE INTO shard (name, shape, dtype, bytes, created)
                VALUES (?, ?, ?, ?, ?)""",
                (shard.name, json.dumps(shard.shape), shard.dtype, shard.bytes, time.time()),
            )
            (shard_id,) = connection.execute(
                "SELECT id FROM shard WHERE name = ?", (shard.name,)
            ).fetchone()
            connection.executemany(
                "INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?, ?)",
                [(recipe, digest, shard_id, position, checksum)
                 for digest, position, checksum in rows],
            )  # fmt: skip

    def recipes(self) -> list[RecipeEntry]:
        """Return what there is of each recipe, the latest used for computing last."""
        with self._transaction(write=False) as connection:
            rows = connection.execute(
                """SELECT fingerprint, canonical, sum(rows), count(*), sum(bytes),
                    min(created), max(created)
                FROM (SELECT recipe, shard, count(*) AS rows FROM row GROUP BY recipe, shard)
                JOIN shard ON shard.id = shard JOIN recipe ON recipe.id = recipe
                GROUP BY recipe ORDER BY max(created)"""
            )
            return [RecipeEntry(*row) for row in rows]

    def shards(self) -> list[ShardEntry]:
        """Return every shard that the index names."""
        with self._transaction(write=False) as connection:
            rows = connection.execute("SELECT name, shape, dtype, bytes FROM shard ORDER BY id")
            return [
                ShardEntry(name, _shape(shape), dtype, size) for name, shape, dtype, size in rows
            ]

    def rows(self, shard: ShardEntry) -> list[tuple[int, bytes]]:
        """Return position and checksum of every row of a shard, under any recipe."""
        with self._transaction(write=False) as connection:
            return connection.execute(
                """SELECT position, checksum FROM row JOIN shard ON shard.id = row.shard
                WHERE name = ? ORDER BY position""",
                (shard.name,),
            ).fetchall()

    def forget(self, fingerprint: str | None = None) -> list[ShardEntry]:
        """Drop one recipe's rows, or all; return the shards that no row is left in."""
        with self._transaction() as connection:
            connection.execute(
                """DELETE FROM row WHERE ?1 IS NULL
                OR recipe = (SELECT id FROM recipe WHERE fingerprint = ?1)""",
                (fingerprint,),
            )
            connection.execute("DELETE FROM recipe WHERE id NOT IN (SELECT recipe FROM row)")
            dropped = connection.execute(
                """DELETE FROM shard WHERE id NOT IN (SELECT shard FROM row)
                RETURNING name, shape, dtype, bytes"""
            ).fetchall()
        return [
            ShardEntry(name, _shape(shape), dtype, size) for name, shape, dtype, size in dropped
        ]

    def remembered(self, states: Mapping[bytes, FileState]) -> dict[bytes, str]:
        """Return the digests of those files whose status is still the remembered one."""
        found: dict[bytes, str] = {}
        with self._transaction(write=False) as connection:
            for some in _portions(list(states)):
                rows = connection.execute(
                    f"SELECT * FROM memo WHERE path IN ({_marks(some)})",  # noqa: S608 - marks
                    some,
                )
                found |= {
                    path: digest
                    for path, size, mtime_ns, inode, digest in rows
                    if states[path] == FileState(size, mtime_ns, inode)
                }
        return found

    def remember(self, digests: Mapping[bytes, tuple[FileState, str]]) -> None:
        """Remember files' digests under their paths and status."""
        rows = [
            (path, state.size, state.mtime_ns, state.inode, digest)
            for path, (state, digest) in digests.items()
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?)", rows)

    @contextlib.contextmanager
    def _transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Open the index for one transaction, and turn SQLite's errors into ours."""
        try:
            with contextlib.closing(
                sqlite3.connect(
                    self.path, timeout=_SECONDS_TO_WAIT_FOR_A_LOCK, isolation_level=None
                )
            ) as connection:
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise CacheError(
                f"cannot use the cache index {self.path}: {error}; check that the folder can be "
                "written to and the disk has room, or name another folder with --cache"
            ) from error
        except sqlite3.DatabaseError as error:
            raise CorruptCacheError(
                f"the cache index {self.path} is damaged: {error}; move the folder away, or name "
                "another with --cache, and run the same command again"
            ) from error


def _portions(names: Sequence[str] | Sequence[bytes]) -> Iterator[Sequence[str] | Sequence[bytes]]:
    for start in range(0, len(names), _NAMES_PER_QUERY):
        yield names[start : start + _NAMES_PER_QUERY]


def _marks(names: Sequence[str] | Sequence[bytes]) -> str:
    return ",".join("?" * len(names))


def _shape(text: str) -> tuple[int, ...]:
    return tuple(json.loads(text))
