"""Networks with random weights, and images for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from extract.backbones.catalog import construct, find_backbone
from extract.backbones.weights import Weights, identity
from extract.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = ("mobilenetv3small", "efficientnetb0", "resnet50", "convnexttiny", "xception")
"""One network of each kind, besides VGG and MobileNet."""


def weights_of(name: str, folder: Path) -> Weights:
    """Return random weights from a file, whose activations stay in the range of trained ones."""
    path = folder / f"{name}.npz"
    rng = np.random.default_rng(0)
    arrays = construct(name, 96).get_weights()
    for i, array in enumerate(arrays):
        if array.ndim == 4:  # He's initialisation; a depthwise kernel has one channel in
            n_inputs = array[..., 0].size if array.shape[3] > 1 else array[:, :, 0, 0].size
            arrays[i] = rng.normal(0, (2 / n_inputs) ** 0.5, array.shape).astype(np.float32)
    np.savez(path, *arrays)
    return Weights(str(path), identity(arrays), None, path)


def random_network(name: str, folder: Path) -> tuple[Weights, Recipe]:
    """Return random weights for a small size, and the recipe of their pooled embeddings."""
    weights, backbone = weights_of(name, folder), find_backbone(name)
    size = max(64, backbone.min_size)
    return weights, Recipe(weights.identity, backbone.preprocessing, name, size=size, pooling="avg")


def some_images(n: int = 5, size: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def write_light_and_dark(folder: Path) -> None:
    """Write forty pictures of two classes that every network can tell apart."""
    rng = np.random.default_rng(0)
    for i in range(40):
        label, light = ("dark", 60) if i % 2 else ("bright", 200)
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture = np.clip(rng.normal(light, 30, (20, 20, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / label / f"{i}.png"), picture)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
