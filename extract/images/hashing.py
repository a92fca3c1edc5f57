"""SHA-256 of image files, remembered until a file changes."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract.errors import ImageError
from extract.images.files import read_bytes
from extract.images.formats import is_deep
from extract.images.loading import ReadSettings, ahead
from toolkit.addresses import file_state, is_remote
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cache.store import Store
    from toolkit.addresses import FileState

DEPTH, DEEP, SHALLOW = "depth", "deep", "shallow"
"""A kind of `cache.notes`, and its texts for an image of more than 8 bits and for any other."""

REMEMBERED_TOGETHER = 1000
"""So many SHA-256 of files are written to the store in one transaction."""


@phase("hashing images")
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
        Recalls the SHA-256 of known files, and remembers those of new ones and whether they have
        more than 8 bits.
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
    noted = store.notes.recall(DEPTH, list(remembered.values()))
    unknown += [
        path for path, digest in remembered.items() if digest not in noted and not is_remote(path)
    ]
    if not unknown:
        return {path: remembered[path] for path in paths if path in remembered}, {}
    quarantine: dict[Path, str] = {}
    fresh: dict[Path, tuple[FileState, str]] = {}
    depths: dict[str, str] = {}

    def digest(path: Path) -> tuple[Path, FileState | None, str | ImageError]:
        state = file_state(path)  # before reading, so that a change while reading is noticed
        try:
            data = read_bytes(path)
        except ImageError as error:
            return path, state, error
        sha256 = hashlib.sha256(data).hexdigest()
        depths[sha256] = DEEP if is_deep(data) else SHALLOW
        return path, state, sha256

    with ThreadPoolExecutor(reading.threads(unknown), "hash") as pool:
        for done, (path, state, result) in enumerate(ahead(pool, digest, unknown, 64), 1):
            if isinstance(result, ImageError):
                quarantine[path] = str(result)
                remembered.pop(path, None)
            else:
                remembered[path] = result
                if state is not None:
                    fresh[path] = (state, result)
            progress("hashing images", done, len(unknown))
            if len(fresh) == REMEMBERED_TOGETHER:
                store.remember(fresh)
                fresh = {}
    store.notes.remember(DEPTH, depths)
    if fresh:
        store.remember(fresh)
    return {path: remembered[path] for path in paths if path in remembered}, quarantine
