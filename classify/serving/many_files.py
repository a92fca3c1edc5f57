"""Predictions for many files, written to a table and sorted into folders as they are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from classify.serving.blocks import recipe_for
from classify.serving.sorting.destinations import N_COMPARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from classify.serving.model import Model
    from classify.serving.output.table import PartialTable
    from classify.serving.prediction import Prediction
    from classify.serving.sorting.sorter import Sorter
    from extract.recipe import Recipe


def predict_many(
    model: Model,
    files: Sequence[str],
    *,
    reject: float | None = None,
    top: int = 0,
    table: PartialTable | None = None,
    sorter: Sorter | None = None,
    only_missing: bool = False,
) -> Iterator[list[Prediction]]:
    """Classify files block by block; yield each block once it is in the table and in its folders.

    Parameters
    ----------
    model : Model
    files : sequence of str
        Image files or their addresses.
    reject, top
        As for `Model.stream_files`.
    table : PartialTable, optional
        Gets a row for each file; before images are moved, so that a row is never missing.
    sorter : Sorter, optional
        Sorts each file.
    only_missing : bool, default=False
        Whether files are left out that have a row and have been sorted already.
    """
    if table is not None:
        table.go_on(files, sorter.has_moved if sorter is not None else lambda _: False)
    recipe = _recipe(model, files, [part for part in (table, sorter) if part is not None])
    if only_missing:
        files = [
            file
            for file in files
            if (table is not None and file not in table)
            or (sorter is not None and file not in sorter)
        ]
    listed = top if sorter is None else max(top, N_COMPARED)
    for predictions in model.predict_blocks(files, recipe, reject=reject, top=listed):
        if table is not None:
            table.add(predictions)
        if sorter is not None:
            sorter.place(predictions)
        yield predictions


def _recipe(
    model: Model, files: Sequence[str], going_on: Sequence[PartialTable | Sorter]
) -> Recipe:
    """Return the recipe for all files of a job; one that goes on keeps what it has decided.

    So its files that are done need not be read again, and new ones are treated as they were.
    """
    known = next((part.value_range for part in going_on if part.value_range), None)
    if known is None:
        recipe = recipe_for(model.reader, files)
    else:
        bits, black, white = known
        recipe = dataclasses.replace(model.base.recipe, bits=bits, black=black, white=white)
    for part in going_on:
        part.keep_value_range((recipe.bits, recipe.black, recipe.white))
    return recipe


def settings_of(model: Model, reject: float | None) -> dict[str, Any]:
    """Return what decides the predictions of a model, as JSON has it."""
    return {
        "classifier": model.result.classifier,
        "model": model.result.model_sha256,
        "reject": reject,
    }
