"""Records of files that are kept beside the embeddings; they reveal when a file is damaged.

A record is a JSON text ``NAME.json`` with a digest of its own fields. If it has the fields ``file``
and ``sha256``, the file of that name is beside it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cache import disk

_DIGEST = "seal"


def write_record(path: Path, **fields: str) -> None:
    """Write a record.

    Parameters
    ----------
    path : Path
        The file ``NAME.json``; its folder is created if need be.
    **fields : str
        What to record.

    Raises
    ------
    CacheError
        If the file cannot be written.
    """
    with disk.attempt(f"write {path}"):
        disk.publish(path, json.dumps({**fields, _DIGEST: _digest(fields)}).encode("ascii"))


def read_record(path: Path) -> dict[str, str] | None:
    """Return the fields of a record; None if there is no record, or it is damaged."""
    try:
        fields = json.loads(path.read_text(encoding="ascii"))
        digest = fields.pop(_DIGEST)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in fields.values()):
        return None
    return fields if digest == _digest(fields) else None


def verify_records(folder: Path, *, repair: bool = False) -> list[str]:
    """Check the records in a folder and the files that they name.

    Parameters
    ----------
    folder : Path
        May be missing.
    repair : bool, default=False
        Delete what is damaged, so that it is downloaded or computed again.

    Returns
    -------
    list of str
        One sentence for each damaged file or record, as found before the repair.

    Raises
    ------
    CacheError
        If a file cannot be read or deleted.
    """
    problems = []
    with disk.attempt(f"list {folder}"):
        records = sorted(folder.glob("*.json"))
    for record in records:
        fields = read_record(record)
        damaged: list[Path] = []
        if fields is None:
            damaged = [record]
            problems.append(f"{record} is damaged: its digest does not match")
        elif "file" in fields:
            file = folder / Path(fields["file"]).name
            with disk.attempt(f"read {file}"):
                if file.exists() and disk.sha256(file) != fields.get("sha256"):
                    damaged = [file]
                    problems.append(f"{file} is damaged: its SHA-256 is not the recorded one")
        for path in damaged if repair else []:
            with disk.attempt(f"delete {path}"):
                path.unlink(missing_ok=True)
    return problems


def _digest(fields: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()
