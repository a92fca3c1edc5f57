"""Data sets of small pictures whose names, folders or tables say which belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from extract import Dataset


def make(root: Path, names: Iterable[str]) -> Path:
    """Write a small picture under each name, no two alike."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def patients(n: int = 6, scans: int = 3) -> list[str]:
    """Return names of pictures of so many patients of each of two classes."""
    return [
        f"{label}/{label[0]}{i:02}_scan{scan}.png"
        for label in ("benign", "malignant")
        for i in range(n)
        for scan in range(scans)
    ]


NAMES = patients()


def groups(data: Dataset) -> dict[str, str | None]:
    return {data.relative(item.path): item.group for item in data.items}


def stem(name: str) -> str:
    return name.rpartition("/")[2].partition("_")[0]


EXPECTED: dict[str, str | None] = {name: stem(name) for name in NAMES}


def on_one_side(data: Dataset) -> bool:
    return not set(data.train.groups) & set(data.test.groups)
