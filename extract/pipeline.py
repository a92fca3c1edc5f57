"""Images -> embeddings: reading, decoding, the forward pass and the commit, overlapped.

Decoding runs ahead in processes (see `extract.images.decoders.pool`), the forward pass runs in the
calling thread, and the commit in a thread behind it. The queues are bounded, so memory does not
grow with the number of images.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache.store import COMMITTING, SHARD_ROWS
from extract.errors import ClusterError
from extract.images.decoders.pool import Decoded, DecoderPool
from extract.images.hashing import (
    REMEMBERED_TOGETHER,
    HashedFile,
    hash_images,
    remember_files,
)
from extract.images.inputs import image_digest
from extract.images.loading import BATCH_SIZE, DECODING, ReadSettings, ahead
from extract.images.pixels import Remark
from extract.images.resizing import resize
from toolkit.addresses import file_state
from toolkit.errors import AddressError
from toolkit.phases import phase, waiting
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cache.store import Store
    from extract.engines import Engine
    from extract.recipe import Recipe
    from toolkit.addresses import FileState

    Loader = Callable[[Iterable[list[Path]]], Iterator[tuple[FileState | None, Decoded]]]
    """Turns groups of files with the same bytes into the first file's status and what it became."""


@dataclass(frozen=True)
class ExtractionResult:
    """The result of an extraction.

    Parameters
    ----------
    digests : dict from Path to str
        SHA-256 of the bytes of each usable file: the name of its embedding under the recipe.
    quarantine : dict from Path to str
        The files that cannot be used, each with the reason.
    cached : int
        Number of usable files whose embedding was in the store already.
    computed : int
        Number of usable files whose embedding was computed now.
    seconds : float
        Wall-clock time.
    remarks : dict from Path to Remark, default={}
        What a reader should know about usable files.
    """

    digests: dict[Path, str]
    quarantine: dict[Path, str]
    cached: int
    computed: int
    seconds: float
    remarks: dict[Path, Remark] = field(default_factory=dict)


def extract(
    paths: Sequence[Path],
    recipe: Recipe,
    store: Store,
    make_engine: Callable[[], Engine],
    *,
    batch_size: int = BATCH_SIZE,
    reading: ReadSettings = ReadSettings(),
    loader: Loader | None = None,
    known: Mapping[Path, str] | None = None,
    progress: Progress = silent,
) -> ExtractionResult:
    """Put the embedding of every image file into the store, computing those that are missing.

    Parameters
    ----------
    paths : sequence of Path
        Image files. Two files with the same bytes are one image and are computed once.
    recipe : Recipe
        What to compute.
    store : Store
        Where embeddings are looked up and committed.
    make_engine : callable
        Called once, and only if something must be computed.
    batch_size : int, default=32
        Images per forward pass. It changes the speed, not the numbers.
    reading : ReadSettings, optional
        How files are read. The limit of pixels decides which images are computed, not what is
        computed: an embedding that is in the store is used, whatever the size of the image.
    loader : callable, optional
        Called in place of `make_engine`, if something must be computed. It returns embeddings
        instead of decoded images; see `extract.cluster.workers.Workers.embedder`.
    known : mapping from Path to str, optional
        SHA-256 of files that are hashed already; others are hashed when they are decoded. By
        default, all are hashed first.
    progress : Progress
        Called with the stages "hashing images" and "computing embeddings".

    Returns
    -------
    ExtractionResult

    Raises
    ------
    DecoderError
        If the processes that decode cannot be started.
    AddressError
        If the server of an address does not respond.
    ClusterError
        From `loader`.
    KeyboardInterrupt
        After Ctrl-C, with a message. What was computed until any error is committed.
    """
    started = time.monotonic()
    quarantine: dict[Path, str] = {}
    if known is None:
        known, quarantine = hash_images(
            paths, store, fetch=False, reading=reading, progress=progress
        )
    digests = {path: known[path] for path in paths if path in known}
    todo = _todo(paths, digests, quarantine, store.missing(recipe.fingerprint, [*digests.values()]))
    computed: set[str] = set()
    if todo:
        if loader:
            # What it returns needs no engine any more.
            computation = _Computation(recipe, store, lambda: lambda x: x, batch_size, progress)
            computation.compute(todo, loader)
        else:
            computation = _Computation(recipe, store, make_engine, batch_size, progress)
            with (
                ThreadPoolExecutor(reading.threads(paths), "decode") as pool,
                DecoderPool(recipe.pixels, reading.max_pixels, reading.processes) as decoders,
            ):
                computation.compute(todo, _decoding_loader(pool, decoders, 2 * batch_size))
        computed = computation.computed
        quarantine |= computation.quarantine
        digests |= computation.changed
        digests = {path: digest for path, digest in digests.items() if path not in quarantine}
    n_computed = sum(digest in computed for digest in digests.values())
    return ExtractionResult(
        digests,
        quarantine,
        cached=len(digests) - n_computed,
        computed=n_computed,
        seconds=time.monotonic() - started,
        remarks=_recall_remarks(digests, recipe, store),
    )


def extract_images(
    images: Sequence[np.ndarray],
    recipe: Recipe,
    store: Store,
    make_engine: Callable[[], Engine],
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress = silent,
) -> list[str]:
    """Put the embedding of every image in memory into the store, computing those that are missing.

    Parameters
    ----------
    images : sequence of numpy.ndarray of uint8, shape (height, width, 3)
        RGB. They are resized as image files are.
    recipe, store, make_engine, batch_size, progress
        As in `extract`.

    Returns
    -------
    list of str, length n_images
        From `extract.images.inputs.image_digest`: the name of each embedding under the recipe.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with a message. What was computed until then is committed.
    """
    digests = [image_digest(image) for image in images]
    by_digest = dict(zip(digests, images, strict=True))
    todo = {digest: [Path(digest)] for digest in store.missing(recipe.fingerprint, digests)}

    def load(groups: Iterable[list[Path]]) -> Iterator[tuple[None, Decoded]]:
        for (name,) in groups:
            yield None, Decoded(name.name, resize(by_digest[name.name], recipe.pixels))

    if todo:
        _Computation(recipe, store, make_engine, batch_size, progress).compute(todo, load)
    return digests


def _recall_remarks(
    digests: Mapping[Path, str], recipe: Recipe, store: Store
) -> dict[Path, Remark]:
    noted = store.notes.recall(_remarks_of(recipe), list(digests.values()))
    return {path: Remark(int(noted[digest])) for path, digest in digests.items() if digest in noted}


def _remarks_of(recipe: Recipe) -> str:
    """Return the kind of the notes on images as a recipe decodes them."""
    return f"remarks {recipe.fingerprint}"


def _todo(
    paths: Sequence[Path],
    digests: Mapping[Path, str],
    quarantine: Mapping[Path, str],
    missing: Iterable[str],
) -> dict[str, list[Path]]:
    """Return the files to compute, grouped by digest.

    A file at an address that must be fetched is hashed when it is decoded, so that it is fetched
    only once. Until then its address stands for its digest, as if the file had changed.
    """
    todo: dict[str, list[Path]] = {digest: [] for digest in missing}
    for path in dict.fromkeys(paths):
        if path in digests:
            if digests[path] in todo:
                todo[digests[path]].append(path)
        elif path not in quarantine:
            todo[str(path)] = [path]
    return todo


def _decoding_loader(pool: ThreadPoolExecutor, decoders: DecoderPool, n_ahead: int) -> Loader:
    def load(paths: list[Path]) -> tuple[FileState | None, Decoded]:
        return file_state(paths[0]), decoders(paths[0])

    return lambda todo: waiting(DECODING, ahead(pool, load, todo, n_ahead))


class _Computation:
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
        self._rows: list[tuple[list[str], np.ndarray]] = []
        self._remarks: dict[str, Remark] = {}
        self._n_committed = 0
        self._commit: Future[None] | None = None

    def compute(self, todo: dict[str, list[Path]], loader: Loader) -> None:
        """Compute and commit the images of `todo`, from the first usable file of each digest."""
        total = len(todo)
        with ThreadPoolExecutor(1, "commit") as committer:
            try:
                self._progress("computing embeddings", 0, total)
                while todo:
                    todo = self._compute_first(todo, loader, committer, total)
                self._forward()
                self._start_commit(committer)
                self._finish_commit()
                self._remember()
            except (KeyboardInterrupt, AddressError, ClusterError) as stop:
                self._start_commit(committer)
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
        self,
        todo: dict[str, list[Path]],
        loader: Loader,
        committer: ThreadPoolExecutor,
        total: int,
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
                    self._progress("computing embeddings", done, total)
                if sum(len(rows) for _, rows in self._rows) >= SHARD_ROWS:
                    self._start_commit(committer)
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
        self._rows.append((digests, self._engine(images)))

    @phase(COMMITTING)
    def _start_commit(self, committer: ThreadPoolExecutor) -> None:
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
        self._commit = committer.submit(
            self._store.append, recipe.fingerprint, recipe.canonical, digests, rows
        )
        self._n_committed += len(digests)

    @phase(COMMITTING)
    def _finish_commit(self) -> None:
        if self._commit is not None:
            self._commit.result()
            self._commit = None
