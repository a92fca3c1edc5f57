"""Reading the record of a run, with every field checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reports.consistency import check_lengths
from reports.errors import RecordError
from reports.records import RECORD_NAME, SCHEMA, Run
from reports.validation import build

if TYPE_CHECKING:
    from pathlib import Path

MOST_FOLDS = 20
"""In a record of schema 1, a search with more folds left out each image in turn."""


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
    run = build(Run, _upgraded(raw) if raw["schema"] < SCHEMA else raw, "run")
    check_lengths(run)
    return run


def _upgraded(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a record of schema 1 with the fields of schema 2.

    Schema 1 stored the recipe and the extraction of the first base apart from `bases`, which was
    empty unless there were several; it did not say how a search was validated, and called outliers
    "oddities". Fields of a wrong type are left for `build` to refuse.
    """
    run = {**raw, "schema": SCHEMA}
    recipe = raw.get("recipe")
    if not raw.get("bases"):
        if not isinstance(recipe, dict):
            raise RecordError("not a run record: run.recipe is missing")
        extraction = raw.get("extraction")
        backbone = recipe.get("backbone", "")
        run["bases"] = [{"backbone": backbone, "recipe": recipe, "extraction": extraction}]
    audit = raw.get("audit")
    if isinstance(audit, dict) and "oddities" in audit:
        run["audit"] = {**audit, "outliers": audit["oddities"]}
    if isinstance(raw.get("results"), list):
        n_train = _n_train(raw)
        run["results"] = [_with_method(result, n_train) for result in raw["results"]]
    return run


def _n_train(raw: dict[str, Any]) -> int:
    counts = raw["data"].get("train_counts") if isinstance(raw.get("data"), dict) else None
    return sum(n for n in counts if isinstance(n, int)) if isinstance(counts, list) else 0


def _with_method(result: Any, n_train: int) -> Any:
    """Return a result of schema 1 whose search says how it was validated."""
    search = result.get("search") if isinstance(result, dict) else None
    if not isinstance(search, dict) or not isinstance(search.get("folds"), int):
        return result
    folds = search["folds"]
    method = "cross-validation"
    if folds == 1:
        method = "hold-out"
    elif folds > MOST_FOLDS or folds == n_train:
        method = "leave-one-out"
    return {**result, "search": {**search, "method": method}}


def exists(path: Path) -> bool:
    """Tell whether a file exists; False where the system refuses to say."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
