"""Read the data set in a folder or a table, and say how it was understood."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from extract.datasets.dataset import Dataset, Layout
from extract.datasets.folders.litter import is_archive, is_unread_picture
from extract.datasets.folders.tree import Folder, images_in_disguise, read_tree, suffix_of
from extract.datasets.grouping.columns import with_columns
from extract.datasets.layouts.choice import choose
from extract.datasets.layouts.readings import shown
from extract.datasets.split_names import settle_splits
from extract.datasets.tables import is_table, read_table
from extract.errors import DataError
from extract.images.formats import IMAGE_SUFFIXES
from extract.options import DataSettings
from toolkit.addresses import is_remote, relative, sort_key
from toolkit.wording import counted, plural

if TYPE_CHECKING:
    from extract.datasets.layouts.readings import Reading


def read_dataset(
    path: Path, name: str | None = None, settings: DataSettings = DataSettings()
) -> Dataset:
    """Read the data set in a folder or a table of images.

    Parameters
    ----------
    path : Path
        A folder, or a table; or the address of one.
    name : str, default=None
        The name of the data set; None takes the name of the folder or file.
    settings : DataSettings, optional
        What the folders mean, what becomes of a validation split, and which column has groups.

    Returns
    -------
    Dataset
        Items have no split if the layout has none.

    Raises
    ------
    DataError
        If nothing is there, its layout is not known or not clear, or it lacks a column of groups.
    """
    if not is_remote(path):
        path = Path(path).absolute()
    if is_table(path) and (is_remote(path) or path.is_file()):
        if settings.layout not in ("auto", "table"):
            raise DataError(
                f"{path} is a table: the layout {settings.layout} is for folders; leave it out",
                setting="layout",
            )
        table, root = read_table(path), path.parent
        items, left_out, remarks = settle_splits(table.labelled, settings.validation)
        layout = Layout(
            "table", "a table of images", table.passed_over | left_out, (*table.guesses, *remarks)
        )
        columns = [table.further]
    elif is_remote(path) or path.is_dir():
        tree = read_tree(path)
        if not tree.has_images:
            raise no_images(tree)
        reading = choose(tree, settings.layout)
        _require_images(reading)
        items, left_out, remarks = settle_splits(reading.labelled, settings.validation)
        root = reading.root
        layout = Layout(
            reading.layout,
            reading.description,
            _passed_over(tree, reading) | left_out,
            tuple(reading.remarks + remarks + _odd_files(tree)),
        )
        columns = list(reading.columns)
    else:
        raise DataError(f"{path}: expected a folder of images or a table of them, found neither")
    items = sorted(items, key=lambda item: sort_key(item.path))
    dataset = Dataset(name or path.stem, root, tuple(items), layout=layout, columns=tuple(columns))
    return with_columns(dataset, settings)


def _require_images(reading: Reading) -> None:
    """Refuse a class all of whose pictures are in formats or under names that are not read."""
    for parent in reading.classes_in:
        for folder in parent.folders:
            unread = [] if folder.has_images else _unread(folder)
            if unread:
                raise DataError(
                    f"class {folder.name!r} has no images: {folder.path} contains "
                    f"{plural(len(unread), 'picture')} as {unread[0].name!r}, but none ending in "
                    f"{suffixes()}; convert or rename them, or move the folder out of the data"
                )


def _unread(folder: Folder) -> list[Path]:
    """Return the pictures in or below a folder that are not read, by suffix or by content."""
    by_suffix = [p for inner in folder.walk() for p in inner.others if is_unread_picture(p)]
    return by_suffix or images_in_disguise(folder)


def _passed_over(tree: Folder, reading: Reading) -> dict[str, int]:
    """Count everything that the reading does not use."""
    passed: Counter[str] = Counter()
    for reason, paths in reading.unused.items():
        passed[reason] += len(paths)
    passed += count_no_images(tree)
    read = {further.table for further in reading.columns if further.columns}
    passed.subtract(kind_of(path) for path in read.union(reading.tables))
    n_images = sum(len(folder.images) for folder in tree.walk())
    n_known = len(reading.labelled) + sum(map(len, reading.unused.values()))
    passed["images elsewhere"] += n_images - n_known
    for reason, folders in _folders_without_images(tree).items():
        names = shown([relative(folder.path, tree.path) for folder in folders])
        passed[f"{reason} ({names})"] = len(folders)
    return dict(+passed)


def _folders_without_images(folder: Folder) -> dict[str, list[Folder]]:
    """Return the outermost folders without images: the empty ones, and the others."""
    found: dict[str, list[Folder]] = {}
    for inner in folder.folders:
        if inner.has_images:
            for reason, folders in _folders_without_images(inner).items():
                found.setdefault(reason, []).extend(folders)
            continue
        if any(below.passed_over for below in inner.walk()):
            continue  # its content is counted
        empty = not any(below.others for below in inner.walk())
        found.setdefault("empty folders" if empty else "folders without images", []).append(inner)
    return found


def kind_of(path: Path) -> str:
    """Return what to count a file as that is no image by its suffix."""
    suffix = suffix_of(path)
    if suffix != suffix.strip():  # as of "cat.jpg "
        suffix = repr(suffix)
    return f"{suffix} files" if suffix else "files without a suffix"


def _odd_files(tree: Folder) -> list[str]:
    """Name the files that look as if they should have been used, or were used for their content."""
    remarks = []
    bare = [p for f in tree.walk() for p in f.images if p.suffix.lower() not in IMAGE_SUFFIXES]
    if bare:
        remarks.append(
            f"No file has the suffix of an image, so {plural(len(bare), 'file')} without a suffix "
            "that begin as images are used."
        )
    disguised = images_in_disguise(tree)
    if disguised:
        verb = "is an image" if len(disguised) == 1 else "are images"
        remarks.append(
            f"{plural(len(disguised), 'file')} that {verb} by their content are not used, as "
            f"{relative(disguised[0], tree.path)!r}: their names do not end in the suffix of an "
            "image; rename them."
        )
    remarks += _linked_folders(tree)
    unread = Counter(
        p.suffix.lower() for f in tree.walk() for p in f.others if is_unread_picture(p)
    )
    if unread:
        remarks.append(
            f"{plural(unread.total(), 'picture or film', 'pictures or films')} in formats that are "
            f"not read: {', '.join(f'{number:,} {kind}' for kind, number in unread.most_common())}."
        )
    return remarks


def _linked_folders(tree: Folder) -> list[str]:
    """Say which folders are links to others of the data, so that their images count twice."""
    if is_remote(tree.path):
        return []
    links = [folder for folder in tree.walk() if folder is not tree and folder.path.is_symlink()]
    targets = {folder.path.resolve(): folder for folder in links if folder.has_images}
    if not targets:
        return []
    named = [
        f"{relative(targets[real].path, tree.path)} is {relative(folder.path, tree.path)}"
        for folder in tree.walk()
        if (real := folder.path.resolve()) in targets and targets[real] is not folder
    ]
    return [f"Links to folders of the data, whose images count twice: {shown(named)}."] * bool(
        named
    )


def count_no_images(tree: Folder) -> Counter[str]:
    """Count the files and folders in a tree that are no images."""
    counts: Counter[str] = Counter()
    for folder in tree.walk():
        counts += folder.passed_over
        counts.update(map(kind_of, folder.others))
    return counts


def no_images(tree: Folder) -> DataError:
    """Return the error for a folder without any image."""
    counts = count_no_images(tree)
    found = ", ".join(counted(number, kind) for kind, number in counts.most_common(5))
    disguised = images_in_disguise(tree)
    hint = "choose another folder"
    if disguised:
        files = plural(len(disguised), "file")
        hint = f"{files} as {disguised[0].name!r} are images by their content: rename them"
    archives = [path.name for folder in tree.walk() for path in folder.others if is_archive(path)]
    if archives:
        hint = (
            f"the pictures may be in {plural(len(archives), 'archive')} ({shown(archives)}): "
            f"unpack {'it' if len(archives) == 1 else 'all of them'} there, or give "
            f"{'it' if len(archives) == 1 else 'one that has all classes'} instead of the folder"
        )
    return DataError(
        f"{tree.path} contains no images: no file below it ends in {suffixes()}; found "
        f"{found or 'nothing'}; {hint}"
    )


def suffixes() -> str:
    """Return the suffixes of images, for messages."""
    return ", ".join(sorted(IMAGE_SUFFIXES))
