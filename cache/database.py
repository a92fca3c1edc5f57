"""The SQLite database of one cache folder: opened, locked, checked, set aside.

The journal is SQLite's rollback journal, not the write-ahead log: it is safe on network folders,
leaves one file that can be copied, and at a commit every few seconds its cost does not show.
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
_APPLICATION_ID = 0x46464331  # "FFC1": lets `file` and us tell the index from another database
_SECONDS_TO_WAIT_FOR_A_LOCK = 120.0
_NAMES_PER_QUERY = 900  # below the smallest limit on parameters that SQLite is built with

# What SQLite says when the disk, the folder's rights or another process are in the way.
_NOT_THE_FILES_FAULT = {
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
    """One database file; every transaction opens it anew, so threads and forks may share one.

    Parameters
    ----------
    path : Path
        Made if need be. A file of an older schema is set aside under another name first.
    tables : str
        SQL that makes the tables of a new one.

    Raises
    ------
    CacheSchemaError
        If the file was written by a newer version of the toolkit.
    CorruptCacheError
        If it is not a database of ours at all.
    CacheError
        If the folder cannot be used.
    """

    def __init__(self, path: Path, tables: str) -> None:
        self.path = path
        self.begun = False
        """Whether there was no index, or an empty file, before this object made one."""
        self._tables = [text.strip() for text in tables.split(";") if text.strip()]
        found = self._make()
        if found < SCHEMA:
            self.begin_anew(f"schema-{found}", unless=lambda: self._make() == SCHEMA)

    def begin_anew(self, why: str, unless: Callable[[], bool] = lambda: False) -> Path | None:
        """Set the file aside and make a new one, unless another process just has.

        Returns
        -------
        Path or None
            The new name of the old file; None if it was not set aside.

        Raises
        ------
        CacheError
            If it cannot be renamed or made.
        """
        aside = None
        with locked(self.path.with_name(f"{self.path.name}.lock")):
            if not unless():
                aside = set_aside(self.path, why)
                logger.info("the cache index (%s) is now %s, and a new one is begun", why, aside)
            self._make()
        self.begun = False
        return aside

    @contextlib.contextmanager
    def transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        """Open the database for one transaction, and turn SQLite's errors into ours."""
        try:
            with contextlib.closing(
                sqlite3.connect(
                    self.path, timeout=_SECONDS_TO_WAIT_FOR_A_LOCK, isolation_level=None
                )
            ) as connection:
                # A flipped bit may leave no UTF-8; that is for the digests of records to find.
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
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_THE_FILES_FAULT:
                raise CorruptCacheError(self._damaged(error)) from error
            raise CacheError(
                f"cannot use the cache index {self.path}: {error}; check that the folder can be "
                "written to and the disk has room, or name another folder with --cache"
            ) from error

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the file's pages; an empty list if nothing."""
        try:
            with self.transaction(write=False) as connection:
                lines = [line for (line,) in connection.execute("PRAGMA integrity_check")]
        except CorruptCacheError as error:
            return [str(error)]
        return [line for line in lines if line != "ok"]

    def _make(self) -> int:
        """Make the tables if the file is new; return the schema that is there then."""
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                for statement in self._tables:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                self.begun = True
                return SCHEMA
            found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            made = sorted(sql for (sql,) in found)
            (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION_ID:
            raise CorruptCacheError(self._damaged("it is not an index of frozen-features"))
        if version == 0:
            raise CorruptCacheError(self._damaged("it has tables, but no schema number"))
        if version > SCHEMA:
            raise CacheSchemaError(
                f"the cache index {self.path} has schema {version}, this version of "
                f"frozen-features reads up to {SCHEMA}; upgrade it, or name another folder with "
                "--cache"
            )
        if version == SCHEMA and made != sorted(self._tables):
            raise CorruptCacheError(self._damaged(f"its tables are not those of schema {SCHEMA}"))
        return int(version)

    def _damaged(self, error: object) -> str:
        return (
            f"the cache index {self.path} is damaged: {error}; python -m cache verify --repair "
            "sets it aside and begins a new one with what is whole"
        )


def set_aside(path: Path, why: str) -> Path:
    """Give a database file another name, so that the next `Database` begins a new one.

    Its journal goes with it, so that what a killed process left half written is still undone when
    the file is opened under its new name. No file is written over.

    Raises
    ------
    CacheError
        If it cannot be renamed.
    """
    moment = time.strftime("%Y%m%d-%H%M%S")
    with disk.attempt(f"rename {path}"):
        for again in itertools.count(1):
            number = "" if again == 1 else f".{again}"
            aside = path.with_name(f"{path.stem}.{why}-{moment}{number}{path.suffix}")
            if not aside.exists():
                break
        path.rename(aside)
        journal = path.with_name(f"{path.name}-journal")
        if journal.exists():
            journal.rename(aside.with_name(f"{aside.name}-journal"))
        disk.sync_folder(path.parent)
    return aside


def portions(names: Sequence[str] | Sequence[bytes]) -> Iterator[Sequence[str] | Sequence[bytes]]:
    """Yield names in portions that one query can take."""
    for start in range(0, len(names), _NAMES_PER_QUERY):
        yield names[start : start + _NAMES_PER_QUERY]


def marks(names: Sequence[str] | Sequence[bytes]) -> str:
    """Return a query's placeholders for names."""
    return ",".join("?" * len(names))


def seal(*fields: object) -> bytes:
    """Return a digest of a record's fields, by which a flipped bit in it is found."""
    return hashlib.sha256(repr(fields).encode("utf-8", "surrogateescape")).digest()[:16]
