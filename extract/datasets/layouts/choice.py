"""Choose the reading of a folder that fits, or refuse what can be read in two ways."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from extract.datasets.layouts import readings
from extract.datasets.layouts.flat import file_names, names_without_labels
from extract.datasets.layouts.readings import (
    Reading,
    is_container,
    is_flat,
    is_to_predict,
    shown,
    split_words,
    unwrap,
)
from extract.datasets.layouts.table_beside import (
    broken_tables,
    problems_of_tables,
    remarks_on_tables,
    table_beside,
    with_columns_beside,
    with_the_same_classes,
)
from extract.datasets.split_names import similar_split
from extract.errors import DataError
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from extract.datasets.folders.tree import Folder

_PART = re.compile(
    r"(part|fold|batch|chunk|shard|set|split|folder|session|block|archive|zip|disk|disc|volume|vol|"
    r"images?|imgs?|photos?|pictures?|.*[-_ ](part|fold|batch|chunk|shard|set|split|images?))"
    r"[-_ ]*\d+|(19|20)\d\d([-_. ]?\d\d){0,2}|\d{3}[A-Z][A-Z0-9_]{4}",
    re.IGNORECASE,
)
"""Names of folders that are parts of a collection: part_1, 2023-05, 100CANON."""
_DRAWN_FOR_OTHERS = re.compile(
    r"(mask|annotation|annot|label|seg|segmentation|ground[-_ ]?truth|gt|trimap|depth|bbox)s?",
    re.IGNORECASE,
)
EXPECTED = (
    "one folder per class, train/CLASS and test/CLASS, CLASS/train and CLASS/test, CLASS-train and "
    "CLASS-test, files named CLASS.NUMBER.jpg or CLASS_NUMBER.jpg, or a table with the labels"
)


def choose(tree: Folder, layout: str = "auto") -> Reading:
    """Return the reading of a folder.

    Parameters
    ----------
    tree : Folder
        Everything in the folder.
    layout : str, default="auto"
        One of `extract.options.LAYOUTS`. ``"auto"`` is the only one that fits.

    Raises
    ------
    DataError
        If no reading fits, or more than one does.
    """
    top = unwrap(tree)
    if layout != "auto":
        reading = _FORCED[layout](tree, top)
        if reading is None:
            problems = _problems(tree, top) if layout == "table" else ""
            raise DataError(
                f"{tree.path} cannot be read as {layout}; {problems}found {_found(top)}"
                f"{_spoiled_names(top)}",
                setting="layout",
            )
        return with_columns_beside(tree, top, reading)
    found = _propose(tree, top)
    if not found:
        raise DataError(
            f"{tree.path} has no layout that gives labels: {_problems(tree, top)}expected "
            f"{EXPECTED}; found {_found(top)}{_spoiled_names(top)}"
        )
    if len(found) > 1:
        ways = "; ".join(f"read as {each.layout}, {each.summary()}" for each in found)
        usable = " or ".join(each.layout for each in found if each.labelled)
        raise DataError(
            f"{tree.path} can be read in {len(found)} ways: {ways}; choose {usable}, or move what "
            f"does not belong to the data{_misspelt_splits(top)}",
            setting="layout",
        )
    reading = with_columns_beside(tree, top, found[0])
    remarks = remarks_on_tables(tree, top, reading)
    return dataclasses.replace(reading, remarks=[*reading.remarks, *remarks])


def _problems(tree: Folder, top: Folder) -> str:
    return "".join(f"{problem}; " for problem in problems_of_tables(tree, top).values())


def _spoiled_names(top: Folder) -> str:
    """Return a hint at the few files that have no label in their names as all others have."""
    spoiling = names_without_labels(top)
    if not spoiling:
        return ""
    return (
        f"; all names of files have a label but {plural(len(spoiling), 'name')}, as "
        f"{spoiling[0].name}: rename or move what has none"
    )


def _misspelt_splits(top: Folder) -> str:
    """Return a hint at the folders whose names are nearly those of splits."""
    words = {folder.name: similar_split(folder.name) for folder in top.filled}
    hints = [f"{name!r} (did you mean {word}?)" for name, word in words.items() if word]
    return f"; rename {' and '.join(hints)}" if hints else ""


def _found(top: Folder) -> str:
    folders = [f"{folder.name}/" for folder in (*top.filled, *top.folders)]
    files = [path.name for path in (*top.images, *top.others)]
    return shown([*dict.fromkeys(folders), *files]) or "no images"


def _present(*found: Reading | None) -> list[Reading]:
    return [reading for reading in found if reading is not None]


def _without_labels(top: Folder, description: str) -> Reading:
    """Return the reading that the folders of `top` only hold images, which have no labels."""
    return Reading(
        "unlabelled", description, top.path, [], {"images without a label": top.all_images()}
    )


def _propose(tree: Folder, top: Folder) -> list[Reading]:
    """Return every reading that is plausible."""
    if split_words(top):
        return _with_split_folders(tree, top)
    if len(top.filled) < 2 and all(map(is_flat, top.filled)):
        return _one_flat_folder(tree, top)
    classes = readings.class_folders(top)
    for reading in (readings.splits_below(top), readings.splits_in_names(top)):
        if reading is not None:
            if _repeat(_names_below_splits(top)):
                return _present(reading, readings.leaf_folders(top))
            others_are_read = any(reason.startswith("images in") for reason in reading.unused)
            return _present(reading, classes if others_are_read else None)
    if _repeat_their_folders(top) or _holds_its_siblings(top):
        return _present(classes, readings.leaf_folders(top))
    table = table_beside(tree, top)
    if table is not None and (classes is None or not table.may_have_no_labels):
        return [table] if classes is None else _compare(table, classes)
    if table is None:
        _refuse_broken_table(tree, top)
    if all(_PART.fullmatch(folder.name.strip()) for folder in top.filled):
        return _present(classes, _without_labels(top, "parts of one collection"))
    if any(map(is_container, top.filled)) and any(map(_has_no_labels, top.filled)):
        return _named(top) or _present(
            classes, _without_labels(top, "images and what was drawn for them")
        )
    return _present(classes)


def _with_split_folders(tree: Folder, top: Folder) -> list[Reading]:
    """Propose readings where at least one folder has the name of a split."""
    words = split_words(top)
    others = [folder for folder in top.filled if folder not in words]
    above, classes = readings.splits_above(top), readings.class_folders(top)
    have_classes = above is not None and any(split for _, _, split in above.labelled)
    if all(map(_has_no_labels, others)):
        if have_classes:
            return _present(above)
        labelled = _labels_beside(tree, top)
        if labelled or len(words) == 1:
            return labelled
        return _present(_without_labels(top, "splits whose images are in no class"), classes)
    if not have_classes and set(words.values()) == {"train"}:
        return _present(classes)  # trains, among other vehicles
    return _present(above, classes)


def _has_no_labels(folder: Folder) -> bool:
    """Tell by its name whether a folder holds images to be predicted, or drawn for others."""
    if _DRAWN_FOR_OTHERS.fullmatch(folder.name.strip()):
        return True
    while len(folder.filled) == 1 and not folder.images:
        (folder,) = folder.filled
    return is_flat(folder) and is_to_predict(folder)


def _one_flat_folder(tree: Folder, top: Folder) -> list[Reading]:
    """Propose readings of images in the folder itself, or in one folder without others in it."""
    labelled = _labels_beside(tree, top)
    if labelled or not top.filled or is_container(top.filled[0]):
        return labelled
    return _present(readings.class_folders(top))


def _compare(table: Reading, classes: Reading) -> list[Reading]:
    """Return the class folders if a table beside them says the same, else both.

    If the table also has splits, they are used with the names of the folders. A single class in the
    table is nothing to tell apart.
    """
    if len(table.labels) < 2 <= len(classes.labels):
        return [classes]
    same = with_the_same_classes(table.labelled, classes)
    if same is None:
        return [table, classes]
    if len({split for _, _, split in same}) > 1:
        return [dataclasses.replace(table, labelled=same)]
    return [classes]


def _labels_beside(tree: Folder, top: Folder) -> list[Reading]:
    """Propose readings of labels that no folder gives: in a table, and in the names of files."""
    table = table_beside(tree, top)
    if table is None:
        _refuse_broken_table(tree, top)
        return _named(top)
    named = file_names(top)
    if named is not None:
        if table.may_have_no_labels:
            return [named]
        same = with_the_same_classes(table.labelled, named)
        if same is not None and len(same) == len(named.labelled):
            return [table]
    return _present(table, named)


def _named(top: Folder) -> list[Reading]:
    """Propose the labels in the names of files, unless some are drawn for others, as masks are."""
    named = file_names(top)
    if named is None:
        return []
    drawn = [label for label in named.labels if _DRAWN_FOR_OTHERS.fullmatch(_last_word(label))]
    if not drawn:
        return [named]
    return [named, _without_labels(top, "images and what was drawn for them")]


def _last_word(label: str) -> str:
    return re.split(r"[-_ .]+", label)[-1]


def _refuse_broken_table(tree: Folder, top: Folder) -> None:
    """Raise an error if a table has labels of the images, but cannot be used."""
    for problem in broken_tables(tree, top).values():
        raise DataError(
            f"{problem}; the table has labels of the images, so correct it, "
            "or choose a layout that does not use it",
            setting="layout",
        )


def _repeat_their_folders(top: Folder) -> bool:
    """Tell whether folders have the same folders in them, which then may be the classes."""
    if any(map(is_flat, top.filled)):
        return False
    return _repeat([{inner.name for inner in folder.filled} for folder in top.filled])


def _names_below_splits(top: Folder) -> list[set[str]]:
    """Return the names of the folders in ``CLASS/train`` and ``CLASS/test``, for each class."""
    return [
        {inner.name for split in folder.filled for inner in split.filled} for folder in top.filled
    ]


def _repeat(names: list[set[str]]) -> bool:
    """Tell whether several folders have at least two names in common."""
    return len(names) > 1 and len(set.intersection(*names)) > 1


def _holds_its_siblings(top: Folder) -> bool:
    """Tell whether a folder beside classes has folders of their names, as a copy of all has."""
    names = {folder.name for folder in top.filled}
    return any(
        len(folder.filled) > 1 and {inner.name for inner in folder.filled} <= names
        for folder in top.filled
    )


_FORCED: dict[str, Callable[[Folder, Folder], Reading | None]] = {
    "class-folders": lambda _, top: readings.class_folders(top),
    "leaf-folders": lambda _, top: readings.leaf_folders(top),
    "split-folders": lambda _, top: next(
        iter(
            _present(
                readings.splits_above(top),
                readings.splits_below(top),
                readings.splits_in_names(top),
            )
        ),
        None,
    ),
    "file-names": lambda _, top: file_names(top),
    "table": table_beside,
}
