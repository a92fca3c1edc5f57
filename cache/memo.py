"""The memo of files: digests that need not be computed again while a file stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cache.database import marks, portions, seal
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


class Memo:
    """Paths and status of files, with the SHA-256 of their bytes.

    Parameters
    ----------
    database : Database
        With the memo's `TABLE`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, states: Mapping[bytes, FileState]) -> dict[bytes, str]:
        """Return the digests of those files whose status is still the remembered one."""
        found: dict[bytes, str] = {}
        with self._database.transaction(write=False) as connection:
            for some in portions(list(states)):
                rows = connection.execute(
                    f"SELECT * FROM memo WHERE path IN ({marks(some)})",  # noqa: S608 - marks
                    some,
                )
                found |= {
                    path: digest
                    for path, size, mtime_ns, inode, digest, sealed in rows
                    if states[path] == FileState(size, mtime_ns, inode)
                    and sealed == seal(path, size, mtime_ns, inode, digest)
                }
        return found

    def remember(self, digests: Mapping[bytes, tuple[FileState, str]]) -> None:
        """Remember files' digests under their paths and status."""
        rows = []
        for path, (state, digest) in digests.items():
            fields = (path, state.size, state.mtime_ns, state.inode, digest)
            rows.append((*fields, seal(*fields)))
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?)", rows)

    def paths(self, digest: str) -> list[bytes]:
        """Return the paths that files with this digest were last seen under."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute("SELECT path FROM memo WHERE digest = ?", (digest,))
            return [path for (path,) in rows]

    def damaged(self) -> list[bytes]:
        """Return the paths of records that are not as they were written."""
        with self._database.transaction(write=False) as connection:
            rows = connection.execute("SELECT * FROM memo")
            return [record[0] for record in rows if not _is_sound(record)]

    def restore(self, records: Iterable[Sequence[Any]]) -> None:
        """Take over those records of another memo that are as they were written."""
        whole = [record for record in records if _is_sound(record)]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?, ?, ?, ?, ?)", whole)

    def forget(self, paths: list[bytes]) -> None:
        """Drop records."""
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM memo WHERE path = ?", [(path,) for path in paths])


def _is_sound(record: Sequence[Any]) -> bool:
    *fields, sealed = record
    return bool(seal(*fields) == sealed)
