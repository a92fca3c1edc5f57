"""Records of files that are kept beside the embeddings, by which rot in them is found.

A record is a JSON text ``NAME.json`` with a digest of its own fields. Where it names a ``file``
with its ``sha256``, that file lies beside it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cache import disk

_SEAL = "seal"


def write_record(path: Path, **fields: str) -> None:
    """Write a record.

    Raises
    ------
    CacheError
        If the disk does not take it.
    """
    with disk.attempt(f"write {path}"):
        disk.publish(path, json.dumps({**fields, _SEAL: _seal(fields)}).encode("ascii"))


def read_record(path: Path) -> dict[str, str] | None:
    """Return the fields of a record; None if there is none, or it is not as it was written."""
    try:
        found = json.loads(path.read_text(encoding="ascii"))
        sealed = found.pop(_SEAL)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in found.values()):
        return None
    return found if sealed == _seal(found) else None


def verify(folder: Path, *, repair: bool = False) -> list[str]:
    """Check the records in a folder and the files that they name.

    Parameters
    ----------
    folder : Path
        It need not exist.
    repair : bool
        Delete what is bad, so that it is fetched or found again.

    Returns
    -------
    list of str
        One sentence for each bad file or record, as they were before the repair.

    Raises
    ------
    CacheError
        If the system does not let us read or delete a file.
    """
    problems = []
    with disk.attempt(f"list {folder}"):
        records = sorted(folder.glob("*.json"))
    for record in records:
        fields = read_record(record)
        bad: list[Path] = []
        if fields is None:
            bad = [record]
            problems.append(f"{record} is not as it was written")
        elif "file" in fields:
            file = folder / Path(fields["file"]).name
            with disk.attempt(f"read {file}"):
                if file.exists() and disk.sha256(file) != fields.get("sha256"):
                    bad = [file]
                    problems.append(f"{file} is not what was fetched: its SHA-256 is another")
        for path in bad if repair else []:
            with disk.attempt(f"delete {path}"):
                path.unlink(missing_ok=True)
    return problems


def _seal(fields: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()
