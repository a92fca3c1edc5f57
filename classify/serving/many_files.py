"""Predictions for many files, written to a table and sorted into folders as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    recipe: Recipe,
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
    recipe : Recipe
        From `classify.serving.blocks.recipe_for`, over all of them.
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


def settings_of(model: Model, reject: float | None) -> dict[str, Any]:
    """Return what decides the predictions of a model, as JSON has it."""
    return {
        "classifier": model.result.classifier,
        "model": model.result.model_sha256,
        "reject": reject,
    }
