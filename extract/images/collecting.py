"""Properties of many images, remembered by the SHA-256 of each."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract.errors import ImageError
from extract.images.decoders.pool import DecoderPool
from extract.images.files import read_bytes
from extract.images.loading import BATCH_SIZE, ReadSettings, ahead
from extract.images.properties.header import read_header_properties
from extract.images.properties.record import ImageProperties
from toolkit.addresses import is_remote
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cache.store import Store

MEASURED, FROM_HEADERS = "properties", "header properties"
"""Kinds of `cache.notes`."""
REMEMBERED_TOGETHER = 500
_FIRST_BYTES = 2**18
"""Of a file, for its header; telephones put up to 128 KiB of previews in front of the sizes."""


def collect_properties(
    digests: Mapping[Path, str],
    store: Store,
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> dict[str, ImageProperties]:
    """Measure images, as far as the store does not remember them.

    Parameters
    ----------
    digests : mapping from Path to str
        Image files with their SHA-256.
    store : Store
        Remembers what was measured.
    reading : ReadSettings, optional
        How files are read and decoded.
    progress : Progress
        Called with the stage "measuring images".

    Returns
    -------
    dict from str to ImageProperties
        By SHA-256. Images that cannot be decoded are left out, and one that has changed is
        there under its new SHA-256.

    Raises
    ------
    DecoderError
        If the processes that decode cannot be started.
    AddressError
        If the server of an address does not respond.
    """
    found = _remembered(store, MEASURED, digests)
    todo = list({d: path for path, d in digests.items() if d not in found}.values())
    if not todo:
        return found
    fresh: dict[str, str] = {}
    with (
        ThreadPoolExecutor(reading.threads(todo), "measure") as pool,
        DecoderPool(1, reading.max_pixels, reading.processes) as decoders,
    ):
        measured = ahead(pool, decoders.properties, todo, 2 * BATCH_SIZE)
        for done, decoded in enumerate(measured, 1):
            if decoded.properties is not None and decoded.digest is not None:
                found[decoded.digest] = decoded.properties
                fresh[decoded.digest] = decoded.properties.to_json()
            if len(fresh) == REMEMBERED_TOGETHER:
                store.notes.remember(MEASURED, fresh)
                fresh = {}
            progress("measuring images", done, len(todo))
    store.notes.remember(MEASURED, fresh)
    return found


def collect_header_properties(
    digests: Mapping[Path, str], store: Store, *, reading: ReadSettings = ReadSettings()
) -> dict[str, ImageProperties]:
    """Read the headers of image files, as far as the store does not remember them.

    Parameters
    ----------
    digests : mapping from Path to str
        Image files with their SHA-256. Nothing is fetched from addresses.
    store : Store
        Remembers what was found.
    reading : ReadSettings, optional
        How many threads read.

    Returns
    -------
    dict from str to ImageProperties
        By SHA-256. Files that cannot be read are left out.
    """
    found = _remembered(store, FROM_HEADERS, digests)
    todo = {d: path for path, d in digests.items() if d not in found and not is_remote(path)}
    if not todo:
        return found

    def read(path: Path) -> ImageProperties | None:
        try:
            return read_header_properties(read_bytes(path, _FIRST_BYTES), path.stat().st_size)
        except (ImageError, OSError):  # the file is gone by now, which others report
            return None

    with ThreadPoolExecutor(reading.threads(todo.values()), "header") as pool:
        headers = zip(todo, pool.map(read, todo.values()), strict=True)
        fresh = {digest: header for digest, header in headers if header is not None}
    store.notes.remember(FROM_HEADERS, {digest: p.to_json() for digest, p in fresh.items()})
    return found | fresh


def _remembered(store: Store, kind: str, digests: Mapping[Path, str]) -> dict[str, ImageProperties]:
    found = {}
    for digest, text in store.notes.recall(kind, list(digests.values())).items():
        with contextlib.suppress(ValueError):  # written by another version
            found[digest] = ImageProperties.from_json(text)
    return found
