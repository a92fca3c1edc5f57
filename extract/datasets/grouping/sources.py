"""Take the groups of a data set from where the settings say, or from where they are certain."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.grouping.patients import all_are_dicom, patient_ids
from extract.datasets.grouping.patterns import (
    first_level,
    folders_below_class,
    groups_by_pattern,
    path_of,
)
from extract.datasets.grouping.table import read_groups
from extract.errors import DataError, ImageError
from toolkit.progress import Progress, silent
from toolkit.wording import plural, set_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cache.store import Store
    from extract.datasets.dataset import Dataset
    from extract.options import DataSettings

    Advise = Callable[[str, str], str]


def with_groups(
    dataset: Dataset,
    settings: DataSettings,
    store: Store,
    progress: Progress = silent,
    advise: Advise = set_to,
) -> Dataset:
    """Take the groups of a data set from the source that the settings name.

    If they name none, and the table of the data has none either, patients are taken where all
    images are DICOM files of several patients, and some have several images.

    Parameters
    ----------
    dataset : Dataset
        With the labels that its files have. Groups from a column are there already; see
        `extract.datasets.grouping.columns.with_columns`.
    settings : DataSettings
    store : Store
        Recalls the patients of files that were read before.
    progress : Progress, optional
        Called while files are read.
    advise : callable, optional
        Returns how a setting is given a value, within a sentence; `set_to` or, on a command line,
        `toolkit.console.use_option`.

    Returns
    -------
    Dataset
        With remarks on images without a group.

    Raises
    ------
    DataError
        If a source does not suit the data.
    AddressError
        If the server of an address does not respond.
    """
    if settings.groups is not None:
        return _from_table(dataset, Path(settings.groups))
    if settings.group_by == "folder":
        return _from_folders(dataset, advise)
    if settings.group_by == "patient":
        return _from_patients(dataset, store, progress)
    if settings.group_by not in (None, "none"):
        return _from_paths(dataset, str(settings.group_by))
    if settings.sources_of_groups or dataset.has_groups:
        return dataset
    return _from_patients_if_certain(dataset, store, progress)


def _from_table(dataset: Dataset, table: Path) -> Dataset:
    names = [dataset.relative(item.path) for item in dataset.items]
    groups = read_groups(table, dict.fromkeys(names))
    remarks = []
    n_missing = sum(name not in groups for name in names)
    if n_missing:
        verb = "has" if n_missing == 1 else "have"
        remarks.append(
            f"{plural(n_missing, 'image')} {verb} no group in {table.name}: each is a group of its "
            "own."
        )
    found = [groups.get(name) for name in names]
    return _grouped(dataset, found, table.name, remarks, setting="groups")


def _from_paths(dataset: Dataset, pattern: str) -> Dataset:
    paths = [path_of(dataset, item) for item in dataset.items]
    groups = groups_by_pattern(paths, pattern)
    without = [path for path, group in zip(paths, groups, strict=True) if group is None]
    if len(without) == len(paths):
        raise DataError(
            f"{pattern!r} is in none of the paths, which are as {paths[0]!r}: below "
            f"{dataset.root}, with forward slashes",
            setting="group_by",
        )
    remarks = []
    if without:
        remarks.append(
            f"{pattern!r} is not in {plural(len(without), 'path')}, as {without[0]!r}: each of "
            "these images is a group of its own."
        )
    return _grouped(dataset, groups, f"paths, by {pattern}", remarks)


def _from_folders(dataset: Dataset, advise: Advise) -> Dataset:
    """Take the first folders below the classes that divide one."""
    folders = [folders_below_class(path_of(dataset, i), i.label) for i in dataset.items]
    if not any(folders):
        example = path_of(dataset, dataset.items[0])
        raise DataError(
            "no image is in a folder below the one of its class, which could be its group; paths "
            f"are as {example!r}",
            setting="group_by",
        )
    level = first_level(folders, [item.label for item in dataset.items])
    groups = [below[: level + 1][-1] if below else None for below in folders]
    remarks = []
    n_missing = groups.count(None)
    if n_missing:
        verb = "is" if n_missing == 1 else "are"
        remarks.append(
            f"{plural(n_missing, 'image')} {verb} in no folder below the one of a class: each is a "
            "group of its own."
        )
    inner = next((below for below in folders if len(below) > level + 1), None)
    if inner:
        remarks.append(
            f"Groups are folders as {inner[level]!r}, with other folders in them, as "
            f"{inner[-1]!r}; if those are the groups, {advise('group_by', '(.*)/[^/]+$')}."
        )
    names = Counter(group.rpartition("/")[2] for group in set(groups) if group is not None)
    twice = [name for name, number in names.items() if number > 1]
    if twice:
        shown = ", ".join(sorted(twice)[:3])
        depth = next(group for group in groups if group is not None).count("/")
        pattern = f"^(?:[^/]+/){{{depth}}}([^/]+)/" if inner else "([^/]+)/[^/]+$"
        remarks.append(
            f"{plural(len(twice), 'name')} of folders in several places ({shown}), which are "
            f"groups of their own; if they are the same, {advise('group_by', pattern)}."
        )
    return _grouped(dataset, groups, "folders below the classes", remarks)


def _from_patients(dataset: Dataset, store: Store, progress: Progress) -> Dataset:
    paths = [item.path for item in dataset.items]
    try:
        patients = patient_ids(paths, store, progress)
    except ImageError as error:
        raise DataError(f"the patients are not known: {error}", setting="group_by") from error
    if not patients:
        raise DataError("no image has a PatientID, which only DICOM files have", setting="group_by")
    remarks = []
    n_missing = len(paths) - len(patients)
    if n_missing:
        verb = "has" if n_missing == 1 else "have"
        remarks.append(
            f"{plural(n_missing, 'image')} {verb} no PatientID: each is a group of its own."
        )
    return _grouped(dataset, [patients.get(path) for path in paths], "PatientID", remarks)


def _from_patients_if_certain(dataset: Dataset, store: Store, progress: Progress) -> Dataset:
    paths = [item.path for item in dataset.items]
    if not all_are_dicom(paths):
        return dataset
    try:
        patients = patient_ids(paths, store, progress)
    except ImageError:  # without the extra, no image can be used either
        return dataset
    if not 1 < len(set(patients.values())) < len(patients):
        return dataset
    grouped = _from_patients(dataset, store, progress)
    remark = (
        f"The images are DICOM files of {plural(len(set(patients.values())), 'patient')}, whose "
        "images stay together."
    )
    return grouped.with_remarks([remark])


def _grouped(
    dataset: Dataset,
    groups: Sequence[str | None],
    origin: str,
    remarks: list[str],
    setting: str = "group_by",
) -> Dataset:
    items = tuple(
        dataclasses.replace(item, group=group)
        for item, group in zip(dataset.items, groups, strict=True)
    )
    grouped = dataclasses.replace(dataset, items=items, group_origin=origin, group_setting=setting)
    return grouped.with_remarks(remarks)
