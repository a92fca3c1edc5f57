"""Networks that were converted or quantised once, kept in the cache under their SHA-256."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING

from cache import checksums, disk
from cache.locks import locked
from extract.backbones.catalog import find
from extract.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extract.recipe import Recipe


class ModelStore:
    """The models in one folder: one for each recipe that a faster engine has computed.

    Parameters
    ----------
    folder : Path
        It is made when the first model comes.

    Notes
    -----
    A model serves a recipe with and without flipping. A quantised one is part of its recipe, which
    names it; so the first calibration counts, until the model is deleted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, recipe: Recipe) -> str | None:
        """Return the SHA-256 of a recipe's model; None if there is none."""
        sha256 = (checksums.read_record(self._record(recipe)) or {}).get("sha256", "")
        there = re.fullmatch("[0-9a-f]{64}", sha256) and self._file(sha256).is_file()
        return sha256 if there else None

    def read(self, sha256: str) -> bytes:
        """Read a model.

        Raises
        ------
        WeightsError
            If it is not there, or not as it was kept.
        """
        path = self._file(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise WeightsError(
                f"the model {sha256[:12]} is no longer in {self.folder}; run python -m classify "
                "again, which makes another"
            ) from None
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WeightsError(
                f"{path} is not what was kept: its SHA-256 is another; run python -m cache verify "
                "--repair, then the same command again"
            )
        return data

    def keep(self, recipe: Recipe, data: bytes, **fields: str) -> str:
        """Keep a model for a recipe, with what else there is to say of it; return its SHA-256.

        Raises
        ------
        CacheError
            If the disk does not take it.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._file(sha256)
        with disk.attempt(f"write {path}"):
            disk.make_folder(self.folder)
            disk.publish(path, data)
        record = self._record(recipe)
        checksums.write_record(
            record, file=path.name, sha256=sha256, recipe=recipe.canonical, **fields
        )
        return sha256

    def note(self, recipe: Recipe, name: str) -> str:
        """Return what was said of a recipe's model under `name`; empty if nothing was."""
        return (checksums.read_record(self._record(recipe)) or {}).get(name, "")

    @contextlib.contextmanager
    def making(self, recipe: Recipe) -> Iterator[None]:
        """Let one process at a time make a recipe's model."""
        with disk.attempt(f"write to {self.folder}"):
            disk.make_folder(self.folder)
        with locked(self._record(recipe).with_suffix(".lock")):
            yield

    def _file(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.zip"

    def _record(self, recipe: Recipe) -> Path:
        plain = dataclasses.replace(recipe, quantised=None, flip=False, mirrored=False)
        return (
            self.folder
            / f"{find(plain.backbone).file_name}-{plain.precision}-{plain.fingerprint[:16]}.json"
        )
