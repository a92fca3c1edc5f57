"""What the benchmarks run on: the lesson's photographs and the weights, where they can be had.

`DOGS_VS_CATS_DIR` names a folder with the lesson's four zip files and `VGG16_WEIGHTS_FILE` a file
of VGG16 weights. Without them the drawn shapes and `--weights auto` are used, and it is said so.
"""

from __future__ import annotations

import os
import statistics
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def photographs(folder: Path) -> str:
    """Unpack the lesson's photographs into `folder`; return what `--data` takes."""
    zips = os.environ.get("DOGS_VS_CATS_DIR")
    if not zips:
        print("DOGS_VS_CATS_DIR is not set: measuring on the drawn shapes", file=sys.stderr)
        return "shapes"
    data = folder / "dogs-vs-cats"
    for archive in sorted(Path(zips).glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(data)
    return str(data)


def weights() -> str:
    """Return what `--weights` takes."""
    return os.environ.get("VGG16_WEIGHTS_FILE", "auto")


def ratio(name: str, ratios: Sequence[float], promise: str) -> None:
    """Print the median of ratios with their range, beside what was promised."""
    print(
        f"{name}: median {statistics.median(ratios):.2f} (range {min(ratios):.2f} to "
        f"{max(ratios):.2f}, {len(ratios)} rounds); promised {promise}"
    )
