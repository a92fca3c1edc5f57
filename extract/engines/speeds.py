"""How many images per second each base has embedded on this machine, kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from typing import TYPE_CHECKING, NamedTuple

from cache import file_records
from cache.errors import CacheError
from cache.store import COMMITTING
from extract.engines import FORWARD_PASSES
from extract.images.loading import DECODING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from extract.recipe import Recipe

FOR_EACH_IMAGE = (FORWARD_PASSES, DECODING, COMMITTING)
"""The phases whose time grows with the number of images."""
ENOUGH = 64
"""Images whose time is worth keeping."""


class Speed(NamedTuple):
    """What a base has reached.

    Attributes
    ----------
    backbone : str
    size : int
        Side of the images in pixels.
    precision : str
    images_per_second : float
        Of reading, decoding, computing and committing, without loading the network.
    """

    backbone: str
    size: int
    precision: str
    images_per_second: float


def speed_of(n_images: int, phases: Mapping[str, float]) -> float | None:
    """Return images per second, from the seconds of each phase; None if nothing was computed."""
    seconds = sum(phases.get(name, 0.0) for name in FOR_EACH_IMAGE)
    return n_images / seconds if n_images and seconds else None


def remember_speed(
    folder: Path, recipe: Recipe, n_images: int, phases: Mapping[str, float]
) -> None:
    """Keep how fast images were embedded, if they were enough.

    Parameters
    ----------
    folder : Path
        The cache folder.
    recipe : Recipe
    n_images : int
        Computed in these phases.
    phases : mapping of str to float
        Seconds; see `toolkit.phases`.
    """
    speed = speed_of(n_images, phases)
    if speed is None or n_images < ENOUGH:
        return
    fields = {"backbone": recipe.backbone, "size": str(recipe.size), "precision": recipe.precision}
    key = hashlib.sha256(f"{_machine()} {fields}".encode()).hexdigest()[:32]
    with contextlib.suppress(CacheError):  # it will be measured again
        file_records.write_record(
            folder / "speeds" / f"{key}.json",
            machine=_machine(),
            images_per_second=f"{speed:.4g}",
            **fields,
        )


def recall_speeds(folder: Path) -> list[Speed]:
    """Return the speeds that this machine has reached, the latest of each kind."""
    records = (
        file_records.read_record(path) for path in sorted((folder / "speeds").glob("*.json"))
    )
    return [
        Speed(
            found["backbone"],
            int(found["size"]),
            found["precision"],
            float(found["images_per_second"]),
        )
        for found in records
        if found is not None and found.get("machine") == _machine()
    ]


def _machine() -> str:
    return f"{platform.node()}, {os.cpu_count()} cores"
