"""Reading the record of a run, with every field checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reports.consistency import check_lengths
from reports.errors import RecordError
from reports.record import RECORD_NAME, SCHEMA, Run
from reports.validation import build

if TYPE_CHECKING:
    from pathlib import Path


def read_record(folder: Path) -> Run:
    """Read the record of the run in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that ``python -m classify`` or `classify.compare` wrote.

    Raises
    ------
    RecordError
        If there is no record in `folder`, or it cannot be read.

    See Also
    --------
    reports.read_run : The same run with its tables as data frames.
    """
    path = folder / RECORD_NAME
    try:
        if path.exists() and not path.is_file():  # opening a FIFO would block
            raise OSError("not a regular file")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise RecordError(
            f"{folder} is not a run: cannot read {RECORD_NAME} ({reason}); "
            "expected a folder that python -m classify wrote"
        ) from error
    try:
        return parse_record(text)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error


def parse_record(text: str) -> Run:
    """Build a record from the text of `run.json`.

    Parameters
    ----------
    text : str
        JSON, as `Run.to_json` returns it.

    Raises
    ------
    RecordError
        If `text` is not JSON, has a newer schema, lacks a field of the record, or holds lists
        whose lengths do not match.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not a run record: the text is not JSON ({error})") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
        raise RecordError("not a run record: expected a JSON object with a schema number")
    if raw["schema"] > SCHEMA:
        raise RecordError(
            f"this run record has schema {raw['schema']}, this version reads up to {SCHEMA}; "
            "upgrade frozen-features to read it"
        )
    run = build(Run, raw, "run")
    check_lengths(run)
    return run


def exists(path: Path) -> bool:
    """Tell whether a file exists; False where the system refuses to say."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
