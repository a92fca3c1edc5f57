"""The embedding cache: rows found by recipe fingerprint and image digest.

`Store` is what the other packages use; `shards` holds the bytes, `index` the names.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from cache import disk
from cache import index as indexes
from cache import memo as memos
from cache.database import Database
from cache.errors import CacheError, CorruptCacheError
from cache.index import MEND, Index, RecipeEntry, ShardEntry, checksum
from cache.locks import Lease
from cache.memo import Memo
from cache.shards import Shards
from toolkit.addresses import FileState, file_states, place, sort_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

SHARD_ROWS = 64
"""Rows per shard: what a killed run may have to compute again."""

_RECALLED_TOGETHER = 1000
_SECONDS_UNTIL_SETTLED = 2.0
"""A file changed this lately may change again without its modification time showing it."""


class Store:
    """The embeddings in one cache folder.

    Parameters
    ----------
    folder : Path
        See `cache.location.cache_folder`.

    Raises
    ------
    CacheError
        If the folder cannot be used, or holds the cache of a newer version.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> store = Store(pathlib.Path(tempfile.mkdtemp()))
    >>> image = "ab" * 32  # SHA-256 of an image file
    >>> store.append("f1", "{}", [image], np.ones((1, 4, 4, 512), np.float32))
    >>> store.read("f1", [image]).shape
    (1, 4, 4, 512)
    >>> store.missing("f2", [image]) == [image]
    True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with disk.attempt(f"write to the cache folder {folder}", "name another with --cache"):
            self.lease = Lease(folder / "leases")
        self.database = Database(folder / "index.sqlite", indexes.TABLES + memos.TABLE)
        self.index, self.memo = Index(self.database), Memo(self.database)
        self.shards = Shards(folder / "shards")
        # An index is made before any shard, so that a new one beside shards means a lost one.
        self.index_was_lost = self.database.begun and any(self.shards.names())
        if self.index_was_lost:
            logger.info("%s was empty or gone: what it named is computed again", self.database.path)

    def missing(self, fingerprint: str, digests: Sequence[str]) -> list[str]:
        """Return the images that have no row under this recipe, each once, in order.

        The rows that are there stay as long as this store is open, whatever is pruned.
        """
        there = self.index.locate(fingerprint, digests)
        return [digest for digest in dict.fromkeys(digests) if digest not in there]

    def append(
        self,
        fingerprint: str,
        canonical: str,
        digests: Sequence[str],
        rows: np.ndarray,
        instead_of: ShardEntry | None = None,
    ) -> None:
        """Commit a shard: once this returns, neither a kill nor a power cut loses its rows.

        Parameters
        ----------
        fingerprint, canonical : str
            The recipe's, see `extract.recipe.Recipe`.
        digests : sequence of str, length n_rows
            SHA-256 of each image file's bytes, as hexadecimal digits.
        rows : numpy.ndarray of float32, shape (n_rows, ...)
            Their embeddings.
        instead_of : ShardEntry, optional
            A shard whose rows are dropped in the same moment.

        Raises
        ------
        ValueError
            If there are not as many digests as rows.
        CacheError
            If the disk does not take them; what was committed before stays readable.
        """
        if len(digests) != len(rows):
            raise ValueError(f"{len(digests)} digests for {len(rows)} rows")
        rows = np.ascontiguousarray(rows)
        name, size = self.shards.publish(rows)
        named = self.index.add(
            fingerprint,
            canonical,
            ShardEntry(name, rows.shape, rows.dtype.str, size),
            [
                (digest, i, checksum(fingerprint, digest, rows[i]))
                for i, digest in enumerate(digests)
            ],
            lambda: self.shards.ensure(name, rows),
            instead_of,
        )
        if not named:
            self.index.delete_unnamed([name], self.shards.delete)

    def read(self, fingerprint: str, digests: Sequence[str]) -> np.ndarray:
        """Read rows, each held against its checksum.

        Parameters
        ----------
        fingerprint : str
            The recipe's.
        digests : sequence of str, length n
            The images'; one may occur more than once.

        Returns
        -------
        numpy.ndarray, shape (n, ...)
            In the order of `digests`.

        Raises
        ------
        CacheError
            If an image has no row under this recipe.
        CorruptCacheError
            If a row is not what was committed.
        """
        located = self.index.locate(fingerprint, digests)
        absent = next((digest for digest in digests if digest not in located), None)
        if absent is not None or not digests:
            raise CacheError(
                f"the cache has no embedding of image {absent} under recipe {fingerprint[:12]}; "
                "run python -m extract first"
            )
        wanted: dict[ShardEntry, list[int]] = defaultdict(list)
        for i, digest in enumerate(digests):
            wanted[located[digest].shard].append(i)
        first = next(iter(wanted))
        rows = np.empty((len(digests), *first.shape[1:]), dtype=first.dtype)
        for shard, places in wanted.items():
            entries = [located[digests[i]] for i in places]
            positions = [entry.position for entry in entries]
            if shard.shape[1:] != rows.shape[1:] or not shard.has(*positions):
                raise CorruptCacheError(
                    f"the index places an embedding where shard {shard.name} has none; {MEND}"
                )
            rows[places] = self.shards.read(shard, positions)
            for i, entry in zip(places, entries, strict=True):
                if checksum(fingerprint, digests[i], rows[i]) != entry.checksum:
                    raise CorruptCacheError(
                        f"row {entry.position} of shard {self.shards.path(shard.name)} is not "
                        f"what was committed; {MEND}"
                    )
        return rows

    def digests(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Return the remembered SHA-256 of the files that have not changed since."""
        remembered: dict[Path, str] = {}
        for start in range(0, len(paths), _RECALLED_TOGETHER):
            some = paths[start : start + _RECALLED_TOGETHER]
            keys = {path: sort_key(path) for path in some}
            states = dict(zip(keys.values(), file_states(list(keys)), strict=True))
            found = self.memo.recall({key: state for key, state in states.items() if state})
            remembered |= {path: found[key] for path, key in keys.items() if key in found}
        return remembered

    def remember(self, digests: Mapping[Path, tuple[FileState, str]]) -> None:
        """Remember files' SHA-256, so that an unchanged file is not read again to find its row.

        Parameters
        ----------
        digests : mapping from Path to (FileState, str)
            The state is the one from before the file was read. A file that changed in the last
            two seconds is not remembered: its modification time cannot tell a further change.
        """
        settled_ns = (time.time() - _SECONDS_UNTIL_SETTLED) * 1e9
        self.memo.remember(
            {
                sort_key(path): (state, digest)
                for path, (state, digest) in digests.items()
                if state.mtime_ns < settled_ns
            }
        )

    def path_of(self, digest: str) -> Path | None:
        """Return a file that has this SHA-256 still, as far as its status tells; None if none."""
        for name in self.memo.paths(digest):
            path = place(os.fsdecode(name))
            if self.digests([path]).get(path) == digest:
                return path
        return None

    def recipes(self) -> list[RecipeEntry]:
        """Return what there is of each recipe, the latest computed last."""
        return self.index.recipes()
