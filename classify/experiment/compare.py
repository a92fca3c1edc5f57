"""`compare`: train and evaluate classifiers on the same split of the same images."""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier

from classify.errors import ClassifierError
from classify.evaluation.decision import DECISIONS
from classify.experiment.candidates import candidates_of
from classify.experiment.inputs import ArrayInputs, EmbeddingInputs, ImageInputs
from classify.experiment.run import run
from classify.experiment.settings import RunSettings, TrainingSettings
from classify.image_data import (
    as_dataset,
    as_options,
    check_groups,
    check_labels,
    choose_progress,
)
from extract.datasets.dataset import Dataset
from extract.embedder import Embedder
from extract.embedding_files.load import Embeddings
from extract.options import DataSettings
from reports.runs import RunResults
from toolkit.phases import timed
from toolkit.progress import as_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from classify.evaluation.decision import Decision
    from classify.experiment.candidates import Candidate
    from extract.options import Options
    from toolkit.progress import Progress

logger = logging.getLogger(__name__)

TEST_SIZE = 0.2
MAX_SEED = 2**32 - 1


def compare(
    data: Any,
    embedder: Embedder | str | Sequence[Embedder | str] | None = None,
    classifiers: Any = None,
    *,
    groups: Any = None,
    test_size: float | None = None,
    seed: int = 0,
    repeats: int = 1,
    calibrate: bool = False,
    target_precision: float | None = None,
    reject: float | None = None,
    learning_curve: bool = False,
    audit: bool = False,
    memory_limit: float | None = None,
    priors: Mapping[str, float] | str | None = None,
    decision: Decision = "least-errors",
    dask: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool | Progress | None = None,
) -> RunResults:
    """Train classifiers on frozen embeddings, and compare them on the same test split.

    The embeddings are computed once and kept in the cache. Everything that is chosen (parameters,
    thresholds, calibration, the best classifier) is chosen on the training split; the test split
    gives the final figures.

    Parameters
    ----------
    data : Dataset, str, path or tuple
        - A data set from `extract.load_dataset`, or anything that function takes: a folder, a
          ``.csv`` or ``.zip`` file, an address, ``"shapes"``, ``"dogs-vs-cats"``.
        - ``(paths, labels)``: image files with their labels.
        - ``(X, y)``: embeddings, array-like of shape (n_samples, n_features), with their labels;
          or embeddings from `extract.load_embeddings`. Then there is no `embedder`.
    embedder : Embedder, str or sequence of these, default=None
        The frozen base, or the name of its backbone; several are compared with each other. None is
        ``Embedder()``.
    classifiers : str, estimator, tuple of (str, estimator) or sequence of these, default=None
        Names (``"svm"``, ``"all"``, ``"logreg,svm"``), estimators of this package, or any
        scikit-learn classifier or pipeline that has `predict_proba` or `decision_function`. None is
        every classifier of this package that suits the data, except ``"finetune"``.
    groups : array-like or path, default=None
        Which samples belong together, as images of one patient: they are on one side of the test
        split and of every fold. One value for each row of `X` or each path, missing for a sample on
        its own; or, for a folder or another name of a data set, a table with the columns ``path``
        and ``group``. A data set from `extract.load_dataset` knows its groups.
    test_size : float, default=None
        Share of every class that becomes the test split, where the data have none; None is 0.2.
    seed : int, default=0
        Draws the test split, and is added to the `random_state` of every classifier.
    repeats : int, default=1
        How often each classifier is trained, each time with another seed. The first is reported,
        with the mean and standard deviation of all.
    calibrate : bool, default=False
        Whether to calibrate the probabilities, by cross-validation on the training split.
    target_precision : float, default=None
        Share of correct predictions, such as 0.95, for which a threshold is chosen: below it, the
        prediction is left undecided. See `classify.evaluation.threshold.choose_threshold`.
    reject : float, default=None
        Share of new images like the training images, such as 0.05, that may be refused, so that
        images unlike the training images are; see
        `classify.evaluation.unfamiliar.familiarity.Familiarity`.
    learning_curve : bool, default=False
        Whether to train on fewer images, too, to see whether more would help.
    audit : bool, default=False
        Whether to look for wrong data, too; see `classify.audit`.
    memory_limit : float, default=None
        Bytes that the embeddings of a split may take in memory. If they take more, ``"logreg"``,
        ``"svm"``, ``"ridge"``, ``"lda"`` and ``"dense"`` are trained on the embeddings on disk.
        None is half of the memory.
    priors : dict of str to float or "equal", default=None
        Share of each class among new images; the probabilities are for these shares. None is the
        shares of the training split.
    decision : {"least-errors", "equal-classes"}, default="least-errors"
        Which class is answered: the most probable one, which makes the fewest errors; or the one
        that would be if all classes were as frequent, which finds more of the rare ones.
    dask : str, default=None
        Address of a Dask cluster that computes and trains; None is this process.
    out : str or path, default=None
        Folder of the run, new or empty; None is a new folder in ``runs``.
    progress : bool or Progress, default=None
        True shows a progress bar, False shows nothing. A callback is called with the stage and the
        units done and in total. None does what the embedder's own parameter `progress` says.

    Returns
    -------
    reports.RunResults
        With `results`, `predictions`, `comparisons` and `learning_curves` as data frames, `best`,
        `folder` and `report()`. A notebook displays it as one sentence and a table.

    Raises
    ------
    ClassifierError
        If a parameter has a wrong type or value, there are fewer than two classes, or a class has
        too few samples.
    ToolkitError
        If the data, the weights, the cache or the output folder cannot be used.
    KeyboardInterrupt
        After Ctrl-C; the classifiers that had finished by then are reported in the folder.

    See Also
    --------
    classify.load_model : Predict with a model of the run.
    reports.read_run : Read the results of an earlier run.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from classify import LogReg, compare
    >>> iris = load_iris(return_X_y=True)
    >>> run = compare(iris, None, [LogReg(), RandomForestClassifier()], out=mkdtemp())
    >>> run.results["classifier"].tolist()
    ['logreg', 'RandomForestClassifier']
    >>> run.best
    'logreg'

    With images:

    >>> from extract import Embedder, load_dataset
    >>> data = load_dataset("my-pictures")  # doctest: +SKIP
    >>> run = compare(data, Embedder("vgg16"), ["svm", "logreg"])  # doctest: +SKIP
    """
    shares = {"test_size": test_size, "target_precision": target_precision, "reject": reject}
    _check_parameters(shares, seed, repeats, decision)
    settings = RunSettings(
        repeats=repeats,
        seed=seed,
        calibrate=calibrate,
        target_precision=target_precision,
        reject=reject,
        learning_curve=learning_curve,
        audit=audit,
        memory_limit=memory_limit,
        priors=priors,
        decision=decision,
    )
    with timed(), as_progress(choose_progress(progress, embedder)) as report:
        inputs = _inputs(
            data, embedder, test_size, groups=groups, seed=seed, dask=dask, progress=report
        )
        folder, finished = run(
            _candidates(classifiers, inputs),
            inputs,
            settings,
            out=None if out is None else Path(out),
            command=[_call(data, embedder, classifiers, groups, settings)],
            progress=report,
        )
    for result in finished.results:
        for note in result.notes:
            logger.warning("%s: %s", result.classifier, note)
    return RunResults(folder)


def _inputs(
    data: Any,
    embedder: Any,
    test_size: float | None,
    *,
    groups: Any,
    seed: int,
    dask: str | None,
    progress: Progress,
) -> ArrayInputs | EmbeddingInputs | ImageInputs:
    """Return what the classifiers are trained on: arrays, or images with the options of each base.

    Raises
    ------
    ClassifierError
        If the data, the embedder and the size of the test split contradict each other.
    """
    _check_order(data, embedder)
    share = TEST_SIZE if test_size is None else test_size
    if isinstance(data, Embeddings) or _has_embeddings(data):
        if embedder is not None:
            raise ClassifierError(
                "the data are embeddings, which need no embedder: leave it out, or pass paths "
                "of images"
            )
        if isinstance(data, Embeddings):
            if groups is not None:
                raise ClassifierError(
                    "embeddings from a file know their groups: leave groups out, or pass them to "
                    "load_embeddings",
                    setting="groups",
                )
            return EmbeddingInputs(data, share, dask)
        X, labels = _check_embeddings(*data)
        return ArrayInputs(X, labels, share, dask, check_groups(groups, len(labels)))
    if test_size is not None and isinstance(data, Dataset) and data.has_split:
        raise ClassifierError(
            "the data set already has a test split: leave test_size out, or pass it to load_dataset"
        )
    options = _options(embedder, seed=seed, test_size=share, dask=dask)
    if isinstance(groups, str | os.PathLike):  # for the record
        table = DataSettings(groups=os.fspath(groups))
        options = [dataclasses.replace(one, data_settings=table) for one in options]
    return ImageInputs(as_dataset(data, options[0], progress, groups), options)


def _check_order(data: Any, embedder: Any) -> None:
    """Check that neither labels nor classifiers were passed in the place of the embedder."""
    first = embedder[0] if isinstance(embedder, list | tuple) and embedder else embedder
    if isinstance(first, BaseEstimator) and is_classifier(first):
        raise ClassifierError(
            f"expected an embedder as the second argument, found the classifier {first!r}; write "
            "classifiers=[...]"
        )
    if isinstance(data, list | np.ndarray) or hasattr(data, "to_numpy"):
        raise ClassifierError(
            f"expected data and labels in one tuple, found {type(data).__name__}; write "
            "compare((paths, labels), ...) or compare((X, y), ...)"
        )


def _call(data: Any, embedder: Any, classifiers: Any, groups: Any, settings: RunSettings) -> str:
    """Return the call of `compare`, as far as it can be written down, for the report."""
    first = data
    if isinstance(data, tuple):
        first = "(X, y)" if _has_embeddings(data) else "(paths, labels)"
    elif isinstance(data, Dataset):
        first = data.name
    elif isinstance(data, Embeddings):
        first = f"load_embeddings({data.source.file!r})"
    elif isinstance(data, str | Path):
        first = repr(str(data))
    arguments = [str(first), repr(embedder), repr(classifiers)]
    if groups is not None:
        is_table = isinstance(groups, str | Path)
        arguments.append(f"groups={str(groups)!r}" if is_table else "groups=groups")
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value != field.default:
            arguments.append(f"{field.name}={value!r}")
    return " ".join(f"compare({', '.join(arguments)})".split())


def _candidates(
    classifiers: Any, inputs: ArrayInputs | EmbeddingInputs | ImageInputs
) -> list[Candidate]:
    training = TrainingSettings()
    if classifiers is not None:
        return candidates_of(classifiers, training)
    found = candidates_of("all", training)
    if not isinstance(inputs, ImageInputs):
        return [candidate for candidate in found if candidate.consumes == "embeddings"]
    return found


def _options(embedder: Any, *, seed: int, test_size: float, dask: str | None) -> list[Options]:
    """Return the options of each base."""
    embedders = embedder if isinstance(embedder, list | tuple) else [embedder]
    if not embedders:
        raise ClassifierError("expected at least one embedder, found an empty list")
    found = []
    for one in embedders:
        chosen = Embedder(one) if isinstance(one, str) else one
        if chosen is not None and not isinstance(chosen, Embedder):
            name = one.__name__ + " (a class)" if isinstance(one, type) else type(one).__name__
            raise ClassifierError(
                "expected an Embedder, the name of a backbone, or a list of these as embedder, "
                f"found {name}"
            )
        options = as_options(chosen, seed=seed)
        found.append(dataclasses.replace(options, test_size=test_size, dask=dask))
    backbones = [options.base.backbone for options in found]
    if len(set(backbones)) < len(backbones):
        raise ClassifierError(
            f"expected each backbone once, found {', '.join(backbones)}; compare two settings of "
            "one backbone in two runs"
        )
    return found


def _has_embeddings(data: Any) -> bool:
    """Return whether data are a pair of a table of numbers and labels."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    X = data[0]
    if hasattr(X, "ndim"):
        return bool(X.ndim != 1)
    return bool(isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) > 0)


def _check_embeddings(X: Any, y: Any) -> tuple[np.ndarray, list[str]]:
    """Return embeddings as float32 ``(n_samples, n_features)`` and labels as text.

    Raises
    ------
    ClassifierError
        If they are something else, or their lengths differ.
    """
    try:
        rows = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ClassifierError(
            f"expected embeddings as numbers of shape (n_samples, n_features): {error}"
        ) from error
    if rows.ndim != 2 or not rows.size:
        raise ClassifierError(
            f"expected embeddings of shape (n_samples, n_features), found {rows.shape}; reshape "
            "them, or pass paths of images"
        )
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise ClassifierError(
            f"the embeddings of row {wrong[0]} are not all finite numbers; leave the row out"
        )
    labels = check_labels(y)
    if len(labels) != len(rows):
        raise ClassifierError(
            f"expected one label for each row, found {len(rows):,} rows and {len(labels):,} labels"
        )
    return np.ascontiguousarray(rows), labels


def _check_parameters(shares: Mapping[str, Any], seed: Any, repeats: Any, decision: Any) -> None:
    """Check the values of the parameters.

    Raises
    ------
    ClassifierError
        If one is out of its range.
    """
    if decision not in DECISIONS:
        raise ClassifierError(
            f"expected {' or '.join(map(repr, DECISIONS))} as decision, found {decision!r}",
            setting="decision",
        )
    for name, share in shares.items():
        if share is not None and not (isinstance(share, float) and 0 < share < 1):
            raise ClassifierError(
                f"expected a share between 0 and 1 as {name}, found {share!r}", setting=name
            )
    for name, number, least in (("seed", seed, 0), ("repeats", repeats, 1)):
        whole = hasattr(number, "__index__") and not isinstance(number, bool)
        if not whole or not least <= number <= MAX_SEED:
            raise ClassifierError(
                f"expected a whole number from {least} to {MAX_SEED:,} as {name}, found {number!r}",
                setting=name,
            )
