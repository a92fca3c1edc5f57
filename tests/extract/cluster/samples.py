"""Pictures that the tests of a cluster embed, and the base that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extract.frozen import FrozenBase
from extract.options import BaseSettings

if TYPE_CHECKING:
    from pathlib import Path

N_PICTURES = 330
LAYER = "block3_pool"
"""Half of VGG16, which leaves workers something to do, and takes less time than all of it."""


def base_settings(home: Path, cache: Path) -> BaseSettings:
    weights = str(home / "vgg16.npz")
    return BaseSettings(size=48, layer=LAYER, pooling="avg", weights=weights, cache=cache)


def base(home: Path, cache: Path) -> FrozenBase:
    return FrozenBase.choose(base_settings(home, cache))


def paths(home: Path) -> list[Path]:
    return sorted((home / "pictures").iterdir())
