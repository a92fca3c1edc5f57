"""The converted and quantised networks that are kept beside the embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache import disk, file_records
from toolkit.wording import plural

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "models"


@dataclass(frozen=True)
class NetworkEntry:
    """A file in the folder of networks.

    Parameters
    ----------
    name : str
        Of the file.
    description : str
        What its record says that it is; empty without an intact record.
    bytes : int
    created : float
        Seconds since 1970.
    """

    name: str
    description: str
    bytes: int
    created: float


def list_networks(folder: Path) -> list[NetworkEntry]:
    """Return the networks in a cache, sorted by their descriptions.

    Parameters
    ----------
    folder : Path
        The cache folder.

    Raises
    ------
    CacheError
        If the folder cannot be read.
    """
    with disk.attempt(f"list {folder / FOLDER}"):
        paths = [path for path in (folder / FOLDER).glob("*") if path.is_file()]
        records = [file_records.read_record(path) for path in paths if path.suffix == ".json"]
        described = {fields.get("file"): _describe(fields) for fields in records if fields}
        entries = [
            NetworkEntry(path.name, described.get(path.name, ""), status.st_size, status.st_mtime)
            for path in paths
            if path.suffix not in (".json", ".lock")
            for status in [path.stat()]
        ]
    return sorted(entries, key=lambda entry: (entry.description, entry.name))


def _describe(fields: dict[str, str]) -> str:
    """Say what a network is: backbone, size of its input, precision and calibration."""
    try:
        recipe = dict(json.loads(fields["recipe"]))
        text = f"{recipe['backbone']}, {recipe['size']} pixels, {recipe['precision']}"
    except (KeyError, ValueError, TypeError, RecursionError):  # only in a forged record
        return ""
    if "images" in fields:
        text += f", calibrated on {plural(len(fields['images'].split()), 'image')}"
    return text + (f" of {fields['source']}" if fields.get("source") else "")
