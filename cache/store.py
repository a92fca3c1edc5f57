"""The embedding cache: rows found by recipe fingerprint and image digest.

`Store` is what the other packages use; `shards` holds the bytes and `index` the names.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cache.errors import CacheError, CorruptCacheError
from cache.index import FileState, Index, RecipeEntry, ShardEntry
from cache.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cache.console import Progress

from cache.console import silent

SHARD_ROWS = 64
"""Rows per shard: what a killed run may have to compute again."""

_SECONDS_UNTIL_SETTLED = 2.0
"""A file changed this lately may change again without its modification time showing it."""

_SECONDS_UNTIL_ABANDONED = 3600.0
"""A file in the shards' folder that the index does not name is surely nobody's after this."""


@dataclass(frozen=True)
class Verification:
    """What `Store.verify` found.

    Parameters
    ----------
    shards, rows, bytes : int
        How much was read.
    problems : list of str
        One sentence for each shard that is not what was committed; empty when all is well.
    leftovers : int
        Unfinished or unnamed files of killed runs; they do no harm, and `clear` removes them.
    """

    shards: int
    rows: int
    bytes: int
    problems: list[str] = field(default_factory=list)
    leftovers: int = 0


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
        self._shards = Shards(folder / "shards")
        self._index = Index(folder / "index.sqlite")

    def missing(self, fingerprint: str, digests: Sequence[str]) -> list[str]:
        """Return the images that have no row under this recipe, each once, in order."""
        there = self._index.locate(fingerprint, digests)
        return [digest for digest in dict.fromkeys(digests) if digest not in there]

    def append(
        self, fingerprint: str, canonical: str, digests: Sequence[str], rows: np.ndarray
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
        name, size = self._shards.publish(rows)
        shard = ShardEntry(name, rows.shape, rows.dtype.str, size)
        self._index.add(
            fingerprint,
            canonical,
            shard,
            [(digest, i, _checksum(rows[i])) for i, digest in enumerate(digests)],
        )

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
        located = self._index.locate(fingerprint, digests)
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
            array = self._shards.open(shard.name, shard.shape, shard.dtype)
            for i in places:
                entry = located[digests[i]]
                rows[i] = array[entry.position]
                if _checksum(rows[i]) != entry.checksum:
                    raise CorruptCacheError(
                        f"row {entry.position} of shard {self._shards.path(shard.name)} is not "
                        "what was committed; run python -m cache clear, then the same command "
                        "again"
                    )
        return rows

    def digests(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Return the remembered SHA-256 of the files that have not changed since."""
        keys = {path: os.fsencode(path.absolute()) for path in paths}
        states = {}
        for path, key in keys.items():
            state = file_state(path)
            if state is not None:
                states[key] = state
        found = self._index.remembered(states)
        return {path: found[key] for path, key in keys.items() if key in found}

    def remember(self, digests: Mapping[Path, tuple[FileState, str]]) -> None:
        """Remember files' SHA-256, so that an unchanged file is not read again to find its row.

        Parameters
        ----------
        digests : mapping from Path to (FileState, str)
            The state is the one from before the file was read. A file that changed in the last
            two seconds is not remembered: its modification time cannot tell a further change.
        """
        settled_ns = (time.time() - _SECONDS_UNTIL_SETTLED) * 1e9
        self._index.remember(
            {
                os.fsencode(path.absolute()): (state, digest)
                for path, (state, digest) in digests.items()
                if state.mtime_ns < settled_ns
            }
        )

    def recipes(self) -> list[RecipeEntry]:
        """Return what there is of each recipe, the latest computed last."""
        return self._index.recipes()

    def verify(self, progress: Progress = silent) -> Verification:
        """Read every byte that the index names and compare it with what was committed."""
        shards = self._index.shards()
        problems, n_rows, n_bytes = [], 0, 0
        for done, shard in enumerate(shards):
            progress("verifying shards", done, len(shards))
            rows = self._index.rows(shard)
            n_rows, n_bytes = n_rows + len(rows), n_bytes + shard.bytes
            problem = self._problem(shard, rows)
            if problem:
                problems.append(problem)
        progress("verifying shards", len(shards), len(shards))
        return Verification(len(shards), n_rows, n_bytes, problems, len(self._leftovers(shards)))

    def clear(self, fingerprint: str | None = None) -> tuple[int, int]:
        """Delete all embeddings, or those of one recipe.

        Returns
        -------
        n_shards, n_bytes : int
            What was deleted.
        """
        shards = self._index.forget(fingerprint)
        for shard in shards:
            self._shards.delete(shard.name)
        for leftover in self._leftovers(self._index.shards()):
            if time.time() - leftover.stat().st_mtime > _SECONDS_UNTIL_ABANDONED:
                leftover.unlink(missing_ok=True)
        return len(shards), sum(shard.bytes for shard in shards)

    def _problem(self, shard: ShardEntry, rows: Sequence[tuple[int, bytes]]) -> str | None:
        path = self._shards.path(shard.name)
        if not self._shards.intact(shard.name):
            return f"{path} is missing, or its bytes are not the ones that it is named by"
        try:
            array = self._shards.open(shard.name, shard.shape, shard.dtype)
        except CorruptCacheError as error:
            return str(error)
        for position, checksum in rows:
            if not 0 <= position < len(array) or _checksum(array[position]) != checksum:
                return f"{path}: the index's checksum of row {position} is not that of the row"
        return None

    def _leftovers(self, named: Sequence[ShardEntry]) -> list[Path]:
        known = {shard.name for shard in named}
        unnamed = [self._shards.path(n) for n in self._shards.names() if n not in known]
        return unnamed + self._shards.temporaries()


def file_state(path: Path) -> FileState | None:
    """Return the status that a file's remembered digest hangs on; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


def _checksum(row: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(row).data).digest()
