"""Signs that images come in groups that nobody has named: suggested, never taken by themselves."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extract.datasets.grouping.columns import columns_that_repeat
from extract.datasets.grouping.names import PATTERNS, has_identifier, without_date
from extract.datasets.grouping.patterns import first_level, folders_below_class, path_of
from extract.datasets.tables.columns import is_missing
from toolkit.wording import plural, set_to

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from extract.datasets.dataset import Dataset
    from extract.images.properties.exif import Capture

_IN_GROUPS = 0.9
"""So many of the images have what would be a group."""
_REPEATED = 0.5
"""So many of them share it with another image in the same folder."""
_HAVE_SEVERAL = 0.3
"""So many groups have several images in one folder."""
_FEWEST = 4
_OF_CLASSES = 0.8
"""So many classes have several groups; else it may be the label, or a part of it."""
_RECUR = 0.5
"""Counters within groups begin again in each: so many of them occur in several groups."""
_LOOKED_AT, _RUN = 5000, 10
"""Names that are looked at first, of a larger data set, in runs of so many."""
BURST = 10.0
"""Seconds between images of one burst."""
_IN_BURSTS = 0.2
_MOST_IN_ONE_BURST = 0.5


@dataclass(frozen=True)
class GroupSign:
    """A sign that images come in groups.

    Parameters
    ----------
    what : str
        What the images of a group have in common, as "names up to the last underscore".
    setting : str
        The setting of `extract.load_dataset` that would take these groups.
    value : str or None
        What to set it to; None if only a table can name the groups.
    groups : mapping of Path to str
        The group of each image that would be in one.
    is_strong : bool
        Whether the sign is worth a remark on every use of the data.
    """

    what: str
    setting: str
    value: str | None
    groups: Mapping[Path, str]
    is_strong: bool

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        return len(set(self.groups.values()))

    def sentence(self) -> str:
        """Return what was found, without what to do about it."""
        verb = "seems" if len(self.groups) == 1 else "seem"
        return (
            f"{plural(len(self.groups), 'image')} {verb} to come in "
            f"{plural(self.n_groups, 'group')} ({self.what})"
        )

    def remark(self, advise: Callable[[str, str], str] = set_to) -> str:
        """Return what was found, and the setting that keeps the groups together."""
        return (
            f"{self.sentence()}; to keep each of them on one side of the split, "
            f"{advise(self.setting, self.value or '')}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold of it: not which image is in which group."""
        return {
            "what": self.what,
            "images": len(self.groups),
            "groups": self.n_groups,
            "setting": self.setting,
            "value": self.value,
        }


def group_signs(dataset: Dataset) -> list[GroupSign]:
    """Look for groups in the names of files, in folders and in unused columns; nothing is opened.

    Parameters
    ----------
    dataset : Dataset
        Without groups.

    Returns
    -------
    list of GroupSign
        Those of columns first.
    """
    if not len(dataset) or dataset.has_groups:
        return []
    sample = _sample(dataset)
    signs = _of_columns(dataset)
    if _of_folders(sample):
        signs += _of_folders(dataset)
    for sign in _of_names(sample):
        signs += _of_names(dataset, {sign.what: PATTERNS[sign.what]})
    return signs


def _of_columns(dataset: Dataset) -> list[GroupSign]:
    paths = {item.path for item in dataset.items}
    signs = []
    for table in dataset.columns:
        for name in columns_that_repeat(table):
            groups = {
                path: cell
                for path, cell in table.cells(name)
                if path in paths and not is_missing(cell)
            }
            if _is_inside_classes(dataset, groups):
                sign = GroupSign(f"column {name}", "group_column", name, groups, is_strong=True)
                signs.append(sign)
    return signs


def _of_folders(dataset: Dataset) -> list[GroupSign]:
    """Return the outermost folders below the classes as groups, or else the innermost ones."""
    signs = []
    for what, value, groups in _folders(dataset):
        if _are_plausible(dataset, groups, Counter(groups.values()).values()):
            names = {folder.rpartition("/")[2] for folder in groups.values()}
            is_strong = sum(map(has_identifier, names)) >= _IN_GROUPS * len(names)
            signs.append(GroupSign(what, "group_by", value, groups, is_strong))
    return sorted(signs, key=lambda sign: sign.n_groups)[:1]


def _folders(dataset: Dataset) -> Iterator[tuple[str, str, dict[Path, str]]]:
    below = {
        item.path: folders_below_class(path_of(dataset, item), item.label) for item in dataset.items
    }
    level = first_level(list(below.values()), [item.label for item in dataset.items])
    yield (
        "folders below the classes",
        "folder",
        {path: folders[: level + 1][-1] for path, folders in below.items() if folders},
    )
    yield (
        "innermost folders below the classes",
        "(.*)/[^/]+$",
        {path: folders[-1] for path, folders in below.items() if folders},
    )


def _of_names(
    dataset: Dataset, patterns: Mapping[str, re.Pattern[str]] = PATTERNS
) -> list[GroupSign]:
    """Return the pattern in the names that makes the fewest groups, of those that are plausible."""
    names = {item.path: path_of(dataset, item) for item in dataset.items}
    found = []
    for what, pattern in patterns.items():
        matches = {path: match for path, name in names.items() if (match := pattern.search(name))}
        groups = {path: match[1] for path, match in matches.items()}
        rests = {path: match.string[match.end(1) :] for path, match in matches.items()}
        # In one folder: 1_a.jpg of one class and 1_a.jpg of another are not together.
        together = Counter((path.parent, group) for path, group in groups.items())
        plausible = _are_plausible(dataset, groups, together.values())
        if plausible and _are_no_counters(groups, rests):
            sign = GroupSign(what, "group_by", pattern.pattern, groups, _is_strong(groups, rests))
            found.append(sign)
    return sorted(found, key=lambda sign: sign.n_groups)[:1]


def _sample(dataset: Dataset) -> Dataset:
    """Return runs of consecutive images from all over every class, so that groups are seen."""
    numbers = Counter(item.label for item in dataset.items)
    of_each = max(_LOOKED_AT // len(numbers), 2 * _RUN)
    seen: Counter[str] = Counter()
    items = []
    for item in dataset.items:
        if seen[item.label] // _RUN % -(-numbers[item.label] // of_each) == 0:
            items.append(item)
        seen[item.label] += 1
    return dataclasses.replace(dataset, items=tuple(items))


def _are_plausible(dataset: Dataset, groups: Mapping[Path, str], numbers: Iterable[int]) -> bool:
    """Tell whether groups cover the images, have several each, and are not the classes.

    `numbers` are those of the images that are together.
    """
    n_groups = len(set(groups.values()))
    if len(groups) < _IN_GROUPS * len(dataset) or n_groups < _FEWEST:
        return False
    together = list(numbers)
    several = [number for number in together if number > 1]
    if sum(several) < _REPEATED * len(groups) or len(several) < _HAVE_SEVERAL * len(together):
        return False
    return _is_inside_classes(dataset, groups)


def _is_inside_classes(dataset: Dataset, groups: Mapping[Path, str]) -> bool:
    """Tell whether most classes have several groups."""
    of_class: dict[str, set[str]] = defaultdict(set)
    for item in dataset.items:
        if item.path in groups:
            of_class[item.label].add(groups[item.path])
    several = sum(len(of_label) > 1 for of_label in of_class.values())
    return several >= _OF_CLASSES * len(dataset.classes)


def _are_no_counters(groups: Mapping[Path, str], rests: Mapping[Path, str]) -> bool:
    """Tell whether names of groups say who or what it is, and are not parts of plain numbers."""
    names = set(groups.values())
    if sum(map(has_identifier, names)) < _IN_GROUPS * len(names):
        return False
    are_numbers = all(name.isdecimal() for name in names) and all(
        rest.partition(".")[0][1:].isdecimal() for rest in rests.values()
    )
    return not are_numbers or _recurring(groups, rests) >= _RECUR


def _is_strong(groups: Mapping[Path, str], rests: Mapping[Path, str]) -> bool:
    """Tell whether counters begin again in each group, and groups are not only dates."""
    names = set(groups.values())
    named = sum(has_identifier(without_date(name)) for name in names)
    return named >= _IN_GROUPS * len(names) and _recurring(groups, rests) >= _RECUR


def _recurring(groups: Mapping[Path, str], rests: Mapping[Path, str]) -> float:
    """Return the share of images the rest of whose name also occurs in another group."""
    having: dict[str, set[str]] = defaultdict(set)
    for path, rest in rests.items():
        having[rest].add(groups[path])
    return sum(len(having[rest]) > 1 for rest in rests.values()) / max(1, len(rests))


def burst_sign(captures: Mapping[Path, Capture]) -> GroupSign | None:
    """Look for images that one camera took within seconds.

    Parameters
    ----------
    captures : mapping of Path to Capture
        What the EXIF data of images say; others are left out.

    Returns
    -------
    GroupSign or None
        Its groups are those of several images. None if they are few, or one group has most images,
        as where a program has written one time into all.
    """
    bursts: list[list[Path]] = []
    last: tuple[str, datetime] | None = None
    for path, capture in sorted(captures.items(), key=lambda pair: (pair[1], pair[0])):
        is_next = (
            last is not None
            and last[0] == capture.camera
            and (capture.time - last[1]).total_seconds() <= BURST
        )
        if is_next:
            bursts[-1].append(path)
        else:
            bursts.append([path])
        last = (capture.camera, capture.time)
    several = [burst for burst in bursts if len(burst) > 1]
    groups = {path: _name(captures[burst[0]]) for burst in several for path in burst}
    if len(several) < _FEWEST or len(groups) < _IN_BURSTS * len(captures):
        return None
    if max(map(len, several)) > _MOST_IN_ONE_BURST * len(captures):
        return None
    what = f"taken by one camera within {BURST:.0f} s of the one before"
    return GroupSign(what, "groups", None, groups, is_strong=False)


def _name(capture: Capture) -> str:
    return f"{capture.camera} {capture.time:%Y-%m-%d %H:%M:%S}".strip()


def remarks_on_signs(
    signs: Sequence[GroupSign], advise: Callable[[str, str], str] = set_to
) -> list[str]:
    """Return a sentence for each strong sign; see `with_groups` for `advise`."""
    return [sign.remark(advise) for sign in signs if sign.is_strong]
