"""Notes on image files: what took time to find out about their content, by its SHA-256.

They only save work. A damaged file of notes is renamed, and a new one is begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache.database import Database, batches, placeholders, record_digest, rename_database
from cache.errors import CorruptCacheError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TABLE = """
CREATE TABLE note (
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (kind, digest)
) STRICT, WITHOUT ROWID;
"""


class Notes:
    """Texts of several kinds, each about one image.

    Parameters
    ----------
    path : Path
        The database, which is created when something is to be remembered.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> notes = Notes(pathlib.Path(tempfile.mkdtemp()) / "notes.sqlite")
    >>> notes.remember("depth", {"ab" * 32: "deep"})
    >>> list(notes.recall("depth", ["ab" * 32, "cd" * 32]).values())
    ['deep']
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, kind: str, digests: Sequence[str]) -> dict[str, str]:
        """Return the notes of a kind by digest; images without one are left out."""
        found: dict[str, str] = {}
        if not digests or not self._path.exists():
            return found
        try:
            with Database(self._path, TABLE).transaction(write=False) as connection:
                for batch in batches(sorted(set(digests))):
                    rows = connection.execute(
                        f"""SELECT digest, text, seal FROM note
                        WHERE kind = ? AND digest IN ({placeholders(batch)})""",  # noqa: S608
                        (kind, *batch),
                    )
                    found |= {
                        digest: text
                        for digest, text, seal in rows
                        if seal == record_digest(kind, digest, text)
                    }
        except CorruptCacheError:
            rename_database(self._path, "damaged")
            return {}
        return found

    def remember(self, kind: str, texts: Mapping[str, str]) -> None:
        """Remember notes by digest; they replace earlier ones of the same kind."""
        if not texts:
            return
        rows = [
            (kind, digest, text, record_digest(kind, digest, text))
            for digest, text in texts.items()
        ]
        try:
            self._insert(rows)
        except CorruptCacheError:
            rename_database(self._path, "damaged")
            self._insert(rows)

    def _insert(self, rows: list[tuple[str, str, str, bytes]]) -> None:
        with Database(self._path, TABLE).transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?)", rows)
