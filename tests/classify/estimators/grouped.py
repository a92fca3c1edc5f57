"""Drawn features that come in groups of near-copies."""

from __future__ import annotations

import numpy as np

N_GROUPS, SIZE, N_FEATURES = 60, 4, 400


def near_copies(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and groups: copies with noise, and a random label for each group.

    The label of a new group cannot be predicted. That of a new copy can, by any other copy.
    """
    rng = np.random.default_rng(seed)
    of_groups = rng.permutation(np.array(["a", "b"]).repeat(N_GROUPS // 2))
    groups = rng.permutation(np.arange(N_GROUPS).repeat(SIZE))
    centres = rng.normal(size=(N_GROUPS, N_FEATURES))
    X = centres[groups] + 0.1 * rng.normal(size=(len(groups), N_FEATURES))
    return X.astype(np.float32), of_groups[groups], np.char.add("animal ", groups.astype(str))
