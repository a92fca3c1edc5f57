"""The embedding cache: embeddings by recipe fingerprint and image digest.

Other packages use `Store`; the module `shards` stores the bytes, `index` says which is which.
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
from cache.entries import RecipeEntry, ShardEntry
from cache.errors import REPAIR_HINT, CacheError, CorruptCacheError
from cache.index import Index, checksum
from cache.locks import Lease
from cache.memo import Memo
from cache.notes import Notes
from cache.shards import Shards
from toolkit.addresses import FileState, as_path, file_states, sort_key
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

COMMITTING = "committing embeddings"
"""The phase in which a caller appends to a store."""

SHARD_ROWS = 64
"""Rows per shard; besides those that it was computing, a killed run has to compute at most so many
again."""

_FILES_PER_BATCH = 1000
_SECONDS_UNTIL_SETTLED = 2.0
"""A file changed more recently could change again without a new modification time."""


class Store:
    """The embeddings in a cache folder.

    Parameters
    ----------
    folder : Path
        See `cache.location.cache_folder`.

    Raises
    ------
    CacheError
        If the folder cannot be used, or a newer version of the toolkit has written it.

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
        with disk.attempt(
            f"write to the cache folder {folder}", "choose another one", setting="cache"
        ):
            self.lease = Lease(folder / "leases")
        self.database = Database(folder / "index.sqlite", indexes.TABLES + memos.TABLE)
        self.index, self.memo = Index(self.database), Memo(self.database)
        self.notes = Notes(folder / "notes.sqlite")
        self.shards = Shards(folder / "shards")
        # The index is created before any shard: a new one beside shards means that it was lost.
        self.index_was_lost = self.database.was_created and any(self.shards.names())
        if self.index_was_lost:
            logger.info(
                "%s was empty or missing: its embeddings are computed again", self.database.path
            )

    def missing(self, fingerprint: str, digests: Sequence[str]) -> list[str]:
        """Return the images without an embedding under this recipe, each once, in order.

        The embeddings of the others cannot be pruned while this store is open.
        """
        located = self.index.locate(fingerprint, digests)
        return [digest for digest in dict.fromkeys(digests) if digest not in located]

    def append(
        self,
        fingerprint: str,
        canonical: str,
        digests: Sequence[str],
        rows: np.ndarray,
        replaces: ShardEntry | None = None,
    ) -> None:
        """Commit a shard. From the moment this returns, its rows survive a kill or a power cut.

        Parameters
        ----------
        fingerprint, canonical : str
            The recipe, see `extract.recipe.Recipe`.
        digests : sequence of str, length n_rows
            SHA-256 of the bytes of each image file, as hexadecimal digits.
        rows : numpy.ndarray of float32, shape (n_rows, ...)
            Their embeddings.
        replaces : ShardEntry, default=None
            A shard whose rows are dropped in the same transaction.

        Raises
        ------
        ValueError
            If the numbers of digests and rows differ.
        CacheError
            If they cannot be written; what was committed before stays readable.
        """
        if len(digests) != len(rows):
            raise ValueError(f"{len(digests)} digests for {len(rows)} rows")
        rows = np.ascontiguousarray(rows)
        name, size = self.shards.publish(rows)
        added = self.index.add(
            fingerprint,
            canonical,
            ShardEntry(name, rows.shape, rows.dtype.str, size),
            [
                (digest, i, checksum(fingerprint, digest, rows[i]))
                for i, digest in enumerate(digests)
            ],
            lambda: self.shards.ensure(name, rows),
            replaces,
        )
        if not added:
            self.index.delete_unnamed([name], self.shards.delete)

    @phase("reading embeddings")
    def read(self, fingerprint: str, digests: Sequence[str]) -> np.ndarray:
        """Read embeddings and compare each with its checksum.

        Parameters
        ----------
        fingerprint : str
            The recipe.
        digests : sequence of str, length n
            The images; one may occur more than once.

        Returns
        -------
        numpy.ndarray, shape (n, ...)
            In the order of `digests`.

        Raises
        ------
        CacheError
            If an image has no embedding under this recipe.
        CorruptCacheError
            If an embedding differs from what was committed.
        """
        located = self.index.locate(fingerprint, digests)
        absent = next((digest for digest in digests if digest not in located), None)
        if absent is not None or not digests:
            raise CacheError(
                f"the cache has no embedding of image {absent} under recipe {fingerprint[:12]}; "
                "run python -m extract first"
            )
        by_shard: dict[ShardEntry, list[int]] = defaultdict(list)
        for i, digest in enumerate(digests):
            by_shard[located[digest].shard].append(i)
        first = next(iter(by_shard))
        rows = np.empty((len(digests), *first.shape[1:]), dtype=first.dtype)
        for shard, indices in by_shard.items():
            entries = [located[digests[i]] for i in indices]
            positions = [entry.position for entry in entries]
            if shard.shape[1:] != rows.shape[1:] or not shard.has_rows(*positions):
                raise CorruptCacheError(
                    f"the index has an impossible entry for shard {shard.name}; {REPAIR_HINT}"
                )
            rows[indices] = self.shards.read(shard, positions)
            for i, entry in zip(indices, entries, strict=True):
                if checksum(fingerprint, digests[i], rows[i]) != entry.checksum:
                    raise CorruptCacheError(
                        f"row {entry.position} of shard {self.shards.path(shard.name)} differs "
                        f"from what was committed; {REPAIR_HINT}"
                    )
        return rows

    def digests(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Return the remembered SHA-256 of those files that have not changed since."""
        remembered: dict[Path, str] = {}
        for start in range(0, len(paths), _FILES_PER_BATCH):
            batch = paths[start : start + _FILES_PER_BATCH]
            keys = {path: sort_key(path) for path in batch}
            states = dict(zip(keys.values(), file_states(list(keys)), strict=True))
            recalled = self.memo.recall({key: state for key, state in states.items() if state})
            remembered |= {path: recalled[key] for path, key in keys.items() if key in recalled}
        return remembered

    def remember(self, digests: Mapping[Path, tuple[FileState, str]]) -> None:
        """Remember the SHA-256 of files, so that unchanged files need not be read again.

        Parameters
        ----------
        digests : mapping from Path to (FileState, str)
            The state must be from before the file was read. A file that changed in the last two
            seconds is not remembered, because a further change might not change its modification
            time.
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
        """Return an unchanged file with this SHA-256; None if there is none."""
        for name in self.memo.paths(digest):
            path = as_path(os.fsdecode(name))
            if self.digests([path]).get(path) == digest:
                return path
        return None

    def recipes(self) -> list[RecipeEntry]:
        """Return what the cache contains of each recipe, the latest computed last."""
        return self.index.recipes()
