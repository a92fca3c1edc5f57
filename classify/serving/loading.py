"""Load a trained classifier of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from classify.serving.model import Model
from reports.runs import RunResults

if TYPE_CHECKING:
    import os

    from toolkit.progress import Progress


def load_model(
    folder: str | os.PathLike[str] | RunResults,
    classifier: str | None = None,
    *,
    weights: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | Progress = False,
) -> Model:
    """Load a trained classifier of a run, to classify new images.

    Parameters
    ----------
    folder : str, path or RunResults
        Folder of a run of `classify.compare` or ``python -m classify``, or what `compare` returned.
    classifier : str, default=None
        Name of one of the run's classifiers. None is the best one in validation on the training
        split; the test split plays no part in the choice.
    weights : str, default=None
        The weights of the frozen base, as in `extract.Embedder`; None is where the run found them.
        A quantised network, which is in the run's folder, needs none.
    cache : str or path, default=None
        Cache folder for embeddings; None is the environment variable ``FROZEN_FEATURES_CACHE``, or
        else the user's cache folder.
    progress : bool or Progress, default=False
        True shows a progress bar, also when the model predicts. A callback is called with the stage
        and the units done and in total.

    Returns
    -------
    Model
        With `predict`, `predict_proba` and `classes_`.

    Raises
    ------
    ModelError
        If the run has no such classifier, or its file is missing, damaged or not the one that the
        run has written.
    ToolkitError
        If the run, the weights or the cache cannot be used.

    Notes
    -----
    Nothing is unpickled: a model's file holds arrays and the names of known classes.

    Examples
    --------
    >>> from classify import load_model
    >>> model = load_model("runs/20260131-120000-all")  # doctest: +SKIP
    >>> model.predict(["new.jpg"])  # doctest: +SKIP
    array(['cat'], dtype='<U3')
    >>> model.predict_proba(["new.jpg"]).round(2)  # doctest: +SKIP
    array([[0.97, 0.03]])
    """
    return Model(
        folder.folder if isinstance(folder, RunResults) else Path(folder),
        classifier,
        weights=weights,
        cache=None if cache is None else Path(cache),
        progress=progress,
    )
