"""SHA-256 of image files, remembered until a file changes."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from extract.errors import ImageError
from extract.images.files import read_bytes
from extract.images.formats import is_deep
from extract.images.loading import ReadSettings, ahead
from toolkit.addresses import file_state, is_remote
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cache.store import Store
    from toolkit.addresses import FileState

    Hasher = Callable[[Sequence[Path]], Iterator["HashedFile"]]

DEPTH, DEEP, SHALLOW = "depth", "deep", "shallow"
"""A kind of `cache.notes`, and its texts for an image of more than 8 bits and for any other."""

REMEMBERED_TOGETHER = 1000
"""So many SHA-256 of files are written to the store in one transaction."""


class HashedFile(NamedTuple):
    """What was read of a file.

    Attributes
    ----------
    path : Path
    state : FileState or None
        Its status before it was read, so that a change while reading is noticed.
    digest : str or None
        SHA-256 of its bytes; None if it cannot be read.
    deep : bool, default=None
        Whether it is an image of more than 8 bits; None if that was not looked at.
    reason : str, default=""
        Why it cannot be read.
    """

    path: Path
    state: FileState | None
    digest: str | None
    deep: bool | None = None
    reason: str = ""


def hash_file(path: Path) -> HashedFile:
    """Read a file and hash its bytes."""
    state = file_state(path)
    try:
        data = read_bytes(path)
    except ImageError as error:
        return HashedFile(path, state, None, reason=str(error))
    return HashedFile(path, state, hashlib.sha256(data).hexdigest(), is_deep(data))


def recall_digests(paths: Sequence[Path], store: Store) -> dict[Path, str]:
    """Return the remembered SHA-256 of those files that need not be read again.

    Of a file on this machine, it must also be known whether it has more than 8 bits.
    """
    remembered = store.digests(paths)
    noted = store.notes.recall(DEPTH, list(remembered.values()))
    return {path: d for path, d in remembered.items() if d in noted or is_remote(path)}


@phase("hashing images")
def hash_images(
    paths: Sequence[Path],
    store: Store,
    *,
    fetch: bool = True,
    reading: ReadSettings = ReadSettings(),
    hasher: Hasher | None = None,
    progress: Progress = silent,
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Compute the SHA-256 of every image file, or recall it if the file has not changed.

    Parameters
    ----------
    paths : sequence of Path
        Image files.
    store : Store
        Recalls the SHA-256 of known files, and remembers those of new ones and whether they have
        more than 8 bits.
    fetch : bool, default=True
        Whether files at addresses are read too. If not, only remembered ones are returned.
    reading : ReadSettings, optional
        How many threads read.
    hasher : callable, optional
        Hashes files elsewhere; by default, threads of this process do.
    progress : Progress
        Called with the stage "hashing images".

    Returns
    -------
    digests : dict from Path to str
        SHA-256 of every readable file, in the order of `paths`.
    quarantine : dict from Path to str
        The other files, each with the reason.

    Raises
    ------
    AddressError
        If the server of an address does not respond.
    """
    digests = recall_digests(paths, store)
    unknown = [path for path in paths if path not in digests and (fetch or not is_remote(path))]
    if not unknown:
        return {path: digests[path] for path in paths if path in digests}, {}
    quarantine: dict[Path, str] = {}
    fresh: list[HashedFile] = []
    with ThreadPoolExecutor(reading.threads(unknown), "hash") as pool:
        hashed = hasher(unknown) if hasher else ahead(pool, hash_file, unknown, 64)
        try:
            for done, file in enumerate(hashed, 1):
                if file.digest is None:
                    quarantine[file.path] = file.reason
                else:
                    digests[file.path] = file.digest
                    fresh.append(file)
                progress("hashing images", done, len(unknown))
                if len(fresh) == REMEMBERED_TOGETHER:
                    remember_files(fresh, store)
                    fresh = []
        finally:
            remember_files(fresh, store)
    return {path: digests[path] for path in paths if path in digests}, quarantine


def remember_files(files: Sequence[HashedFile], store: Store) -> None:
    """Remember the SHA-256 of files that could be read, and whether they have more than 8 bits."""
    depths = {
        f.digest: DEEP if f.deep else SHALLOW for f in files if f.digest and f.deep is not None
    }
    store.notes.remember(DEPTH, depths)  # first, because a remembered file is not read again
    store.remember({f.path: (f.state, f.digest) for f in files if f.state and f.digest})
