"""The SQLite database of a cache folder: open, lock, check and replace it.

It uses SQLite's rollback journal, not the write-ahead log: that is safe on network folders, leaves
one file that can be copied, and costs nothing noticeable at one commit every few seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from cache import disk
from cache.errors import CacheError, CacheSchemaError, CorruptCacheError
from cache.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

SCHEMA = 2
_APPLICATION_ID = 0x46464331  # "FFC1": distinguishes the index from other databases
_SECONDS_TO_WAIT_FOR_A_LOCK = 120.0
_NAMES_PER_QUERY = 900  # below the smallest limit on parameters of any build of SQLite

# Error codes that do not mean a damaged file: the disk, permissions or another process.
_NOT_DAMAGE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


class Database:
    """A database file. Each transaction opens it again, so threads and forks may share an object.

    Parameters
    ----------
    path : Path
        Created if need be. A file with an older schema is renamed first.
    tables : str
        SQL that creates the tables.

    Raises
    ------
    CacheSchemaError
        If the file was written by a newer version of the toolkit.
    CorruptCacheError
        If the file is not an index of the toolkit.
    CacheError
        If the folder cannot be used.
    """

    def __init__(self, path: Path, tables: str) -> None:
        self.path = path
        self.was_created = False
        """Whether this object has created the index, because it was missing or empty."""
        self._tables = [text.strip() for text in tables.split(";") if text.strip()]
        schema = self._create()
        if schema < SCHEMA:
            self.replace(f"schema-{schema}", unless=lambda: self._create() == SCHEMA)

    def replace(self, reason: str, unless: Callable[[], bool] = lambda: False) -> Path | None:
        """Rename the file and create a new one, unless another process has just done so.

        Parameters
        ----------
        reason : str
            Becomes part of the new name.
        unless : callable, default=never
            Tells, with the database locked, whether it has been replaced already.

        Returns
        -------
        Path or None
            The new name of the old file; None if it was not renamed.

        Raises
        ------
        CacheError
            If the file cannot be renamed or created.
        """
        renamed = None
        with locked(self.path.with_name(f"{self.path.name}.lock")):
            if not unless():
                renamed = rename_database(self.path, reason)
                logger.info(
                    "the cache index (%s) was renamed to %s; a new one is used", reason, renamed
                )
            self._create()
        self.was_created = False
        return renamed

    @contextlib.contextmanager
    def transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Open the database for one transaction; turn SQLite's errors into those of the cache."""
        try:
            with contextlib.closing(
                sqlite3.connect(
                    self.path, timeout=_SECONDS_TO_WAIT_FOR_A_LOCK, isolation_level=None
                )
            ) as connection:
                # A flipped bit may leave invalid UTF-8; the digests of the records will reveal it.
                connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
                        connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_DAMAGE:
                raise CorruptCacheError(self._damaged(error)) from error
            raise CacheError(
                f"cannot use the cache index {self.path}: {error}; check that the folder is "
                "writable and the disk has space, or choose another cache folder",
                setting="cache",
            ) from error

    def problems(self) -> list[str]:
        """Return the problems that SQLite finds in the pages of the file."""
        try:
            with self.transaction(write=False) as connection:
                lines = [line for (line,) in connection.execute("PRAGMA integrity_check")]
        except CorruptCacheError as error:
            return [str(error)]
        return [line for line in lines if line != "ok"]

    def _create(self) -> int:
        """Create the tables if the file is new; return the schema of the file."""
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                for statement in self._tables:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                self.was_created = True
                return SCHEMA
            rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            statements = sorted(sql for (sql,) in rows)
            (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION_ID:
            raise CorruptCacheError(self._damaged("it is not an index of frozen-features"))
        if version == 0:
            raise CorruptCacheError(self._damaged("it has tables but no schema number"))
        if version > SCHEMA:
            raise CacheSchemaError(
                f"the cache index {self.path} has schema {version}, but this version of "
                f"frozen-features reads schemas up to {SCHEMA}; upgrade it, or choose another "
                "cache folder",
                setting="cache",
            )
        if version == SCHEMA and statements != sorted(self._tables):
            raise CorruptCacheError(self._damaged(f"its tables are not those of schema {SCHEMA}"))
        return int(version)

    def _damaged(self, error: object) -> str:
        return (
            f"the cache index {self.path} is damaged: {error}; python -m cache repair renames it "
            "and creates a new one with what is intact"
        )


def rename_database(path: Path, reason: str) -> Path:
    """Rename a database file, so that the next `Database` creates a new one.

    Its journal is renamed, too, so that an unfinished transaction of a killed process is still
    rolled back when the file is opened under its new name. No file is overwritten.

    Parameters
    ----------
    path : Path
        The database.
    reason : str
        Becomes part of the new name, with the time.

    Returns
    -------
    Path
        The new name.

    Raises
    ------
    CacheError
        If the file cannot be renamed.
    """
    timestamp = time.strftime("%Y%m%d-%H%M%S")
    with disk.attempt(f"rename {path}"):
        for number in itertools.count(1):
            suffix = path.suffix if number == 1 else f".{number}{path.suffix}"
            renamed = path.with_name(f"{path.stem}.{reason}-{timestamp}{suffix}")
            if not renamed.exists():
                break
        path.rename(renamed)
        journal = path.with_name(f"{path.name}-journal")
        if journal.exists():
            journal.rename(renamed.with_name(f"{renamed.name}-journal"))
        disk.sync_folder(path.parent)
    return renamed


def batches(names: Sequence[str] | Sequence[bytes]) -> Iterator[Sequence[str] | Sequence[bytes]]:
    """Yield names in batches that fit into one query."""
    for start in range(0, len(names), _NAMES_PER_QUERY):
        yield names[start : start + _NAMES_PER_QUERY]


def placeholders(names: Sequence[str] | Sequence[bytes]) -> str:
    """Return the placeholders of a query for `names`."""
    return ",".join("?" * len(names))


def record_digest(*fields: object) -> bytes:
    """Return a digest of the fields of a record, which reveals a flipped bit."""
    return hashlib.sha256(repr(fields).encode("utf-8", "surrogateescape")).digest()[:16]
