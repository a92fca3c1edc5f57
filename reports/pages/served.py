"""The pages of the server for trying a model: one for people, one for programmers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.pages.embedding_map import SHAPES, embedding_map
from reports.pages.page import render_template, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.records import Result, Run

MIB = 2**20


def render_try(
    run: Run, result: Result, max_bytes: int, *, has_places: bool, reject: float | None = None
) -> str:
    """Return the page that classifies photographs.

    Parameters
    ----------
    run : Run
    result : Result
        The classifier of the run that predicts.
    max_bytes : int
        Size in bytes up to which the server accepts a photograph.
    has_places : bool
        Whether images get a position on the run's map; the page has no map otherwise.
    reject : float, optional
        Share of familiar images that may be refused, if images are refused.
    """
    return render_template(
        "serve.html.j2",
        run=run,
        result=result,
        map=embedding_map(run) if has_places else None,
        shapes=SHAPES,
        reject=reject,
        limits={
            "bytes": max_bytes,
            "megabytes": max_bytes // MIB,
            "reject": reject,
            "aspect": run.recipe_of(result).get("aspect", "stretch"),
        },
        **script("serve.js"),
    )


def render_api(schema: Mapping[str, Any], address: str) -> str:
    """Return an OpenAPI schema as a page for programmers.

    Parameters
    ----------
    schema : mapping
        OpenAPI 3.1.
    address : str
        Address of the server, without a trailing slash.
    """
    schemas = schema["components"]["schemas"]
    models = {name: model for name, model in schemas.items() if "Validation" not in name}
    return render_template(
        "api.html.j2", schema=schema, models=models, address=address, type_name=_type_name
    )


def _type_name(schema: Mapping[str, Any]) -> str:
    """Return the type of a part of a schema, in words.

    >>> _type_name({"type": "array", "items": {"$ref": "#/components/schemas/Place"}})
    'list of Place'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_type_name, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type_name(schema['items'])}"
    return str(schema.get("type", "anything"))
