"""Turn what callers pass as data and embedder into a data set and the options of an extraction."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ClassifierError
from extract.datasets.dataset import Dataset, Item
from extract.datasets.grouping.missing import without_missing
from extract.datasets.load import load_unsplit
from extract.options import DataSettings, Options
from toolkit.addresses import as_path, is_remote, sort_key
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from extract.embedder import Embedder


GIVEN_GROUPS = "as given"
"""Where groups come from that a caller has passed, one for each image or row."""


def as_dataset(
    data: Any, options: Options, progress: Progress = silent, groups: Any = None
) -> Dataset:
    """Return a data set for what a caller has passed as `data`.

    Parameters
    ----------
    data : Dataset, str, path or tuple of (paths, labels)
        A data set from `extract.load_dataset`; what that function takes; or image files with their
        labels, of equal length.
    options : Options
        The cache and other settings with which a named data set is found.
    progress : Progress, optional
        Called while a data set is downloaded.
    groups : str, path or array-like, default=None
        Which images belong together: a table, as `extract.load_dataset` takes it; or, for a tuple,
        one value for each path.

    Returns
    -------
    Dataset
        Its images may not have a split yet.

    Raises
    ------
    ClassifierError
        If `data` is none of these, or `groups` do not suit them.
    ToolkitError
        If there is no such data set.

    Examples
    --------
    >>> as_dataset((["a/1.jpg", "a/2.jpg"], ["cat", "dog"]), Options()).classes
    ['cat', 'dog']
    """
    if isinstance(data, Dataset):
        if groups is not None:
            raise ClassifierError(
                "the data are a data set, which knows its groups: leave groups out, or pass them "
                "to load_dataset",
                setting="groups",
            )
        return data
    if isinstance(data, str | os.PathLike) or hasattr(data, "fs"):  # as UPath has
        if groups is not None and not isinstance(groups, str | os.PathLike):
            raise ClassifierError(
                "expected the table with the groups of the images, found "
                f"{type(groups).__name__}; pass images as (paths, labels) to give a group for each",
                setting="groups",
            )
        settings = DataSettings(groups=None if groups is None else os.fspath(groups))
        return load_unsplit(
            str(data), settings=settings, cache=options.base.cache, progress=progress
        )
    if isinstance(data, tuple) and len(data) == 2:
        return _from_paths(*data, groups)
    raise ClassifierError(
        "expected images as a data set (see extract.load_dataset), the name or path of one, or a "
        f"tuple (paths, labels), found {type(data).__name__}"
    )


def as_options(embedder: Embedder | None, *, seed: int = 0) -> Options:
    """Return the settings of an embedder in the form that an extraction takes.

    Parameters
    ----------
    embedder : Embedder or None
        None is an `Embedder` with its defaults.
    seed : int, default=0
        Draws a test split, where the data have none.
    """
    if embedder is None:
        return Options(seed=seed)
    return Options(
        base=embedder.base_settings,
        reading=embedder.read_settings,
        batch_size=embedder.batch_size,
        seed=seed,
    )


def choose_progress(progress: bool | Progress | None, embedder: Any) -> bool | Progress:
    """Return `progress`, or if it is None that of the embedder or of the first that shows any.

    Parameters
    ----------
    progress : bool, Progress or None
        What the caller of `classify.compare` or `classify.audit` has passed.
    embedder : Embedder, str, sequence of these or None
        As those functions take it.

    Examples
    --------
    >>> from extract import Embedder
    >>> choose_progress(None, ["vgg16", Embedder("xception", progress=True)])
    True
    >>> choose_progress(False, Embedder(progress=True))
    False
    """
    if progress is not None:
        return progress
    embedders = embedder if isinstance(embedder, list | tuple) else [embedder]
    wanted = [getattr(each, "progress", False) for each in embedders]
    return next(filter(None, wanted), False)


def check_labels(y: Any) -> list[str]:
    """Return labels as text.

    Raises
    ------
    ClassifierError
        If they are not a list of single values, or one is missing.
    """
    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        raise ClassifierError(
            f"expected labels as a list, with one label for each sample, found shape {values.shape}"
        )
    for row, value in enumerate(values):
        if _is_missing(value):
            raise ClassifierError(f"the label of row {row} is missing; leave the row out")
    return [str(value) for value in values]


def check_groups(groups: Any, n_samples: int) -> list[str | None] | None:
    """Return groups as text, and None for each that is missing: a group of its own.

    Raises
    ------
    ClassifierError
        If they are not a list with one value for each sample.
    """
    if groups is None:
        return None
    values = np.asarray(groups, dtype=object)
    if values.shape != (n_samples,):
        found = f"shape {values.shape}" if values.ndim else repr(groups)
        raise ClassifierError(
            f"expected groups as a list with one value for each of {n_samples:,} samples, found "
            f"{found}",
            setting="groups",
        )
    return [None if _is_missing(value) else str(value) for value in values]


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value
    try:
        return value is None or bool(value != value)  # NaN differs from itself
    except (TypeError, ValueError):  # pandas.NA
        return True


def _from_paths(paths: Any, labels: Any, groups: Any = None) -> Dataset:
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise ClassifierError(
            f"expected a list of paths of images with their labels, found {paths!r} as paths"
        )
    files = [_image_path(path, row) for row, path in enumerate(paths)]
    names = check_labels(labels)
    if len(files) != len(names):
        raise ClassifierError(
            f"expected one label for each image, found {len(files):,} paths and {len(names):,} "
            "labels"
        )
    if not files:
        raise ClassifierError("expected paths of images with their labels, found none")
    twice = [str(file) for file, number in Counter(files).items() if number > 1]
    if twice:
        raise ClassifierError(
            f"expected each path once, found {plural(len(twice), 'path')} several times, for "
            f"example {twice[0]}"
        )
    given = check_groups(groups, len(files))
    items = [
        Item(file, name, None, group)
        for file, name, group in zip(files, names, given or [None] * len(files), strict=True)
    ]
    items.sort(key=lambda item: sort_key(item.path))
    origin = None if given is None else GIVEN_GROUPS
    return without_missing(
        Dataset(
            "images",
            _common_folder(files),
            tuple(items),
            group_origin=origin,
            group_setting="groups",
        )
    )


def _image_path(path: Any, row: int) -> Path:
    if isinstance(path, Path):
        return path
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ClassifierError(
            f"expected the path of an image in row {row}, found {type(path).__name__}; save images "
            "in memory as files first (embeddings are a table of shape (n_samples, n_features), "
            "which only compare takes)"
        )
    return as_path(str(path))


def _common_folder(files: list[Path]) -> Path:
    """Return the folder that all files are in, or an empty path if there is none."""
    if any(map(is_remote, files)):
        return Path()
    try:
        return Path(os.path.commonpath([file.parent for file in files]))
    except ValueError:  # absolute and relative paths
        return Path()
