"""The forward passes and the commits behind them: decoded images in, embeddings in the store."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cache.store import COMMITTING, SHARD_ROWS
from extract.engines import begin, images_at_once
from extract.errors import ClusterError
from extract.images.hashing import REMEMBERED_TOGETHER, HashedFile, remember_files
from extract.images.pixels import Remark
from toolkit.errors import AddressError
from toolkit.phases import phase
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from cache.store import Store
    from extract.engines import Engine
    from extract.images.decoders.pool import Decoded
    from extract.recipe import Recipe
    from toolkit.addresses import FileState
    from toolkit.progress import Progress

    Loader = Callable[[Iterable[list[Path]]], Iterator[tuple[FileState | None, Decoded]]]
    """Turns groups of files with the same bytes into the first file's status and what it became."""


class Computation:
    """The state of one computation: the batch and the shard that are being filled.

    Attributes
    ----------
    computed : set of str
        Digests of the images whose embeddings were computed.
    quarantine : dict from Path to str
        The files that could not be decoded, each with its reason.
    changed : dict from Path to str
        The files whose bytes are not those that were hashed or remembered, or that had not been
        hashed yet, each with its digest now.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        make_engine: Callable[[], Engine],
        batch_size: int,
        progress: Progress,
    ) -> None:
        self._recipe, self._store, self._batch_size = recipe, store, batch_size
        self._make_engine, self._progress = make_engine, progress
        self._seen: list[HashedFile] = []
        self.computed: set[str] = set()
        self.quarantine: dict[Path, str] = {}
        self.changed: dict[Path, str] = {}
        self._engine: Engine | None = None
        self._images: list[np.ndarray] = []
        self._image_digests: list[str] = []
        self._begun: deque[tuple[list[str], Callable[[], np.ndarray]]] = deque()
        self._rows: list[tuple[list[str], np.ndarray]] = []
        self._remarks: dict[str, Remark] = {}
        self._n_committed = 0
        self._commit: Future[None] | None = None

    def compute(self, todo: dict[str, list[Path]], loader: Loader) -> None:
        """Compute and commit the images of `todo`, from the first usable file of each digest."""
        total = len(todo)
        with ThreadPoolExecutor(1, "commit") as self._committer:
            try:
                self._progress("computing embeddings", 0, total)
                while todo:
                    todo = self._compute_first(todo, loader, total)
                self._forward()
                self._finish_batches()
                self._start_commit()
                self._finish_commit()
                self._remember()
            except (KeyboardInterrupt, AddressError, ClusterError) as stop:
                try:
                    self._finish_batches()
                finally:
                    self._start_commit()
                    self._finish_commit()
                    self._remember()
                if not isinstance(stop, KeyboardInterrupt):
                    raise
                raise KeyboardInterrupt(
                    f"stopped: {plural(self._n_committed, 'embedding')} computed and kept, "
                    f"{total - self._n_committed:,} left; the same command continues from there"
                ) from None
        self._progress("computing embeddings", total, total)

    def _compute_first(
        self, todo: dict[str, list[Path]], loader: Loader, total: int
    ) -> dict[str, list[Path]]:
        """Compute from the first file of each digest; return the groups that need another file."""
        left: dict[str, list[Path]] = {}
        done = total - len(todo)
        loaded = loader(todo.values())
        for (digest, paths), (state, decoded) in zip(todo.items(), loaded, strict=True):
            done, found = done + 1, decoded.digest or ""
            if found == digest:
                concerned = paths
            else:
                concerned = paths[:1]
                if found:
                    self.changed[paths[0]] = found
                    self._seen.append(HashedFile(paths[0], state, found, decoded.deep))
                    if len(self._seen) == REMEMBERED_TOGETHER:
                        self._remember()
                if paths[1:]:
                    left[digest] = paths[1:]
                    done -= 1
            if decoded.reason:
                self.quarantine |= dict.fromkeys(concerned, decoded.reason)
            elif decoded.image is not None and self._is_new(found, digest):
                self._add(found, decoded.image, decoded.remarks)
                if not self._images:
                    being_computed = sum(len(digests) for digests, _ in self._begun)
                    self._progress("computing embeddings", done - being_computed, total)
        return left

    def _remember(self) -> None:
        seen, self._seen = self._seen, []
        remember_files(seen, self._store)

    def _is_new(self, digest: str, expected: str) -> bool:
        """Return whether an image has no embedding yet; a changed file may be a known image."""
        if digest in self.computed:
            return False
        return digest == expected or bool(self._store.missing(self._recipe.fingerprint, [digest]))

    def _add(self, digest: str, image: np.ndarray, remarks: Remark) -> None:
        if self._engine is None:
            # This takes seconds, in which decoding runs ahead.
            self._engine = self._make_engine()
        if remarks:
            self._remarks[digest] = remarks
        self.computed.add(digest)
        self._images.append(image)
        self._image_digests.append(digest)
        if len(self._images) == self._batch_size:
            self._forward()

    def _forward(self) -> None:
        if not self._images or self._engine is None:
            return
        images, digests = np.stack(self._images), self._image_digests
        self._images, self._image_digests = [], []
        self._begun.append((digests, begin(self._engine, images)))
        # Enough for all cores.
        self._finish_batches(most_left=-(-images_at_once(self._engine) // self._batch_size))

    def _finish_batches(self, most_left: int = 0) -> None:
        """Wait for the batches that began first, until at most so many are being computed."""
        while len(self._begun) > most_left:
            digests, finish = self._begun[0]
            rows = finish()  # if Ctrl-C interrupts this, it is waited for again
            self._begun.popleft()
            self._rows.append((digests, rows))
            # Here, so that the shards are the same however many batches are computed at once.
            if sum(len(rows) for _, rows in self._rows) >= SHARD_ROWS:
                self._start_commit()

    @phase(COMMITTING)
    def _start_commit(self) -> None:
        """Commit the computed rows during the next forward pass; at most one shard waits."""
        if not self._rows:
            return
        digests = [digest for batch, _ in self._rows for digest in batch]
        rows = np.concatenate([rows for _, rows in self._rows])
        self._rows = []
        self._finish_commit()
        self._remember()  # before the embeddings, which are looked up by the SHA-256 of a file
        recipe = self._recipe
        # Before the embeddings: an image that is not computed again is not looked at again.
        self._store.notes.remember(
            _remarks_of(recipe),
            {digest: str(int(remarks)) for digest, remarks in self._remarks.items()},
        )
        self._remarks = {}
        self._commit = self._committer.submit(
            self._store.append, recipe.fingerprint, recipe.canonical, digests, rows
        )
        self._n_committed += len(digests)

    @phase(COMMITTING)
    def _finish_commit(self) -> None:
        if self._commit is not None:
            self._commit.result()
            self._commit = None


def recall_remarks(digests: Mapping[Path, str], recipe: Recipe, store: Store) -> dict[Path, Remark]:
    """Return what was remarked on images when they were decoded, now or by an earlier run."""
    noted = store.notes.recall(_remarks_of(recipe), list(digests.values()))
    return {path: Remark(int(noted[digest])) for path, digest in digests.items() if digest in noted}


def _remarks_of(recipe: Recipe) -> str:
    """Return the kind of the notes on images as a recipe decodes them."""
    return f"remarks {recipe.fingerprint}"
