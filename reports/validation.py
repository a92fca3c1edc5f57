"""Build dataclasses from JSON, with every value checked against its type."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from reports.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 32

T = TypeVar("T")


def build(cls: type[T], raw: Mapping[str, Any], where: str) -> T:
    """Build a dataclass, and the dataclasses in it, from a JSON object.

    Parameters
    ----------
    cls : type
        The dataclass. Keys that are none of its fields are ignored.
    raw : mapping
        As `json.loads` returns it.
    where : str
        Name of the object in messages.

    Raises
    ------
    RecordError
        If a field is missing, or its value has the wrong type.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is always a dataclass here
        if entry.name in raw:
            values[entry.name] = _convert(
                hints[entry.name], raw[entry.name], f"{where}.{entry.name}"
            )
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise RecordError(f"not a run record: {where}.{entry.name} is missing")
    return cls(**values)


def _check_depth(value: Any, where: str, left: int = MAX_DEPTH) -> None:
    """Refuse lists and objects that are nested deeper than the code that renders them can go."""
    if left == 0:
        raise RecordError(f"not a run record: {where} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_depth(inner, where, left - 1)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Check `value` against the type `hint`, and build nested dataclasses."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        _check_depth(value, where)
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, where)  # type: ignore[arg-type]  # a class, not an instance
    if origin is list and isinstance(value, list):
        return [_convert(args[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _convert(args[1], item, f"{where}[{key!r}]") for key, item in value.items()}
    if type(None) in args:
        inner = next(arg for arg in args if arg is not type(None))
        return None if value is None else _convert(inner, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise RecordError(f"not a run record: {where} is too large a number") from error
    if (
        isinstance(hint, type)
        and isinstance(value, hint)
        and isinstance(value, bool) == (hint is bool)
    ):
        if isinstance(value, int) and value < 0:  # all are counts, except the seed and the schema
            raise RecordError(f"not a run record: {where} is {value}, expected 0 or more")
        return value
    raise RecordError(f"not a run record: {where} is {type(value).__name__}, not {hint}")
