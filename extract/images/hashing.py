"""SHA-256 of image files, remembered until a file changes."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract.errors import ImageError
from extract.images.decoding import read_bytes
from extract.images.loading import ReadSettings, ahead
from toolkit.addresses import file_state, is_remote
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cache.store import Store
    from toolkit.addresses import FileState

REMEMBERED_TOGETHER = 1000
"""So many SHA-256 of files are written to the store in one transaction."""


def hash_images(
    paths: Sequence[Path],
    store: Store,
    *,
    fetch: bool = True,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> tuple[dict[Path, str], dict[Path, str]]:
    """Compute the SHA-256 of every image file, or recall it if the file has not changed.

    Parameters
    ----------
    paths : sequence of Path
        Image files.
    store : Store
        Recalls the SHA-256 of known files, and remembers those of new ones.
    fetch : bool, default=True
        Whether files at addresses are read too. If not, only remembered ones are returned.
    reading : ReadSettings, optional
        How many threads read.
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
    remembered = store.digests(paths)
    unknown = [path for path in paths if path not in remembered and (fetch or not is_remote(path))]
    quarantine: dict[Path, str] = {}
    fresh: dict[Path, tuple[FileState, str]] = {}

    def digest(path: Path) -> tuple[Path, FileState | None, str | ImageError]:
        state = file_state(path)  # before reading, so that a change while reading is noticed
        try:
            return path, state, hashlib.sha256(read_bytes(path)).hexdigest()
        except ImageError as error:
            return path, state, error

    with ThreadPoolExecutor(reading.threads(unknown), "hash") as pool:
        for done, (path, state, result) in enumerate(ahead(pool, digest, unknown, 64), 1):
            if isinstance(result, ImageError):
                quarantine[path] = str(result)
            else:
                remembered[path] = result
                if state is not None:
                    fresh[path] = (state, result)
            progress("hashing images", done, len(unknown))
            if len(fresh) == REMEMBERED_TOGETHER:
                store.remember(fresh)
                fresh = {}
    if fresh:
        store.remember(fresh)
    return {path: remembered[path] for path in paths if path in remembered}, quarantine
