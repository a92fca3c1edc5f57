"""Converted and quantised networks, kept in a folder under their SHA-256."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING

from cache import disk, file_records
from cache.errors import REPAIR_HINT
from cache.locks import locked
from extract.engines.calibration import OWN_SHARE, Calibration, images_digest
from extract.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from extract.recipe import Recipe

_DIGEST = re.compile("[0-9a-f]{64}")


class ModelStore:
    """The models in one folder: a converted one for each recipe, or one for each calibration.

    Parameters
    ----------
    folder : Path
        ``models/`` in the cache, or ``networks/`` in the folder of a run. Created when the first
        model is added.

    Notes
    -----
    Recipes that differ only in flipping share a model; converted ones also if they differ in what
    is black and white. Earlier versions quantised a network once for all data sets, and did not
    record on which images. It can be read by its SHA-256, but no data set goes on with it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, recipe: Recipe) -> str | None:
        """Return the SHA-256 of a recipe's converted model, or None if there is none."""
        fields = file_records.read_record(self._path(recipe, ".json")) or {}
        sha256 = fields.get("sha256", "")
        return sha256 if self.has(sha256) else None

    def find_calibration(self, recipe: Recipe, candidates: Collection[str]) -> Calibration | None:
        """Return the calibration of a recipe that a data set goes on with, or None.

        Parameters
        ----------
        recipe : Recipe
            In int8.
        candidates : collection of str
            The images that the data set would be calibrated on; see `Calibration.share_in`.

        Returns
        -------
        Calibration or None
            The one that shares most images, if these are at least half.
        """
        best = max(
            self._calibrations(recipe),
            key=lambda calibration: (calibration.share_in(candidates), calibration.quantised),
            default=None,
        )
        return best if best is not None and best.share_in(candidates) >= OWN_SHARE else None

    def has(self, sha256: str) -> bool:
        """Return whether a model is in the folder; its bytes are not checked."""
        return bool(_DIGEST.fullmatch(sha256)) and self._file(sha256).is_file()

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
                f"{path} has changed: its SHA-256 is not the one in its name; if it is in the "
                f"cache, {REPAIR_HINT}; if it is in the folder of a run, put an intact copy there"
            )
        return data

    def add(self, recipe: Recipe, data: bytes) -> str:
        """Add the converted model of a recipe.

        Returns
        -------
        str
            SHA-256 of `data`.

        Raises
        ------
        CacheError
            If the folder cannot be written to.
        """
        return self._write(self._path(recipe, ".json"), recipe, data)

    def add_calibrated(
        self, recipe: Recipe, data: bytes, images: Sequence[str], source: str
    ) -> Calibration:
        """Add a quantised model of a recipe, with the images that it was calibrated on.

        Parameters
        ----------
        recipe : Recipe
            In int8.
        data : bytes
            From `extract.engines.int8.quantise`.
        images, source
            See `Calibration`.

        Raises
        ------
        CacheError
            If the folder cannot be written to.
        """
        path, images = self._path(recipe, f"-{images_digest(images)[:16]}.json"), sorted(images)
        sha256 = self._write(path, recipe, data, images=" ".join(images), source=source)
        return Calibration(sha256, tuple(images), source)

    def batch_record(self, recipe: Recipe, machine: str) -> Path:
        """Return the file for the size of batches that a recipe's network is fastest with."""
        key = hashlib.sha256(machine.encode()).hexdigest()[:16]
        return self._path(recipe, f"-batch-{key}.json")

    def copy(self, recipe: Recipe, calibration: Calibration, to: ModelStore) -> None:
        """Copy a quantised model and its record to another folder, unless it has them.

        Raises
        ------
        CacheError
            If the folder cannot be written to.
        WeightsError
            If the model is missing, or its bytes have changed.
        """
        if not to.has(calibration.quantised):
            data = self.read(calibration.quantised)
            to.add_calibrated(recipe, data, calibration.images, calibration.source)

    @contextlib.contextmanager
    def locked(self, recipe: Recipe) -> Iterator[None]:
        """Hold the lock of a recipe's models, so that only one process makes them."""
        with disk.attempt(f"write to {self.folder}"):
            disk.make_folder(self.folder)
        with locked(self._path(recipe, ".lock")):
            yield

    def _calibrations(self, recipe: Recipe) -> Iterator[Calibration]:
        with disk.attempt(f"list {self.folder}"):
            records = sorted(self.folder.glob(self._path(recipe, "-*.json").name))
        for record in records:
            fields = file_records.read_record(record) or {}
            if "images" in fields and self.has(fields.get("sha256", "")):
                images = tuple(fields["images"].split())
                yield Calibration(fields["sha256"], images, fields.get("source", ""))

    def _write(self, record: Path, recipe: Recipe, data: bytes, **fields: str) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._file(sha256)
        with disk.attempt(f"write {path}"):
            disk.make_folder(self.folder)
            disk.publish(path, data)
        file_records.write_record(
            record, file=path.name, sha256=sha256, recipe=recipe.canonical, **fields
        )
        return sha256

    def _file(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.zip"

    def _path(self, recipe: Recipe, ending: str) -> Path:
        network = network_of(recipe)
        backbone = network.network_name.replace(":", "-")
        return self.folder / f"{backbone}-{network.precision}-{network.fingerprint[:16]}{ending}"


def network_of(recipe: Recipe) -> Recipe:
    """Return the part of a recipe that decides its network, before the calibration.

    Examples
    --------
    >>> from extract.recipe import Recipe
    >>> recipe = Recipe(weights="ab" * 32, preprocessing="torch", flip=True)
    >>> network_of(recipe).flip
    False
    """
    network = dataclasses.replace(recipe, quantised=None, flip=False, mirrored=False)
    if network.precision == "int8":  # black and white decide the pixels that it is calibrated on
        return network
    return dataclasses.replace(network, bits=None, black=None, white=None)
