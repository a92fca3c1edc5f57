"""`load_dataset`: from the name, path or address of a data set to its labelled, split images."""

from __future__ import annotations

import dataclasses
import logging
import os
from numbers import Integral, Real
from typing import TYPE_CHECKING

from cache.location import cache_folder
from cache.store import Store
from extract.datasets.corrections import apply_corrections
from extract.datasets.grouping.checks import describe_groups, require_groups
from extract.datasets.grouping.missing import without_missing
from extract.datasets.grouping.signs import group_signs, remarks_on_signs
from extract.datasets.grouping.sources import with_groups
from extract.datasets.labels import require_images, settle_labels
from extract.datasets.layouts import read_dataset
from extract.datasets.same_files import require_different_images
from extract.datasets.sources.locating import locate
from extract.errors import DataError
from extract.images.hashing import hash_images
from extract.options import LAYOUTS, VALIDATION, DataSettings
from toolkit.phases import phase
from toolkit.progress import Progress, as_progress, silent
from toolkit.wording import plural, printable, set_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from extract.datasets.corrections import Files
    from extract.datasets.dataset import Dataset

logger = logging.getLogger(__name__)

MAX_SEED = 2**32 - 1
_SOURCES = {
    "groups": "a table of groups",
    "group_by": "a rule for paths or patients",
    "group_column": "a column of the data's table",
}


def load_dataset(
    data: str | os.PathLike[str] = "auto",
    *,
    test_size: float = 0.2,
    seed: int = 0,
    labels: Files | None = None,
    layout: str = "auto",
    validation: str = "auto",
    min_images: int = 0,
    groups: str | os.PathLike[str] | None = None,
    group_by: str | None = None,
    group_column: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    mirror_url: str | None = None,
    progress: bool | Progress = False,
) -> Dataset:
    """Load a data set of labelled images: paths, labels and the split into training and test.

    Parameters
    ----------
    data : str or path, default="auto"
        - ``"auto"``: the folder ``data`` if it contains images; else ``"dogs-vs-cats"``; else, if
          its server cannot be reached, ``"shapes"``.
        - ``"dogs-vs-cats"``: 3,000 photographs, which are downloaded once.
        - ``"shapes"``: 600 small pictures of outlines in six classes, drawn on this machine.
        - A folder in one of the usual layouts, as one subfolder per class, or ``train/CLASS`` and
          ``test/CLASS``, or files named ``CLASS.NUMBER.jpg``.
        - A table with the columns ``path``, ``label`` and, optionally, ``split``: delimited text,
          Excel or Parquet.
        - A zip or tar file or the URL of one.
        - The address of a folder or table, as in ``s3://bucket/pictures``.
    test_size : float, default=0.2
        Share of every class that becomes the test split. A split that the data have is kept.
    seed : int, default=0
        Draws the test split; between 0 and 2**32 - 1.
    labels : str, path or sequence of these, default=None
        A table with the columns ``path`` and ``label``. Its labels replace those of the
        data; an image whose label is empty is left out. Of several, each corrects what the one
        before says.
    layout : {"auto", "class-folders", "leaf-folders", "split-folders", "file-names", "table"}, \
default="auto"
        What the folders mean. ``"auto"`` decides from the whole tree, and refuses what can be read
        in two ways.
    validation : {"auto", "train", "test", "ignore"}, default="auto"
        What a validation split becomes. ``"auto"`` adds it to the training split, or takes it as
        the test split if there is no other.
    min_images : int, default=0
        Classes with fewer images are left out.
    groups : str or path, default=None
        A table with the columns ``path`` and ``group``, which says which images belong together, as
        those of a patient, an animal or a site: they are on one side of the split. At most one of
        `groups`, `group_by` and `group_column` may be given.
    group_by : str, default=None
        Where the groups are from, if not from a table. ``"folder"``: the folder of an image
        directly below that of its class, or the first level of folders that divides a class.
        ``"patient"``: the PatientID of DICOM files. Anything else is a regular expression, which is
        searched for in the path of each image below the folder of the data, with forward slashes:
        its first capture group is the group, or else all that matches. ``"none"``: no groups, not
        even those that None takes: a column ``group`` of the table of the data, or the patients of
        DICOM files, if there are several with several images.
    group_column : str, default=None
        The column with the groups in the table of the data.
    cache : str or path, default=None
        The cache folder; None takes the environment variable ``FROZEN_FEATURES_CACHE``, or else
        the user's cache folder.
    mirror_url : str, default=None
        Address to download the files of ``"dogs-vs-cats"`` from.
    progress : bool or Progress, default=False
        True shows a progress bar. A callback is called with the stage and the units done and in
        total.

    Returns
    -------
    Dataset
        With `train` and `test` (each with `paths`, `labels` and `groups`), `classes` and
        `to_frame()`; its `layout` says how the files were understood.

    Raises
    ------
    DataError
        If there is no such data set, it has only one class, a parameter is out of range, or the
        groups of a class cannot be divided into training and test.
    DownloadError
        If it cannot be downloaded.
    CacheError
        If the cache folder cannot be used.

    See Also
    --------
    extract.Embedder : Turns the images into embeddings.

    Notes
    -----
    The split is the one that ``python -m extract`` and ``python -m classify`` draw with the same
    share and seed: it depends on the bytes of each image, or on the name of its group. The images
    are therefore read once; their SHA-256 are remembered in the cache. Whether they can be decoded
    is found out when they are embedded.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from extract import load_dataset
    >>> data = load_dataset("shapes", cache=mkdtemp())
    >>> data
    <Dataset 'shapes': 600 images in 6 classes, 400 to train and 200 to test (as given)>
    >>> data.classes
    ['cross', 'disc', 'hexagon', 'square', 'star', 'triangle']
    >>> data.test.paths[0].name, data.test.labels[0]
    ('000.jpg', 'cross')
    >>> data.to_frame().groupby("split").size().to_dict()
    {'test': 200, 'train': 400}
    """
    _check_parameters(data, test_size, seed)
    settings = DataSettings(layout, validation, min_images, as_text(groups), group_by, group_column)
    with as_progress(progress) as report:
        dataset = load_unsplit(
            str(data),
            labels=labels,
            settings=settings,
            cache=cache,
            mirror_url=mirror_url,
            progress=report,
        )
        if len(dataset.classes) < 2:
            raise DataError(
                f"{dataset.name} has only one class, {dataset.classes[0]!r}, with "
                f"{plural(len(dataset), 'image')}; expected at least two classes to tell apart",
                setting="data",
            )
        if dataset.has_split:
            return dataset
        return _split(dataset, Store(cache_folder(cache)), test_size, seed, report)


@phase("finding the data")
def load_unsplit(
    data: str,
    *,
    labels: Files | None = None,
    settings: DataSettings = DataSettings(),
    cache: str | os.PathLike[str] | None = None,
    mirror_url: str | None = None,
    progress: Progress = silent,
    to_split: bool = True,
    advise: Callable[[str, str], str] = set_to,
) -> Dataset:
    """Do what `load_dataset` does, except for drawing a split where the data have none.

    Parameters
    ----------
    data, labels, cache, mirror_url, progress
        See `load_dataset`.
    settings : DataSettings, optional
        How the files become classes and splits.
    to_split : bool, default=True
        Whether a class too small to be split is an error.
    advise : callable, optional
        See `extract.datasets.grouping.sources.with_groups`.

    Returns
    -------
    Dataset
        Its items have no split if the data have none.

    Raises
    ------
    ToolkitError
        See `load_dataset`.
    """
    folder = cache_folder(cache)
    source = locate(data, cache=folder, mirror_url=mirror_url, progress=progress)
    check_settings(settings)
    return settled(
        read_dataset(source.path, source.name, settings),
        Store(folder),
        labels=labels,
        settings=settings,
        progress=progress,
        to_split=to_split,
        advise=advise,
    )


def settled(
    dataset: Dataset,
    store: Store,
    *,
    labels: Files | None = None,
    settings: DataSettings = DataSettings(),
    progress: Progress = silent,
    to_split: bool = True,
    advise: Callable[[str, str], str] = set_to,
) -> Dataset:
    """Settle the groups, labels and classes of a data set whose files have been read.

    Parameters
    ----------
    dataset : Dataset
        As its files have it.
    store : Store
        See `extract.datasets.grouping.sources.with_groups`.
    labels, settings, progress, to_split, advise
        See `load_unsplit`.

    Returns
    -------
    Dataset
        Its items have no split if the data have none. What was done is logged.

    Raises
    ------
    ToolkitError
        See `load_dataset`.
    """
    dataset = without_missing(with_groups(dataset, settings, store, progress, advise))
    dataset = apply_corrections(dataset, labels)
    dataset = settle_labels(dataset, settings.min_images)
    if to_split:
        require_images(dataset)
        require_groups(dataset)
        if not settings.sources_of_groups:
            dataset = dataset.with_remarks(remarks_on_signs(group_signs(dataset), advise))
    dataset = dataset.with_remarks(describe_groups(dataset))
    for line in dataset.lines_of_layout():
        is_plain = not (dataset.layout.passed_over or dataset.layout.remarks)
        logger.log(logging.INFO if is_plain else logging.WARNING, "%s", printable(line))
    return dataset


def as_text(path: str | os.PathLike[str] | None) -> str | None:
    """Return the path of a table of groups as text, as settings hold it.

    Raises
    ------
    DataError
        If it is no path.
    """
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise DataError(
            "expected the path of a table with the columns path and group, found "
            f"{type(path).__name__}; write the groups into such a file",
            setting="groups",
        )
    return os.fspath(path)


def check_settings(settings: DataSettings) -> None:
    """Check the values of settings.

    Raises
    ------
    DataError
        If one is not known, or there are several sources of groups.
    """
    sources = settings.sources_of_groups
    if len(sources) > 1:
        raise DataError(
            f"expected one source of groups, found {len(sources)}: "
            f"{' and '.join(map(_SOURCES.__getitem__, sources))}; leave out all but one",
            setting=sources[-1],
        )
    for setting in sources:
        if not isinstance(getattr(settings, setting), str):
            raise DataError(
                f"expected a text as {setting}, found {getattr(settings, setting)!r}",
                setting=setting,
            )
    for setting, known in (("layout", LAYOUTS), ("validation", VALIDATION)):
        found = getattr(settings, setting)
        if found not in known:
            raise DataError(f"expected one of {', '.join(known)}, found {found!r}", setting=setting)
    if not isinstance(settings.min_images, int) or settings.min_images < 0:
        raise DataError(
            f"expected a number of images, found {settings.min_images!r}", setting="min_images"
        )


def _check_parameters(data: object, test_size: object, seed: object) -> None:
    if not isinstance(data, str | os.PathLike) and not hasattr(data, "fs"):  # as UPath has
        raise DataError(
            f"expected a name, path or address of a data set, found {type(data).__name__}",
            setting="data",
        )
    if not isinstance(test_size, Real) or not 0 < float(test_size) < 1:
        raise DataError(
            f"expected a share of test images between 0 and 1, as in 0.2, found {test_size!r}",
            setting="test_size",
        )
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) <= MAX_SEED:
        raise DataError(
            f"expected a whole number from 0 to {MAX_SEED:,} as seed, found {seed!r}",
            setting="seed",
        )


def _split(
    dataset: Dataset, store: Store, test_size: float, seed: int, progress: Progress
) -> Dataset:
    """Draw the test split from the readable images.

    Unreadable ones stay in the training split, so that whoever embeds them reports them.
    """
    digests, unreadable = hash_images(
        [item.path for item in dataset.items], store, progress=progress
    )
    readable = dataclasses.replace(
        dataset, items=tuple(item for item in dataset.items if item.path in digests)
    )
    require_different_images(readable, lambda paths: {path: digests[path] for path in paths})
    split = readable.with_hashed_split(
        [digests[item.path] for item in readable.items], test_size, seed
    )
    if not unreadable:
        return split
    path, reason = next(iter(unreadable.items()))
    logger.warning(
        "%s cannot be read, for example %s: %s",
        plural(len(unreadable), "image"), path, reason,
    )  # fmt: skip
    drawn = {item.path: item for item in split.items}
    items = (
        drawn.get(item.path) or dataclasses.replace(item, split="train") for item in dataset.items
    )
    return dataclasses.replace(split, items=tuple(items))
