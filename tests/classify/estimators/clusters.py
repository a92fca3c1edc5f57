"""Drawn features of many classes."""

from __future__ import annotations

import numpy as np


def clusters(n_classes: int, n_rows: int, n_features: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return Gaussian clusters that overlap, and the class of every row."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(n_classes), n_rows)
    centres = 0.8 * rng.normal(size=(n_classes, n_features))
    return (centres[y] + rng.normal(size=(len(y), n_features))).astype(np.float32), y
