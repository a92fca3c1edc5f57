"""What can be said about a data set before anything is computed."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extract.datasets.dataset import MINIMUM_WITHOUT_SPLIT
from extract.datasets.folders.tree import suffix_of
from extract.datasets.grouping.checks import groups_summary, require_groups
from extract.datasets.grouping.signs import burst_sign, group_signs
from extract.datasets.labels import require_images, require_usable
from extract.errors import DataError, ImageError
from extract.images.files import read_bytes
from extract.images.formats import MAX_PIXELS, check
from extract.images.properties.exif import read_capture
from extract.images.rendering import needed_extra
from toolkit.addresses import is_remote
from toolkit.progress import Progress, silent
from toolkit.wording import counted, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from extract.datasets.dataset import Dataset
    from extract.datasets.grouping.signs import GroupSign
    from extract.images.properties.exif import Capture

LOOKED_INTO = 2000
"""Images whose headers are read; of a larger data set, so many at equal distances."""
FETCHED = 50
"""The same for images at addresses, which are fetched for it."""
IMBALANCE = 10
SMALL = 32
_CLASSES_SHOWN = 20
_SUFFIXES_OF = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "PNG": {".png"},
    "GIF": {".gif"},
    "BMP": {".bmp"},
    "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
}


@dataclass(frozen=True)
class Overview:
    """What can be said about a data set before anything is computed.

    Parameters
    ----------
    dataset : Dataset
    looked_into : int
        Number of images whose headers were read.
    formats : dict of str to int
        Format, by the first bytes of the file -> number of images.
    sizes : tuple of (width, height)
        Those of the images whose header could be read, sorted by area.
    unreadable : dict of Path to str, default={}
        Images that cannot be used, with the reason, as far as a header shows it.
    remarks : tuple of str, default=()
        What looks odd, beside the remarks of the layout.
    signs : tuple of GroupSign, default=()
        Signs that images come in groups, where no groups are given.
    refusal : DataError or None, default=None
        The error that an extraction would end with, as far as it is known.
    """

    dataset: Dataset
    looked_into: int
    formats: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    unreadable: dict[Path, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    signs: tuple[GroupSign, ...] = ()
    refusal: DataError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it.

        The numbers of a class in training and test are None if the split is not drawn yet.
        """
        layout = self.dataset.layout
        extremes = [list(size) for size in self._extremes()]
        return {
            "data": self.dataset.name,
            "layout": layout.name,
            "layout_description": layout.description,
            "images": len(self.dataset),
            "groups": groups_summary(self.dataset),
            "group_signs": [sign.to_dict() for sign in self.signs],
            "classes": self._classes(),
            "passed_over": layout.passed_over,
            "looked_into": self.looked_into,
            "formats": self.formats,
            "sizes": dict(zip(("smallest", "median", "largest"), extremes, strict=False)),
            "unreadable": {str(path): reason for path, reason in self.unreadable.items()},
            "remarks": [*layout.remarks, *self.remarks],
            "refused": None if self.refusal is None else str(self.refusal),
        }

    def lines(self) -> list[str]:
        """Return all of it for people."""
        dataset, layout = self.dataset, self.dataset.layout
        classes = self._classes()
        lines = [
            f"{dataset.name}: {plural(len(dataset), 'image')} in "
            f"{plural(len(classes), 'class', 'classes')}",
            f"layout       {layout.name}: {layout.description}",
            "split        " + ("as in the data" if dataset.has_split else "drawn when embedded"),
            *_table(classes, dataset.has_split),
        ]
        if dataset.has_groups:
            lines.append(f"groups       {dataset.n_groups():,} ({dataset.group_origin})")
        for reason, number in layout.passed_over.items():
            lines.append(f"passed over  {counted(number, reason)}")
        among = (
            "" if self.looked_into == len(dataset) else f" (of {self.looked_into:,} looked into)"
        )
        formats = ", ".join(f"{number:,} {name}" for name, number in self.formats.items())
        lines.append(f"formats      {formats or 'none'}{among}")
        if self.sizes:
            smallest, median, largest = ("{} x {}".format(*size) for size in self._extremes())
            lines.append(f"sizes        {smallest} to {largest} pixels, median {median}")
        for path, reason in list(self.unreadable.items())[:5]:
            lines.append(f"not usable   {dataset.relative(path)!r}: {reason}")
        if len(self.unreadable) > 5:
            lines.append(f"not usable   and {len(self.unreadable) - 5:,} more")
        return lines + [f"note         {remark}" for remark in (*layout.remarks, *self.remarks)]

    def _classes(self) -> dict[str, dict[str, int | None]]:
        images = Counter(item.label for item in self.dataset.items)
        split = self.dataset.has_split
        return {
            label: {
                "images": images[label],
                "train": numbers["train"] if split else None,
                "test": numbers["test"] if split else None,
            }
            for label, numbers in self.dataset.class_counts().items()
        }

    def _extremes(self) -> list[tuple[int, int]]:
        if not self.sizes:
            return []
        return [self.sizes[0], self.sizes[len(self.sizes) // 2], self.sizes[-1]]


def look_over(
    dataset: Dataset,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = silent,
    *,
    find_groups: bool = True,
) -> Overview:
    """Read the headers of a data set's images, and say what looks odd.

    Parameters
    ----------
    dataset : Dataset
    max_pixels : int, default=50 million
        Width times height up to which an image can be used.
    progress : Progress, optional
        Called with the stage "reading headers".
    find_groups : bool, default=True
        Whether to look for signs of groups, if the data set has none: in names, and, if the header
        of every image is read, in the times of photographs.

    Returns
    -------
    Overview

    Raises
    ------
    AddressError
        If the server of an address does not respond.
    """
    paths = [item.path for item in dataset.items]
    at_most = FETCHED if any(map(is_remote, paths)) else LOOKED_INTO
    paths = paths[:: -(-len(paths) // at_most) or 1]
    formats: Counter[str] = Counter()
    pixels: Counter[tuple[bool, bool]] = Counter()
    sizes, unreadable, misnamed = [], {}, []
    captures: dict[Path, Capture] = {}
    for done, path in enumerate(paths, 1):
        try:
            data = read_bytes(path)
            header = check(data, max_pixels, reduced_to=1)
            name = header.format
            formats[name] += 1
            if needed := needed_extra(name):
                raise ImageError(needed)
            pixels[header.is_deep, header.has_alpha] += 1
            if header.width is not None and header.height is not None:
                sizes.append((header.width, header.height))
            suffix = suffix_of(path)
            if suffix and suffix not in _SUFFIXES_OF.get(name, {suffix}):
                misnamed.append((path, name))
            if capture := read_capture(data):
                captures[path] = capture
        except ImageError as error:
            unreadable[path] = str(error)
        progress("reading headers", done, len(paths))
    sizes.sort(key=lambda size: size[0] * size[1])
    remarks = [
        *_odd_classes(dataset),
        *_odd_images(dataset, sizes, misnamed),
        *_odd_pixels(pixels),
    ]
    signs = group_signs(dataset) if find_groups else []
    if find_groups and not dataset.has_groups and len(paths) == len(dataset):
        signs += filter(None, [burst_sign(captures)])
    return Overview(
        dataset,
        len(paths),
        dict(formats.most_common()),
        tuple(sizes),
        unreadable,
        tuple(remarks),
        tuple(signs),
        _refusal(dataset, unreadable),
    )


def _refusal(dataset: Dataset, unreadable: Mapping[Path, str]) -> DataError | None:
    """Return the error that an extraction ends with before or after it has read the images."""
    try:
        require_images(dataset)
        require_groups(dataset)
        require_usable(dataset, unreadable)
    except DataError as error:
        return error
    return None


def _odd_pixels(pixels: Counter[tuple[bool, bool]]) -> list[str]:
    """Say how many images have more than 8 bits, and how many have transparency."""
    deep = sum(number for (is_deep, _), number in pixels.items() if is_deep)
    clear = sum(number for (_, has_alpha), number in pixels.items() if has_alpha)
    remarks = []
    if deep:
        have = plural(deep, "image has", "images have")
        remarks.append(f"{have} more than 8 bits, which are scaled to 8 by those in use.")
    if clear:
        have = plural(clear, "image has", "images have")
        remarks.append(f"{have} transparency, which is laid on white.")
    return remarks


def _table(classes: dict[str, dict[str, int | None]], has_split: bool) -> list[str]:
    columns = ("images", "train", "test") if has_split else ("images",)
    width = max((len(label) for label in list(classes)[:_CLASSES_SHOWN]), default=0)
    lines = [f"  {'class':{max(width, 5)}}  " + "  ".join(f"{name:>8}" for name in columns)]
    for label, numbers in list(classes.items())[:_CLASSES_SHOWN]:
        cells = "  ".join(f"{numbers[name] or 0:>8,}" for name in columns)
        lines.append(f"  {label:{max(width, 5)}}  {cells}")
    more = len(classes) - _CLASSES_SHOWN
    return [*lines, f"  and {plural(more, 'more class', 'more classes')}"] if more > 0 else lines


def _odd_classes(dataset: Dataset) -> list[str]:
    numbers = Counter(item.label for item in dataset.items)
    if len(numbers) < 2:
        return ["There is only one class; a classifier needs two."]
    remarks = []
    if not dataset.has_split:
        small = sorted(f"{k!r} ({n})" for k, n in numbers.items() if n < MINIMUM_WITHOUT_SPLIT)
        if small:
            remarks.append(
                f"{plural(len(small), 'class has', 'classes have')} too few images to train and to "
                f"test on, which takes {MINIMUM_WITHOUT_SPLIT}: {', '.join(small)}."
            )
    (largest, most), (smallest, fewest) = numbers.most_common()[0], numbers.most_common()[-1]
    if most >= IMBALANCE * fewest:
        remarks.append(
            f"The classes are of very different size: {largest!r} has {plural(most, 'image')}, "
            f"{smallest!r} {fewest:,}."
        )
    return remarks


def _odd_images(
    dataset: Dataset, sizes: Sequence[tuple[int, int]], misnamed: Sequence[tuple[Path, str]]
) -> list[str]:
    remarks = []
    if misnamed:
        path, name = misnamed[0]
        remarks.append(
            f"{plural(len(misnamed), 'file')} of another format than the name says, for example "
            f"{dataset.relative(path)!r} ({name}); they are read by their content."
        )
    small = sum(min(size) < SMALL for size in sizes)
    if small:
        remarks.append(f"{plural(small, 'image')} with a side of less than {SMALL} pixels.")
    if sizes:
        areas = [width * height for width, height in sizes]
        if areas[-1] > 100 * statistics.median(areas):
            remarks.append("The largest image has more than 100 times the pixels of the median.")
    return remarks
