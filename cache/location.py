"""Where the cache folder is, and what lies in it.

::

    <cache>/
        CACHEDIR.TAG     tells backup programs to pass the folder over
        index.sqlite     which row of which shard belongs to which image and recipe
        shards/          immutable .npy files, each named by the SHA-256 of its bytes
        weights/         pretrained weights
        models/          networks converted or quantised for the faster engine
        maps/            where pictures lie on the maps of reports
        data/            data sets that were downloaded, unpacked or drawn
        leases/          one locked file for every command that is running
        quarantine/      lists of files that could not be used as images
"""

from __future__ import annotations

import os
from pathlib import Path

from cache import disk

ENVIRONMENT_VARIABLE = "FROZEN_FEATURES_CACHE"

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of frozen-features: it can be deleted and will be computed again.\n"
    "# For the meaning of this file see https://bford.info/cachedir/\n"
)


def cache_folder(chosen: str | Path | None = None) -> Path:
    """Return the cache folder, made if need be.

    Parameters
    ----------
    chosen : str or Path, optional
        The folder that the user named; else the variable ``FROZEN_FEATURES_CACHE``, else the
        system's folder for a user's caches.

    Returns
    -------
    Path
        An absolute path of a folder that exists.

    Raises
    ------
    CacheError
        If the folder cannot be made.
    """
    named = chosen or os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        folder = Path(named).expanduser().absolute()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("frozen-features", appauthor=False))
    with disk.attempt(
        f"use {folder} as the cache folder",
        f"name another with --cache or the variable {ENVIRONMENT_VARIABLE}",
    ):
        disk.make_folder(folder)
        tag = folder / "CACHEDIR.TAG"
        if not tag.exists():
            disk.publish(tag, _TAG.encode("ascii"))
    return folder
