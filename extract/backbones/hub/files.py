"""The files of a KerasHub preset, and the identity that follows from them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from cache import disk
from extract.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "config.json"
CONVERTER = "image_converter.json"
WEIGHTS = "model.weights.h5"
SHARDS = "model.weights.json"
"""What lists the files of the weights, if there are several."""


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that determines the network, by name.

    Raises
    ------
    WeightsError
        If a file is missing or cannot be read.
    """
    names = [CONFIG, *weight_names(folder)]
    if (folder / CONVERTER).is_file():
        names.append(CONVERTER)
    try:
        return {name: disk.sha256(folder / name) for name in sorted(names)}
    except (OSError, ValueError) as error:  # a listed name may be no name of a file
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
        raise WeightsError(
            f"{folder} is not a preset of KerasHub, or not all of one: cannot read {reason}; a "
            f"preset has {CONFIG} and {WEIGHTS}",
            setting="backbone",
        ) from error


def weight_names(folder: Path) -> list[str]:
    """Return the names of the files with the weights.

    Raises
    ------
    WeightsError
        If the list of several cannot be used.
    """
    if (folder / WEIGHTS).exists() or not (folder / SHARDS).exists():
        return [WEIGHTS]
    try:
        listed = json.loads((folder / SHARDS).read_bytes())["weight_map"].values()
        parts = {
            name for entry in listed for name in ([entry] if isinstance(entry, str) else entry)
        }
        if not parts or any(name != (folder / name).name for name in parts):
            raise ValueError("expected names of files in the same folder")
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{folder / SHARDS} does not list the files of the weights ({error})",
            setting="backbone",
        ) from error
    return [SHARDS, *sorted(parts)]


def identity_of(hashes: dict[str, str]) -> str:
    """Return the identity of a preset: the SHA-256 over its files' names and hashes.

    Examples
    --------
    >>> identity_of({"config.json": "ab" * 32})[:12]
    '1a8580885d21'
    """
    lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
