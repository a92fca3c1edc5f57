"""Extraction on the workers of a Dask cluster: they read, hash and compute, this process commits.

A task is a short list of files. A worker loads the base once, reads every file once, and returns
digests, embeddings and reasons. These go through the same pipeline as what is computed in this
process, so the cache is the same, byte for byte. Dask repeats the tasks of a lost worker, and drops
those of a lost client.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from extract.cluster.connection import connect, explained_errors
from extract.cluster.installed import code_digest
from extract.cluster.tasks import Job, embed, hash_files
from extract.errors import ClusterError, ImageError
from extract.images.files import read_bytes
from extract.images.loading import ahead
from toolkit import ctrl_c
from toolkit.addresses import file_states, is_listed, is_remote
from toolkit.phases import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from extract.frozen import FrozenBase
    from extract.images.decoders.pool import Decoded
    from extract.images.hashing import HashedFile
    from extract.images.loading import ReadSettings
    from extract.pipeline.computation import Loader
    from toolkit.addresses import FileState

T = TypeVar("T")

FILES_PER_TASK = 32
TASKS_PER_THREAD = 2
"""Number of tasks that the scheduler has at a time for each thread that computes."""
_ADVICE = "what was committed is kept, and the same command continues from there"


class Workers:
    """The workers of a cluster, which is connected to when there is something to do.

    Use it as a context manager.

    Parameters
    ----------
    address : str
        See `extract.cluster.connection.connect`.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._stack.__exit__(*exc_info)

    @functools.cached_property
    def _client(self) -> Any:
        return self._stack.enter_context(connect(self._address))

    def hash(self, paths: Sequence[Path]) -> Iterator[HashedFile]:
        """Hash files; a hasher of `extract.images.hashing.hash_images`.

        Raises
        ------
        ClusterError
            If there is no such cluster, the scheduler is lost, or a worker has other code or cannot
            read a file that exists for this process.
        """
        states: dict[Path, FileState | None] = {}
        hash_there = functools.partial(hash_files, code_digest())
        for worker, results in self._results(hash_there, paths, states):
            for file in results:
                state = states.pop(file.path, file.state)
                _require_same_file(worker, file.path, state, file.state, file.reason)
                yield file._replace(state=state)

    def embedder(
        self, base: FrozenBase, reading: ReadSettings, postpone_deep: bool = False
    ) -> Loader:
        """Return a loader of embeddings.

        Parameters
        ----------
        base : FrozenBase
            What the workers compute.
        reading : ReadSettings
            Only `max_pixels` is used; a worker decodes in as many processes as it has cores.
        postpone_deep : bool, default=False
            Whether images of more than 8 bits are hashed only.

        Returns
        -------
        callable
            See `extract.pipeline.extract`. It raises ClusterError as `hash` does, and if a worker
            lacks the weights.
        """
        fields, weights = base.to_dict(), Path(base.weights.source)
        if weights.is_file():
            fields["weights_source"] = str(weights.absolute())
        cache = str(base.store.folder.absolute())
        job = Job(fields, cache, base.engine, reading.max_pixels, postpone_deep, code_digest())

        def load(groups: Iterable[list[Path]]) -> Iterator[tuple[FileState | None, Decoded]]:
            states: dict[Path, FileState | None] = {}
            paths = (group[0] for group in groups)
            for worker, results in self._results(functools.partial(embed, job), paths, states):
                for path, there, decoded in results:
                    state = states.pop(path, there)
                    unread = decoded.reason if decoded.digest is None else ""
                    _require_same_file(worker, path, state, there, unread)
                    yield state, decoded

        return load

    def _results(
        self,
        function: Callable[[list[Path]], tuple[str, list[Any]]],
        paths: Iterable[Path],
        states: dict[Path, FileState | None],
    ) -> Iterator[tuple[str, list[Any]]]:
        """Call a function on the workers with some files at a time; yield the results in order."""
        client = self._client

        def results(check: Callable[[], None]) -> Generator[tuple[str, list[Any]]]:
            return ahead(
                client.get_executor(pure=False),
                function,
                _tasks(paths, states),
                TASKS_PER_THREAD * sum(client.nthreads().values()),
                functools.partial(_result, check),
            )

        with (
            contextlib.closing(ctrl_c.kept_out_of(results)) as found,
            explained_errors(client, _ADVICE),
        ):
            yield from waiting("waiting for the cluster", found)


def _result(check: Callable[[], None], future: Future[T]) -> T:
    """Return a result, or check for Ctrl-C until it is there."""
    while not future.done():
        wait([future], timeout=ctrl_c.SECONDS_BETWEEN_CHECKS)
        check()
    return future.result()


def _require_same_file(
    worker: str, path: Path, here: FileState | None, there: FileState | None, unread: str
) -> None:
    """Check that a worker sees the file of this process under a path, or that neither can read it.

    What tells files apart is their size: the times of copies may differ.
    """
    if is_remote(path):
        return
    problem = ""
    if unread:
        with contextlib.suppress(ImageError):
            read_bytes(path)
            problem = f"worker {worker} cannot read {path}, which this process can read ({unread})"
    elif here and there and here.size != there.size and file_states([path])[0] == here:
        problem = (
            f"worker {worker} finds a file of {there.size:,} bytes at {path}, and this process one "
            f"of {here.size:,}"
        )
    if problem:
        raise ClusterError(
            f"{problem}; put the images where all workers find them under the same path"
        )


def _tasks(
    paths: Iterable[Path], states: dict[Path, FileState | None]
) -> Generator[list[Path], None, None]:
    """Divide files into tasks, and record the status of every file before it is read.

    Workers ask for the status of a file at an address, unless a listing has told it.
    """
    rest = iter(paths)
    while task := list(itertools.islice(rest, FILES_PER_TASK)):
        known = [path for path in task if not is_remote(path) or is_listed(path)]
        states.update(zip(known, file_states(known), strict=True))
        yield task
