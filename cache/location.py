"""Where the cache folder is, and what it contains.

::

    <cache>/
        CACHEDIR.TAG     tells backup programs to skip the folder
        index.sqlite     which row of which shard belongs to which image and recipe
        shards/          immutable .npy files, each named after the SHA-256 of its bytes
        weights/         pretrained weights
        models/          networks converted or quantised for the faster engine
        maps/            positions of the images on the maps of reports
        data/            data sets that were downloaded, unpacked or drawn
        leases/          one locked file for every running command
        quarantine/      lists of files that could not be used as images
"""

from __future__ import annotations

import os
from pathlib import Path

from cache import disk
from cache.errors import CacheError

ENVIRONMENT_VARIABLE = "FROZEN_FEATURES_CACHE"

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of frozen-features: it can be deleted and will be computed again.\n"
    "# For the meaning of this file see https://bford.info/cachedir/\n"
)


def cache_folder(cache: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache folder; create it if need be.

    Parameters
    ----------
    cache : str or path, default=None
        The folder that the user chose. None takes the environment variable
        ``FROZEN_FEATURES_CACHE``, or else the system's folder for a user's caches.

    Returns
    -------
    Path
        The absolute path of an existing folder.

    Raises
    ------
    CacheError
        If the folder cannot be created, or the user has none.
    """
    folder = _chosen(cache or os.environ.get(ENVIRONMENT_VARIABLE))
    with disk.attempt(
        f"use {folder} as the cache folder",
        f"choose another one, or set the environment variable {ENVIRONMENT_VARIABLE}",
        setting="cache",
    ):
        disk.make_folder(folder)
        tag = folder / "CACHEDIR.TAG"
        if not tag.exists():
            disk.publish(tag, _TAG.encode("ascii"))
    return folder


def _chosen(folder: str | os.PathLike[str] | None) -> Path:
    """Return the folder that the user chose, or else the system's."""
    if folder:
        try:
            return Path(folder).expanduser().absolute()
        except RuntimeError as error:
            raise CacheError(
                f"cannot use {str(folder)!r} as the cache folder: {error}; choose another one",
                setting="cache",
            ) from error
    import platformdirs

    try:
        default = Path(platformdirs.user_cache_dir("frozen-features", appauthor=False))
    except RuntimeError:  # older versions of platformdirs return a relative path instead
        default = Path()
    if not default.is_absolute():
        raise CacheError(
            "this user has no home folder to keep the cache in; choose a folder for it, or set the "
            f"environment variable {ENVIRONMENT_VARIABLE}",
            setting="cache",
        )
    return default
