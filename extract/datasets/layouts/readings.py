"""What the folders of a data set could mean: classes, or splits above, below or beside classes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.split_names import SplitWord, split_of
from toolkit.addresses import relative
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from extract.datasets.folders.tree import Folder
    from extract.datasets.further import FurtherColumns

Labelled = tuple[Path, str, SplitWord | None]
"""An image with its label and the split that the data name."""

_SPLIT_IN_NAME = (
    re.compile(r"(?P<label>.+?)[-_ .]+(?P<split>[^-_ .]+)", re.DOTALL),
    re.compile(r"(?P<split>[^-_ .]+)[-_ .]+(?P<label>.+)", re.DOTALL),
    re.compile(r"(?P<label>.*[a-z])(?P<split>[A-Z][a-z]+)", re.DOTALL),  # catsTrain
    re.compile(r"(?P<split>[a-z]+)(?P<label>[A-Z].*)", re.DOTALL),  # trainCats
)
_CONTAINERS = re.compile(
    r"(the[ _-]?)?(images?|imgs?|img|pictures?|pics?|photos?|jpe?g ?images?|jpe?gs?|pngs?|data|"
    r"dataset|raw|all|files|frames)[ _-]?\d*",
    re.IGNORECASE,
)
"""Names of folders that only hold images."""
_TO_PREDICT = re.compile(
    r"(seg[-_ ]?)?(pred|prediction|predictions|predict|unlabell?ed|inference|submission|unknown|"
    r"to[-_ ]?predict|new)s?",
    re.IGNORECASE,
)
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """One way to understand a folder.

    Parameters
    ----------
    layout : str
        One of `extract.options.LAYOUTS`.
    description : str
        The same for people, as "one folder per class".
    root : Path
        The folder that the layout is that of.
    labelled : list of (path, label, split)
        The images.
    unused : dict of str to list of Path, default={}
        Reason -> images that it does not use.
    classes_in : list of Folder, default=[]
        The folders whose subfolders are classes.
    remarks : list of str, default=[]
        What was guessed.
    tables : tuple of Path, default=()
        Tables that give the labels.
    columns : tuple of FurtherColumns, default=()
        What these tables, and others with the same classes, say beside the labels.
    may_have_no_labels : bool, default=False
        Whether the labels are from a column that may have groups or measurements instead.
    """

    layout: str
    description: str
    root: Path
    labelled: list[Labelled]
    unused: dict[str, list[Path]] = field(default_factory=dict)
    classes_in: list[Folder] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    tables: tuple[Path, ...] = ()
    columns: tuple[FurtherColumns, ...] = ()
    may_have_no_labels: bool = False

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted({label for _, label, _ in self.labelled})

    def summary(self) -> str:
        """Return what would be understood, to compare readings."""
        left = "".join(
            f", {plural(len(paths), 'image')} not used ({reason})"
            for reason, paths in self.unused.items()
        )
        if not self.labelled:
            return f"{self.description}{left}"
        splits = Counter(split for _, _, split in self.labelled if split)
        parts = ", ".join(f"{number:,} {split}" for split, number in splits.items())
        return (
            f"{self.description}: {plural(len(self.labels), 'class', 'classes')} "
            f"({shown(self.labels)}), {plural(len(self.labelled), 'image')}"
            f"{f' ({parts})' if parts else ''}{left}"
        )


def shown(names: Sequence[str]) -> str:
    """Return the first names of a list, separated by commas."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def is_container(folder: Folder) -> bool:
    """Tell whether the name of a folder only says that images are in it."""
    return _CONTAINERS.fullmatch(folder.name.strip()) is not None


def is_to_predict(folder: Folder) -> bool:
    """Tell whether the name of a folder says that its images have no labels."""
    return _TO_PREDICT.fullmatch(folder.name.strip()) is not None


def is_flat(folder: Folder) -> bool:
    """Tell whether no image is in a subfolder."""
    return not folder.filled


def split_words(top: Folder) -> dict[Folder, SplitWord]:
    """Return the folders in `top` that are splits, as ``train`` or all of ``pets_train``, ..."""
    words = {folder: word for folder in top.filled if (word := split_of(folder.name))}
    if words:
        return words
    in_names = _splits_in_names(top)
    is_whole = (
        len(in_names) == len(top.filled) and len({label for label, _ in in_names.values()}) == 1
    )
    return {folder: word for folder, (_, word) in in_names.items()} if is_whole else {}


def _splits_in_names(top: Folder) -> dict[Folder, tuple[str, SplitWord]]:
    """Return the label and split of the folders whose name has both, if both splits are there."""
    best: dict[Folder, tuple[str, SplitWord]] = {}
    for pattern in _SPLIT_IN_NAME:
        found = {}
        for folder in top.filled:
            match = pattern.fullmatch(folder.name.strip())
            word = split_of(match["split"]) if match else None
            if match and word:
                found[folder] = (match["label"], word)
        best = max(best, found, key=len)
    return best if len({word for _, word in best.values()}) > 1 else {}


def unwrap(folder: Folder) -> Folder:
    """Step into folders that hold a single folder with folders, as unpacked archives often do."""
    while len(folder.filled) == 1:
        (only,) = folder.filled
        if is_flat(only) or split_of(only.name):
            break
        folder = only
    return folder


def _inside_split(folder: Folder) -> Folder:
    """Step into ``train/train/``, ``train/images/`` and ``test/unknown/``."""
    while len(folder.filled) == 1:
        (only,) = folder.filled
        is_split = split_of(only.name) == split_of(folder.name)
        if not (is_split or is_container(only) or is_to_predict(only)):
            break
        folder = only
    return folder


def _in_order(folders: Sequence[Folder], words: Mapping[Folder, SplitWord]) -> list[Folder]:
    """Return folders of training, validation and test in this order."""
    order = ("train", "validation", "evaluation", "test")
    return sorted(folders, key=lambda folder: order.index(words[folder]))


def class_folders(top: Folder) -> Reading | None:
    """Read every folder as a class; images deeper in it belong to it, too."""
    if not top.filled:
        return None
    labelled: list[Labelled] = []
    for folder in top.filled:
        labelled += _all(folder, folder.name, None)
    return Reading(
        "class-folders",
        "one folder per class",
        top.path,
        labelled,
        _beside("images beside the class folders", [top]),
        [top],
        _nested(top.filled),
    )


def leaf_folders(top: Folder) -> Reading | None:
    """Read every folder that holds images as a class, but take the names of splits for splits."""
    labelled: list[Labelled] = []
    unused = _beside("images beside the class folders", [top])

    def add(folder: Folder, label: str | None, split: SplitWord | None) -> None:
        for inner in folder.filled:
            word = split_of(inner.name)
            name = label if word else inner.name
            if name is None:
                unused.update(_beside(f"images without a label in {inner.name}", [inner]))
            else:
                labelled.extend((path, name, split or word) for path in inner.images)
            add(inner, name, split or word)

    add(top, None, None)
    if not labelled:
        return None
    return Reading("leaf-folders", "the innermost folder is the class", top.path, labelled, unused)


def splits_above(top: Folder) -> Reading | None:
    """Read ``train/CLASS`` and ``test/CLASS``.

    Folders beside them are classes if they have the names of those in a test split, or if no split
    has classes.
    """
    words = split_words(top)
    inside = {_inside_split(folder): words[folder] for folder in _in_order(list(words), words)}
    holders = {folder: word for folder, word in inside.items() if folder.filled}
    others = [folder for folder in top.filled if folder not in words]
    if not holders and not (inside and others):
        return None
    classes = [inner for folder in holders for inner in folder.filled]
    are_classes = "train" not in holders.values() and (
        {inner.name for inner in classes} <= {folder.name for folder in others}
    )
    labelled: list[Labelled] = []
    for folder, word in holders.items():
        for inner in folder.filled:
            labelled += _all(inner, inner.name, word)
    unused = _beside("images beside the class folders", holders)
    for folder in inside:
        if not folder.filled:
            where = relative(folder.path, top.path)
            unused[f"images without a label in {where}"] = folder.images
    for folder in others:
        if are_classes:
            labelled += _all(folder, folder.name, "train" if holders else None)
        else:
            unused[f"images in {folder.name}"] = folder.all_images()
    names = " and ".join(f"{relative(folder.path, top.path)}/CLASS" for folder in holders)
    return Reading(
        "split-folders",
        " beside ".join(filter(None, ["one folder per class" if are_classes else "", names]))
        if holders
        else "one folder per class beside a split without labels",
        top.path,
        labelled,
        unused,
        list(holders),
        _nested(classes),
    )


def splits_below(top: Folder) -> Reading | None:
    """Read ``CLASS/train`` and ``CLASS/test``; a class may also lack them."""
    having = [folder for folder in top.filled if _has_splits(folder)]
    if not having:
        return None
    labelled: list[Labelled] = []
    for folder in having:
        for inner in folder.filled:
            labelled += _all(inner, folder.name, split_of(inner.name))
    unused = {f"images in {f.name}": f.all_images() for f in top.filled if f not in having}
    unused |= _beside("images beside the folders of splits", having)
    names = dict.fromkeys(
        inner.name for folder in having for inner in _in_order(folder.filled, split_words(folder))
    )
    return Reading(
        "split-folders",
        " and ".join(f"CLASS/{name}" for name in names),
        top.path,
        labelled,
        unused,
        [top],
    )


def _has_splits(folder: Folder) -> bool:
    return bool(folder.filled) and all(split_of(inner.name) for inner in folder.filled)


def splits_in_names(top: Folder) -> Reading | None:
    """Read ``CLASS-train`` and ``CLASS-test``, or ``train-CLASS`` and ``test-CLASS``."""
    found = _splits_in_names(top)
    if not found:
        return None
    return Reading(
        "split-folders",
        "CLASS-train and CLASS-test folders",
        top.path,
        [image for folder, (label, word) in found.items() for image in _all(folder, label, word)],
        {f"images in {f.name}": f.all_images() for f in top.filled if f not in found}
        | _beside("images beside the class folders", [top]),
        [top],
    )


def _all(folder: Folder, label: str, split: SplitWord | None) -> list[Labelled]:
    return [(path, label, split) for path in folder.all_images()]


def _beside(reason: str, folders: Iterable[Folder]) -> dict[str, list[Path]]:
    images = [path for folder in folders for path in folder.images]
    return {reason: images} if images else {}


def _nested(classes: Sequence[Folder]) -> list[str]:
    """Say that a class has folders of its own."""
    nested = {
        folder.name: [inner.name for inner in folder.filled]
        for folder in classes
        if len(folder.filled) > 1 or (folder.filled and folder.images)
    }
    if not nested:
        return []
    name, inner = next(iter(nested.items()))
    others = f", and likewise in {plural(len(nested) - 1, 'other class', 'other classes')}"
    return [
        f"The images in the folders of class {name!r} ({shown(inner)}) belong to it"
        f"{others if len(nested) > 1 else ''}."
    ]
