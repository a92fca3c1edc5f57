"""Embeddings and predictions as columns of the data frame of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd


def add_predictions(frame: pd.DataFrame, paths: Sequence[Path], model: Any) -> None:
    """Add the columns ``predicted`` and ``probabilities`` to a data frame.

    Parameters
    ----------
    frame : pandas.DataFrame
    paths : sequence of Path
        The image of each row.
    model : object
        See `extract.datasets.dataset.Dataset.to_frame`.
    """
    frame["predicted"] = np.asarray(model.predict(paths), dtype=object)
    frame["probabilities"] = list(np.asarray(model.predict_proba(paths), np.float32))


def add_embeddings(
    frame: pd.DataFrame, paths: Sequence[Path], training: Sequence[Path], embed: Any
) -> None:
    """Add the column ``embedding`` to a data frame.

    Parameters
    ----------
    frame : pandas.DataFrame
    paths : sequence of Path
        The image of each row.
    training : sequence of Path
        The images that a copy of the embedder is fitted on.
    embed : Embedder
    """
    from sklearn.base import clone

    frame["embedding"] = list(np.asarray(clone(embed).fit(training).transform(paths)))
