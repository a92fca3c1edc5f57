"""Find a data set: by name, or as a folder, table, archive or address.

Whatever is downloaded, unpacked or drawn goes into the folder ``data`` of the cache. A folder there
gets its final name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cache import disk
from cache.errors import CacheError
from cache.locks import locked
from extract.datasets.folders import read_tree
from extract.datasets.folders.litter import is_archive
from extract.datasets.sources import shapes
from extract.datasets.sources.archive import check_archive, unpack
from extract.datasets.sources.archive_files import SUFFIXES as ARCHIVE_SUFFIXES
from extract.datasets.sources.download import UnreachableError, fetch, git_blob_id
from extract.datasets.tables import is_table
from extract.errors import ArchiveError, DataError, DownloadError
from toolkit.addresses import as_path, is_address
from toolkit.errors import ToolkitError, did_you_mean
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

NAMES = ("auto", "dogs-vs-cats", "shapes")
AUTO_FOLDER = Path("data")
NEARLY_THE_SAME = 0.8
"""Similarity from which a missing folder may be a misspelt one of `NAMES`."""

DOGS_VS_CATS_URL = (
    "https://raw.githubusercontent.com/mikecinnamon/Data/d0aefa2435120da85bf0dd2628904e5ca7e2f91d"
)
DOGS_VS_CATS = {
    "cats-train": "357a5c9987b73192cdb8533d116a33db85f30f64",
    "cats-test": "1c40f9c9a96dc308274bac91e14c1caa6bf2fbc4",
    "dogs-train": "127fcd4d432f8e83194bae7e3de6835dba8a9a6e",
    "dogs-test": "0417eea1b4e90d57f44e762648f1b99ebe47fcf3",
}
"""Folder in the zip file of the same name -> git blob id of that file."""

_UNPACKED = re.compile(r"[\w.-]*-[0-9a-f]{12}")
"""Names of the folders that `_from_archive` makes."""

_ARCHIVE_NAME = re.compile(
    f"({'|'.join(re.escape(suffix) for suffix in ARCHIVE_SUFFIXES)})$", re.IGNORECASE
)
_EXPECTED = (
    f"expected {', '.join(NAMES)}, a folder, a table (.csv, .tsv, .xlsx, .parquet), an archive "
    "(.zip, .tar, .tar.gz), the http(s) URL of an archive, or the address of a folder or table as "
    "s3://bucket/pictures or https://host/pictures/"
)


@dataclass(frozen=True)
class Source:
    """Where a data set is.

    Parameters
    ----------
    name : str
        The name of the data set.
    path : Path
        A folder or a table for `extract.datasets.layouts.read_dataset`.
    """

    name: str
    path: Path


def locate(
    data: str, *, cache: Path, mirror_url: str | None = None, progress: Progress = silent
) -> Source:
    """Find a data set; download, unpack or draw it if need be.

    Parameters
    ----------
    data : str
        - ``auto``: the folder ``data`` if it contains images; else ``dogs-vs-cats``; else, if its
          server cannot be reached, ``shapes``.
        - ``dogs-vs-cats``: 3,000 photographs, which are downloaded.
        - ``shapes``: the set that `extract.datasets.sources.shapes` draws.
        - A folder, a table or an archive, or the URL of an archive.
        - The address of a folder or table, see `toolkit.addresses.SCHEMES`;
          a folder on the web ends in a slash.
    cache : Path
        The cache folder.
    mirror_url : str, default=None
        Address of a folder with the zip files of ``dogs-vs-cats``, under their own names.
    progress : Progress, default=silent
        Is called while downloading, unpacking and drawing.

    Returns
    -------
    Source
        The name and the place of the data set.

    Raises
    ------
    DataError
        If `data` is none of the above, or an archive is refused. Only ``auto`` ever falls back to
        another data set.
    DownloadError
        If something cannot be downloaded.
    CacheError
        If the cache folder cannot be written.
    """
    store = cache / "data"
    if mirror_url is not None and data not in {"auto", "dogs-vs-cats"}:
        raise DataError(
            f"only dogs-vs-cats has a mirror, not {data}; leave the address of the mirror out",
            setting="mirror_url",
        )
    if data == "auto":
        return _auto(store, mirror_url, progress)
    if data == "dogs-vs-cats":
        return _dogs_vs_cats(store, mirror_url, progress)
    if data == "shapes":
        return _shapes(store, progress)
    if is_address(data):
        return _from_address(data, store, progress)
    try:
        return _from_path(data, store, progress)
    except ToolkitError:
        raise
    except (OSError, RuntimeError) as error:
        raise _unusable(data, f"; {error}") from error


def _from_path(data: str, store: Path, progress: Progress) -> Source:
    path = Path(data).expanduser()
    if data and path.is_dir():
        return Source(path.resolve().name, path)
    if path.is_file() and is_table(path):
        return Source(path.stem, path)
    if path.is_file() and _ARCHIVE_NAME.search(path.name):
        return _from_archive(path, _ARCHIVE_NAME.sub("", path.name), store, progress)
    if path.is_file() and is_archive(path):
        raise DataError(
            f"{data!r} is an archive of a kind that is not read; unpack it and give its folder; "
            f"those that are read end in {', '.join(ARCHIVE_SUFFIXES)}",
            setting="data",
        )
    if path.exists():
        raise _unusable(data, "; it is none of these")
    if path.is_symlink():
        raise DataError(
            f"{data!r} is a link to {str(path.readlink())!r}, which is not there or leads back to "
            "it; correct the link, or give the folder itself",
            setting="data",
        )
    raise DataError(
        f"there is no file or folder {data!r}{_did_you_mean(data, path)}; {_EXPECTED}",
        setting="data",
    )


def _did_you_mean(data: str, path: Path) -> str:
    """Suggest what is beside the path, or the name of a data set that is nearly the same."""
    names = get_close_matches(data, NAMES, 1, NEARLY_THE_SAME)
    return did_you_mean(data, [*names, *_siblings(path)])


def _siblings(path: Path) -> list[str]:
    """Return the files and folders beside a path, written as it is."""
    try:
        return [str(path.parent / other.name) for other in path.parent.iterdir()]
    except OSError:
        return []


def _unusable(data: str, found: str = "") -> DataError:
    return DataError(f"cannot use {data!r} as data: {_EXPECTED}{found}", setting="data")


def _auto(store: Path, mirror_url: str | None, progress: Progress) -> Source:
    if AUTO_FOLDER.is_dir() and read_tree(AUTO_FOLDER).has_images:
        return Source(AUTO_FOLDER.resolve().name, AUTO_FOLDER)
    try:
        return _dogs_vs_cats(store, mirror_url, progress)
    except UnreachableError as error:
        logger.warning("%s", error)
        logger.warning(
            "dogs-vs-cats could not be downloaded: the drawn data set shapes is used instead; "
            "give the name of a data set to use that one and no other"
        )
        return _shapes(store, progress)


def _shapes(store: Path, progress: Progress) -> Source:
    folder = store / f"shapes-{shapes.VERSION}"
    if not folder.is_dir():
        with _making(folder):
            if not folder.is_dir():
                shapes.draw_dataset(folder, progress=progress)
    return Source("shapes", folder)


# --- dogs-vs-cats --------------------------------------------------------------------------------


def _dogs_vs_cats(store: Path, mirror_url: str | None, progress: Progress) -> Source:
    """Download the four zip files: verified by their ids, or recorded if they are from a mirror."""
    if mirror_url is None:
        url, folder = DOGS_VS_CATS_URL, store / "dogs-vs-cats"
    else:
        url = mirror_url.rstrip("/")
        folder = store / f"dogs-vs-cats-mirror-{_short_hash(url)}"
    if not all((folder / name).is_dir() for name in DOGS_VS_CATS):
        with _making(folder):
            folder.mkdir(exist_ok=True)
            for name, blob in DOGS_VS_CATS.items():
                if not (folder / name).is_dir():
                    _add_part(folder, name, url, blob if mirror_url is None else None, progress)
    return Source("dogs-vs-cats", folder)


def _add_part(folder: Path, name: str, url: str, blob: str | None, progress: Progress) -> None:
    """Download and unpack one zip file; its folder moves into `folder` in one step.

    Without a known git blob id, the SHA-256 of the file is recorded beside `folder`.
    """
    zips = folder.with_name(f"{folder.name}.zips")
    archive, unpacked = zips / f"{name}.zip", zips / name
    try:
        fetch(
            f"{url}/{archive.name}",
            archive,
            verify=check_archive if blob is None else partial(_require_blob, blob=blob),
            progress=progress,
        )
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}; or use the drawn data set shapes, or give the address of a mirror",
            setting="mirror_url",
        ) from error
    if blob is None:
        record = folder.with_name(f"{folder.name}.json")
        digests = _read_json(record).get("sha256", {})
        digests = {**digests, archive.name: disk.sha256(archive)}
        _write_json(record, {"url": url, "sha256": digests})
    if not unpacked.is_dir():
        unpack(archive, unpacked, progress=progress)
    if not (unpacked / name).is_dir():
        shutil.rmtree(zips)
        raise ArchiveError(f"{url}/{archive.name} was refused: expected the folder {name} in it")
    (unpacked / name).rename(folder / name)
    disk.sync_folder(folder)
    shutil.rmtree(zips)


def _require_blob(path: Path, blob: str) -> None:
    actual = git_blob_id(path)
    if actual != blob:
        raise DownloadError(f"its git blob id is {actual}, not {blob}")


# --- archives and addresses ----------------------------------------------------------------------


def _from_archive(archive: Path, name: str, store: Path, progress: Progress) -> Source:
    folder = store / f"{_safe_name(name)}-{disk.sha256(archive)[:12]}"
    if not folder.is_dir():
        with _making(folder):
            if not folder.is_dir():
                unpack(archive, folder, progress=progress)
    return Source(name, folder)


def _from_address(url: str, store: Path, progress: Progress) -> Source:
    """Download an archive of the web; use anything else in place."""
    path = re.split("[?#]", url)[0]
    file = PurePosixPath(unquote(path.partition("://")[2]))
    name = _ARCHIVE_NAME.sub("", file.name)
    if is_table(file):
        return Source(file.stem, as_path(url))
    on_the_web = url.lower().startswith(("http://", "https://"))
    if name != file.name and not on_the_web:
        raise _unusable(url)
    if on_the_web and not path.endswith("/"):
        return _from_url(url, _safe_name(name), store, progress)
    return Source(name or "pictures", as_path(url))


def _from_url(url: str, name: str, store: Path, progress: Progress) -> Source:
    record = store / f"url-{_short_hash(url)}.json"
    folder = _recorded_folder(record)
    if folder is None:
        with _making(record):
            folder = _recorded_folder(record) or _fetch_archive(url, name, record, progress)
    return Source(name, folder)


def _recorded_folder(record: Path) -> Path | None:
    """Return the folder that the archive of a URL was unpacked to, if it still exists."""
    name = str(_read_json(record).get("folder"))
    folder = record.parent / name
    # A damaged record must not lead out of the cache.
    return folder if _UNPACKED.fullmatch(name) and folder.is_dir() else None


def _fetch_archive(url: str, name: str, record: Path, progress: Progress) -> Path:
    archive = record.with_suffix(".archive")
    try:
        fetch(url, archive, verify=check_archive, progress=progress)
    except UnreachableError:
        raise
    except DownloadError as error:
        raise DownloadError(
            f"{error}; expected a zip or tar file, or an address that ends as a table does (.csv) "
            "or (a folder) in /",
            setting="data",
        ) from error
    folder = _from_archive(archive, name, record.parent, progress).path
    _write_json(record, {"url": url, "sha256": disk.sha256(archive), "folder": folder.name})
    archive.unlink()
    return folder


# --- the cache -----------------------------------------------------------------------------------


@contextmanager
def _making(target: Path) -> Iterator[None]:
    """Let one process at a time make `target`; turn an `OSError` into a `CacheError`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f"{target.name}.lock")):
            yield
    except ToolkitError:
        raise
    except OSError as error:
        raise CacheError(
            f"cannot write {target} in the cache: {error.strerror or error}; "
            "solve that or choose another cache folder",
            setting="cache",
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if there is none or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    disk.publish(path, (json.dumps(content, indent=1) + "\n").encode("utf-8"))


def _safe_name(name: str) -> str:
    """Return `name` as part of the name of a folder that every file system accepts."""
    return re.sub(r"[^\w.-]+", "-", name)[:40]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
