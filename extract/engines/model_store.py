"""Converted and quantised networks, kept in the cache folder under their SHA-256."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING

from cache import disk, file_records
from cache.errors import REPAIR_HINT
from cache.locks import locked
from extract.backbones.catalog import find_backbone
from extract.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extract.recipe import Recipe


class ModelStore:
    """The models in one folder: one for each recipe that OpenVINO has computed.

    Parameters
    ----------
    folder : Path
        Created when the first model is added.

    Notes
    -----
    Recipes that differ only in flipping or in what is black and white share a model. The recipe of
    a quantised model names it, so the first calibration is used until the model is deleted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, recipe: Recipe) -> str | None:
        """Return the SHA-256 of a recipe's model, or None if there is none."""
        sha256 = (file_records.read_record(self._record(recipe)) or {}).get("sha256", "")
        exists = re.fullmatch("[0-9a-f]{64}", sha256) and self._file(sha256).is_file()
        return sha256 if exists else None

    def read(self, sha256: str) -> bytes:
        """Read a model.

        Raises
        ------
        WeightsError
            If it is missing, or its bytes have changed.
        """
        path = self._file(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise WeightsError(
                f"the model {sha256[:12]} is no longer in {self.folder}; run python -m classify "
                "again to make a new one"
            ) from None
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WeightsError(
                f"{path} has changed: its SHA-256 is not the one in its name; {REPAIR_HINT}"
            )
        return data

    def add(self, recipe: Recipe, data: bytes, **fields: str) -> str:
        """Add the model of a recipe, with further fields for its record.

        Returns
        -------
        str
            SHA-256 of `data`.

        Raises
        ------
        CacheError
            If the folder cannot be written to.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._file(sha256)
        with disk.attempt(f"write {path}"):
            disk.make_folder(self.folder)
            disk.publish(path, data)
        file_records.write_record(
            self._record(recipe), file=path.name, sha256=sha256, recipe=recipe.canonical, **fields
        )
        return sha256

    @contextlib.contextmanager
    def locked(self, recipe: Recipe) -> Iterator[None]:
        """Hold the lock of a recipe's model, so that only one process makes it."""
        with disk.attempt(f"write to {self.folder}"):
            disk.make_folder(self.folder)
        with locked(self._record(recipe).with_suffix(".lock")):
            yield

    def _file(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.zip"

    def _record(self, recipe: Recipe) -> Path:
        plain = dataclasses.replace(
            recipe, quantised=None, flip=False, mirrored=False, bits=None, black=None, white=None
        )
        backbone = find_backbone(plain.backbone).file_name
        return self.folder / f"{backbone}-{plain.precision}-{plain.fingerprint[:16]}.json"
