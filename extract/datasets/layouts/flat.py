"""Labels of images that are not in folders of classes: in their file names, or in a table."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from extract.datasets.layouts.readings import (
    Labelled,
    Reading,
    is_container,
    is_flat,
    split_words,
)
from extract.datasets.split_names import split_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from extract.datasets.folders.tree import Folder
    from extract.datasets.split_names import SplitWord

_DOTTED = re.compile(r"(?P<label>[^.]+)\.\d+", re.DOTALL)
_NUMBERED = re.compile(r"(?P<label>.*[^\W\d_].*?)(?:[-_ ]+\d+|[-_ ]*\(\d+\))", re.DOTALL)
_NO_CLASS = re.compile(
    r"(img|imgs|image|images|dsc|dscn|dscf|dcim|mvi|pxl|vid|photo|pic|picture|p|screenshot|scan|"
    r"frame|file|download|untitled|sample|snapshot|gopr|sam|cimg|kif|n|no|nr|id|"
    r"img[-_ ]\d+|whatsapp image.*|screen ?shot.*|bild|foto)",
    re.IGNORECASE,
)
"""What cameras, telephones and programs call pictures."""
_FEW = 10
"""One name in so many may be without a label by mistake."""


def labels_of_names(paths: Sequence[Path]) -> list[str] | None:
    """Return the labels in file names, or None unless every name has one.

    Names are ``CLASS.12.jpg``, ``CLASS_0012.jpg``, ``CLASS-12.jpg``, ``CLASS 12.jpg`` or ``CLASS
    (12).jpg``. There must be at least two classes. Except in the first form, every class must have
    several images, and none may be what a camera calls its pictures.

    Examples
    --------
    >>> from pathlib import Path
    >>> labels_of_names([Path(name) for name in ("cat_1.jpg", "cat_2.jpg", "a_1.jpg", "a_2.jpg")])
    ['cat', 'cat', 'a', 'a']
    >>> labels_of_names([Path("IMG_1.jpg"), Path("IMG_2.jpg")]) is None
    True
    """
    for pattern in (_DOTTED, _NUMBERED):
        matches = [pattern.fullmatch(path.stem) for path in paths]
        labels = [match["label"].strip() for match in matches if match]
        counts = Counter(labels)
        if len(labels) < len(paths) or len(counts) < 2 or any(map(_is_no_class, counts)):
            continue
        if pattern is _DOTTED or (min(counts.values()) > 1 and not _differ_by_number(counts)):
            return labels
    return None


def names_without_labels(top: Folder) -> list[Path]:
    """Return the few images whose names alone keep the names of all from being labels."""
    paths = top.images or [path for folder in top.filled for path in folder.images]
    for pattern in (_DOTTED, _NUMBERED):
        spoiling = [path for path in paths if not pattern.fullmatch(path.stem)]
        others = [path for path in paths if pattern.fullmatch(path.stem)]
        few = len(spoiling) == 1 or len(spoiling) * _FEW <= len(paths)
        if spoiling and few and labels_of_names(others) is not None:
            return spoiling
    return []


def _differ_by_number(labels: Iterable[str]) -> bool:
    """Tell whether labels are as patient01, patient02: who or what, not which class."""
    return len({re.sub(r"\d+", "", label) for label in labels}) == 1


def _is_no_class(label: str) -> bool:
    return _NO_CLASS.fullmatch(label) is not None or split_of(label) is not None


def file_names(top: Folder) -> Reading | None:
    """Read labels in the names of images: in the folder itself, in its only one, or in its splits.

    A test or validation folder whose names have no labels is left out.
    """
    if top.images:
        return _names_in(top, [(top, None)])
    words: dict[Folder, SplitWord | None] = dict(split_words(top))
    containers = [folder for folder in top.filled if is_container(folder)]
    folders = words or dict.fromkeys(containers if len(containers) == 1 else top.filled)
    if not all(map(is_flat, folders)) or (len(folders) > 1 and not words):
        return None
    return _names_in(top, list(folders.items()))


def _names_in(top: Folder, folders: Sequence[tuple[Folder, SplitWord | None]]) -> Reading | None:
    labelled: list[Labelled] = []
    unused: dict[str, list[Path]] = {}
    several = len(folders) > 1
    for folder, word in folders:
        labels = labels_of_names(folder.images)
        if labels is not None:
            split = word if several else None
            named = zip(folder.images, labels, strict=True)
            labelled += [(path, label, split) for path, label in named]
        elif word in ("test", "validation", "evaluation"):
            unused[f"images without a label in {folder.name}"] = folder.images
        else:
            return None
    read = [folder for folder, _ in folders]
    for folder in top.filled:
        if folder not in read:
            unused[f"images in {folder.name}"] = folder.all_images()
    if not labelled:
        return None
    example = labelled[0][0].name
    return Reading(
        "file-names",
        f"labels in the file names, as in {example}",
        top.path,
        labelled,
        unused,
    )
