"""The pages of the server that a model is tried on: one for people, one for programmers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.pages.embedding_map import SHAPES, embedding_map
from reports.pages.page import fill, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.record import Result, Run

MIB = 2**20


def render_try(run: Run, result: Result, max_bytes: int, *, has_places: bool) -> str:
    """Return the page that photographs are dropped on.

    Parameters
    ----------
    run : Run
    result : Result
        The classifier of the run that answers.
    max_bytes : int
        Size up to which the server takes a photograph.
    has_places : bool
        Whether answers have a place on the run's map; the page has no map otherwise.
    """
    return fill(
        "serve.html.j2",
        run=run,
        result=result,
        map=embedding_map(run) if has_places else None,
        shapes=SHAPES,
        limits={"bytes": max_bytes, "megabytes": max_bytes // MIB},
        **script("serve.js"),
    )


def render_api(schema: Mapping[str, Any], address: str) -> str:
    """Return the page that tells programmers what an OpenAPI schema says.

    Parameters
    ----------
    schema : mapping
        OpenAPI 3.1.
    address : str
        Of the server, without a slash at its end.
    """
    schemas = schema["components"]["schemas"]
    told = {name: about for name, about in schemas.items() if "Validation" not in name}
    return fill("api.html.j2", schema=schema, told=told, address=address, kind=_kind)


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type that a part of a schema describes, in words.

    >>> _kind({"type": "array", "items": {"$ref": "#/components/schemas/Place"}})
    'list of Place'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type", "anything"))
