"""What the tests of a cluster share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from extract.datasets.sources.shapes import draw_image
from tests.extract.cluster.samples import N_PICTURES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, two of them the same, one broken; and random weights in a file."""
    home = tmp_path_factory.mktemp("home")
    (home / "pictures").mkdir()
    for i in range(N_PICTURES):
        cv2.imwrite(str(home / "pictures" / f"{i:03}.png"), draw_image("train", i)[:, :, ::-1])
    same = (home / "pictures" / "000.png").read_bytes()
    (home / "pictures" / "100.png").write_bytes(same)
    (home / "pictures" / "050.png").write_bytes(same[:500])
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    return home
