"""Files and folders that programs leave beside pictures, and that are no data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_FOLDERS = frozenset(
    {
        "__macosx", "__pycache__", "_vti_cnf",
        "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", "@__thumb", "@sharebin", "$av_asw",
        "$recycle.bin", "recycler", "system volume information", "found.000",
        "lost+found", "network trash folder", "temporary items", "trash",
        "thumbs", "thumbnails", "thumbnail", "_thumb", "_thumbs", "_thumbnails", "thumbnailcache",
        "picasaoriginals", "picasa originals", "ipod photo cache", "zbthumbnail.info",
        "node_modules", "site-packages",
    }
)  # fmt: skip
_FOLDER_ENDINGS = (".lrdata", ".lrlibrary", ".dtrash")
_OWN_RUN = "run.json"
_BESIDE_RUN = frozenset({"predictions.csv", "metrics.csv", "report.html", "pictures.csv"})
_OWN_AUDIT = frozenset({"suspects.csv", "leaks.csv", "copies.csv", "outliers.csv", "oddities.csv"})
_OWN_SORTING = ".undo-sorting.jsonl"
_CACHE_TAG = "CACHEDIR.TAG"
_ENVIRONMENT = "pyvenv.cfg"

_UNREAD = re.compile(
    r"""\.(heic|heif|hif|avif|avifs|jp2|j2k|jpf|jpx|jxl|jxr|psd|psb|xcf|svg|eps|ai|cr2|cr3|crw|nef
    |nrw|arw|srf|sr2|dng|orf|rw2|raf|raw|pef|x3f|3fr|exr|hdr|tga|pgm|pbm|pnm|pam|ico|pcx|sgi|dds
    |dcm|dicom|nii|fits?|mp4|mov|avi|mkv|webm|m4v|mts|3gp|emf|wmf|djvu|icns)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Suffixes of pictures and films, whether or not they can be read."""
_ARCHIVE = re.compile(r"\.(zip|tar|gz|tgz|bz2|tbz2|xz|txz|zst|7z|rar)", re.IGNORECASE)


def reason_for_folder(name: str, names_in_it: AbstractSet[str]) -> str | None:
    """Return why a folder is passed over, or None if it is not.

    Parameters
    ----------
    name : str
        The name of the folder.
    names_in_it : set of str
        The names of the files and folders in it.

    Returns
    -------
    str or None
        A noun in the plural, to be counted.

    Examples
    --------
    >>> reason_for_folder("@eaDir", set()), reason_for_folder("__background__", {"1.jpg"})
    ('folders of other programs (@eaDir)', None)
    """
    if is_named_litter(name):
        return "hidden folders" if name.startswith(".") else f"folders of other programs ({name})"
    if _OWN_RUN in names_in_it and names_in_it & _BESIDE_RUN:
        return "folders of earlier runs"
    if len(names_in_it & _OWN_AUDIT) > 1:
        return "folders of earlier audits"
    if _OWN_SORTING in names_in_it:
        return "folders of sorted images"
    if _CACHE_TAG in names_in_it:
        return "cache folders"
    if _ENVIRONMENT in names_in_it:
        return "folders of other programs (virtual environment)"
    return None


def is_named_litter(name: str) -> bool:
    """Tell whether the name of a folder alone says that it is no data."""
    lower = name.strip().lower()
    return lower.startswith(".") or lower in _FOLDERS or lower.endswith(_FOLDER_ENDINGS)


def is_archive(path: Path) -> bool:
    """Tell whether a file is an archive by its suffix, whether or not it can be unpacked."""
    return _ARCHIVE.fullmatch(path.suffix) is not None


def is_unread_picture(path: Path) -> bool:
    """Tell whether a file that is not used is a picture or a film by its suffix."""
    return _UNREAD.fullmatch(path.suffix) is not None
