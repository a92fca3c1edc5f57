"""Drawn pictures with enough texture for local features, and edits of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


def textured(seed: int, height: int = 180, width: int = 240) -> Image:
    """Draw blobs of all sizes and colours."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for cells in (4, 8, 16, 32):
        noise = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


def turned(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height))


def bordered(image: Image) -> Image:
    return cv2.copyMakeBorder(image, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def shrunk(image: Image) -> Image:
    return cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)


def squashed(image: Image) -> Image:
    return cv2.resize(image, None, fx=0.7, fy=1, interpolation=cv2.INTER_AREA)


def written_on(image: Image) -> Image:
    return cv2.putText(image.copy(), "PICTURE", (20, 100), 0, 1.5, (255, 255, 255), 3)


EDITS = {
    "turned by 10°, cropped to 89%, 11% added": lambda image: turned(image, 10),
    "turned by 90°": lambda image: np.rot90(image),
    "turned by 180°": lambda image: image[::-1, ::-1],
    "mirrored": lambda image: image[:, ::-1],
    "mirrored, turned by 90°": lambda image: np.rot90(image[:, ::-1]),
    "cropped to 36%": lambda image: image[36:144, 48:192],
    "squashed to 70%": squashed,
    "48% added": bordered,
    "edited or saved again": lambda image: image // 2,
    "edited or saved again, blurred": blurred,
    "edited or saved again, shrunk": shrunk,
    "edited or saved again, written on": written_on,
    "mirrored, cropped to 49%": lambda image: image[27:153, 36:204][:, ::-1],
}
"""How an edited picture is described (up to the last comma, where two are described alike)."""
