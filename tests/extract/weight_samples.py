"""Small files of weights, sound and hostile, for the tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def write_listed(path: Path, layers: dict[str, dict[str, np.ndarray]]) -> Path:
    """Write arrays the way Keras 2 did: layers and weights in listed, not alphabetical, order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in arrays]
            for name, array in arrays.items():
                group[f"{layer}/{name}:0"] = array
    return path


SMALL = {
    "zeta": {"kernel": np.full((3, 3, 3, 2), 0.5, np.float32), "bias": np.ones(2, np.float32)},
    "alpha": {"kernel": np.zeros((1, 1, 2, 4), np.float32), "bias": np.zeros(4, np.float32)},
}
SMALL_ARRAYS = [array for layer in SMALL.values() for array in layer.values()]


class Hostile:
    """Runs a command when it is unpickled by anything less than careful."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)
