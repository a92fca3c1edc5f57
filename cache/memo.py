"""The memo: SHA-256 of files, which need not be computed again while a file is unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cache.database import batches, placeholders, record_digest
from toolkit.addresses import FileState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cache.database import Database

TABLE = """
CREATE TABLE memo (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest TEXT NOT NULL,
    seal BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""The column ``inode`` holds `FileState.version`: another name would be another schema."""


class Memo:
    """The SHA-256 of files, by path and status.

    Parameters
    ----------
    database : Database
        Contains the `TABLE` of the memo.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, states: Mapping[bytes, FileState]) -> dict[bytes, str]:
        """Return the digests of those files whose status has not changed."""
        digests: dict[bytes, str] = {}
        with self._database.transaction(write=False) as connection:
            for batch in batches(list(states)):
                rows = connection.execute(
                    f"SELECT * FROM memo WHERE path IN ({placeholders(batch)})",  # noqa: S608
                    batch,
                )
                digests |= {
                    path: digest
                    for path, size, mtime_ns, version, digest, own_digest in rows
                    if states[path] == FileState(size, mtime_ns, version)
                    and own_digest == record_digest(path, size, mtime_ns, version, digest)
                }
        return digests

    def remember(self, digests: Mapping[bytes, tuple[FileState, str]]) -> None:
        """Remember the digests of files with their status."""
        rows = []
        for path, (state, digest) in digests.items():
            fields = (path, state.size, state.mtime_ns, state.version, digest)
            rows.append((*fields, record_digest(*fields)))
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?)", rows)

    def paths(self, digest: str) -> list[bytes]:
        """Return the paths where files with this digest were last seen."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute("SELECT path FROM memo WHERE digest = ?", (digest,))
            return [path for (path,) in rows]

    def find_damage(self) -> list[bytes]:
        """Return the paths of damaged records."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute("SELECT * FROM memo")
            return [record[0] for record in rows if not _is_intact(record)]

    def restore(self, records: Iterable[Sequence[Any]]) -> None:
        """Insert the undamaged ones of the records of another memo."""
        intact = [record for record in records if _is_intact(record)]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?)", intact)

    def drop(self, paths: list[bytes]) -> None:
        """Drop records."""
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM memo WHERE path = ?", [(path,) for path in paths])


def _is_intact(record: Sequence[Any]) -> bool:
    *fields, digest = record
    return bool(record_digest(*fields) == digest)
