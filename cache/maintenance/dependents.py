"""Which runs need a network or weights that are kept in the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cache import disk, file_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def runs_without_network(folder: Path, runs: Path) -> list[Path]:
    """Return the runs that have no copy of their quantised network, which is in the cache.

    Parameters
    ----------
    folder : Path
        The cache folder.
    runs : Path
        Its direct subfolders are searched. It may be missing.

    Returns
    -------
    list of Path
        Folders of runs, sorted. Only runs of earlier versions have no copy.
    """
    with disk.attempt(f"list {folder / 'models'}"):
        kept = {path.stem for path in (folder / "models").glob("*.zip")}

    def needs(recipe: dict[str, Any], run: Path) -> bool:
        quantised = str(recipe.get("quantised"))
        return quantised in kept and not any(run.rglob(f"{quantised}.zip"))

    return _runs(runs, needs)


def runs_without_weights(folder: Path, runs: Path) -> list[Path]:
    """Return the runs that need weights which were downloaded into the cache.

    Parameters
    ----------
    folder : Path
        The cache folder.
    runs : Path
        Its direct subfolders are searched. It may be missing.

    Returns
    -------
    list of Path
        Folders of runs, sorted. A quantised network needs no weights.
    """
    with disk.attempt(f"list {folder / 'weights'}"):
        records = [file_records.read_record(path) for path in (folder / "weights").glob("*.json")]
    kept = {fields.get("identity") for fields in records if fields and "file" in fields}

    def needs(recipe: dict[str, Any], run: Path) -> bool:  # noqa: ARG001 - the other one's signature
        return recipe.get("quantised") is None and recipe["weights"] in kept

    return _runs(runs, needs)


def _runs(runs: Path, needs: Callable[[dict[str, Any], Path], bool]) -> list[Path]:
    with disk.attempt(f"list {runs}"):
        records = sorted(runs.glob("*/run.json"))
    return [
        path.parent
        for path in records
        if any(needs(recipe, path.parent) for recipe in _recipes(_read(path)))
    ]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # nobody can predict with such a run
        return None


def _recipes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the recipes in a record of any version, wherever they are."""
    if isinstance(value, dict):
        if isinstance(value.get("fingerprint"), str) and isinstance(value.get("weights"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _recipes(part)
