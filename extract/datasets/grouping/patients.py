"""Groups of DICOM images: one for each patient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract.errors import ImageError
from extract.images import dicom
from extract.images.files import read_bytes
from extract.images.formats import IMAGE_SUFFIXES, format_of
from extract.images.hashing import hash_images
from extract.images.loading import ReadSettings, ahead
from toolkit.addresses import is_remote
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cache.store import Store

PATIENT = "patient"
"""A kind of `cache.notes`: the PatientID of a file, or an empty text."""
_AT_ONCE = 64


def all_are_dicom(paths: Sequence[Path]) -> bool:
    """Tell whether all files are DICOM files, by their suffix or else their first bytes.

    Files at addresses are not looked at.
    """
    return bool(paths) and not any(map(is_remote, paths)) and all(map(_is_dicom, paths))


def _is_dicom(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".dcm" or suffix in IMAGE_SUFFIXES:
        return suffix == ".dcm"
    try:
        return format_of(read_bytes(path)) == "DICOM"
    except ImageError:
        return False


def patient_ids(
    paths: Sequence[Path], store: Store, progress: Progress = silent
) -> dict[Path, str]:
    """Return the PatientID of every image that has one.

    Parameters
    ----------
    paths : sequence of Path
    store : Store
        Recalls those of files that have not changed.
    progress : Progress, optional
        Called with the stages "hashing images" and "reading patients".

    Raises
    ------
    ImageError
        If the extra ``dicom`` is not installed.
    AddressError
        If the server of an address does not respond.
    """
    digests, _ = hash_images(paths, store, progress=progress)
    known = store.notes.recall(PATIENT, list(digests.values()))
    unknown = [path for path, digest in digests.items() if digest not in known]

    def read(path: Path) -> str | None:
        try:
            data = read_bytes(path)
        except ImageError:
            return None
        patient = dicom.patient_id(data) or ""
        return patient.strip().encode("utf-8", "replace").decode("utf-8")

    found = {}
    if unknown:
        with ThreadPoolExecutor(ReadSettings().threads(unknown), "patient") as pool:
            for done, (path, patient) in enumerate(
                zip(unknown, ahead(pool, read, unknown, _AT_ONCE), strict=True), 1
            ):
                if patient is not None:
                    found[digests[path]] = patient
                progress("reading patients", done, len(unknown))
        store.notes.remember(PATIENT, found)
    known |= found
    return {path: known[digest] for path, digest in digests.items() if known.get(digest)}
