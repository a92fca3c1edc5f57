"""The groups that images have, or seem to have, so that copies can be added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.datasets.grouping.signs import burst_sign, group_signs
from extract.errors import ImageError
from extract.images.files import read_bytes
from extract.images.properties.exif import read_capture
from toolkit.addresses import is_remote

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset
    from extract.images.properties.exif import Capture

MOST_OPENED = 10_000
"""In larger data sets, no file is opened to find out when it was taken."""


def known_groups(dataset: Dataset) -> tuple[dict[str, str], str]:
    """Return the groups of a data set, or those that its clearest sign suggests.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    groups : dict from str to str
        Path below the folder of the data -> name of the group, of the images that have one.
    origin : str
        Where they are from, in words; empty if there are none.
    """
    if dataset.has_groups:
        groups = {item.path: item.group for item in dataset.items if item.group is not None}
        named = {dataset.relative(path): name for path, name in groups.items()}
        return named, dataset.group_origin or ""
    signs = group_signs(dataset) or list(filter(None, [burst_sign(_captures(dataset))]))
    if not signs:
        return {}, ""
    return {dataset.relative(path): name for path, name in signs[0].groups.items()}, signs[0].what


def _captures(dataset: Dataset) -> dict[Path, Capture]:
    paths = [item.path for item in dataset.items if not is_remote(item.path)]
    captures: dict[Path, Capture] = {}
    if len(paths) > MOST_OPENED:
        return captures
    for path in paths:
        try:
            capture = read_capture(read_bytes(path))
        except ImageError:
            continue
        if capture is not None:
            captures[path] = capture
    return captures
