"""Images that no classifier of photographs was trained on: noise, pages of text, flat colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

N_IMAGES = 200
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_PLAIN,
)


def noise(rng: np.random.Generator) -> Image:
    """Return squares of random grey or colour, from 1 to 80 pixels large."""
    side, channels = int(rng.integers(2, 160)), int(rng.choice([1, 3]))
    squares = rng.integers(0, 256, (side, side, channels)).astype(np.uint8)
    image: Image = cv2.resize(
        np.repeat(squares, 3 // channels, axis=2), (160, 160), interpolation=cv2.INTER_NEAREST
    )
    return image


def text(rng: np.random.Generator) -> Image:
    """Return a page with lines of random words, in one of several fonts and sizes."""
    page = np.full((420, 300, 3), int(rng.integers(225, 256)), np.uint8)
    size, ink, font = rng.uniform(0.3, 0.9), int(rng.integers(0, 70)), int(rng.choice(FONTS))
    for baseline in range(20, 410, round(34 * size + 6)):
        words = ["".join(rng.choice(LETTERS, int(rng.integers(2, 9)))) for _ in range(9)]
        at = (14, baseline)
        cv2.putText(page, " ".join(words), at, font, size, (ink,) * 3, 1, cv2.LINE_AA)
    page[:, -14:] = page[0, 0]
    return page


def flat(rng: np.random.Generator) -> Image:
    """Return an image of one colour."""
    return np.full((150, 150, 3), rng.integers(0, 256, 3), np.uint8)


UNFAMILIAR: dict[str, Callable[[np.random.Generator], Image]] = {
    "noise": noise,
    "pages of text": text,
    "flat colours": flat,
}


def write_images(folder: Path, draw: Callable[[np.random.Generator], Image]) -> list[Path]:
    """Write images into a new folder, the same ones every time, and return their paths."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:03}.png" for number in range(N_IMAGES)]
    for path in paths:
        cv2.imwrite(str(path), draw(rng)[..., ::-1])
    return paths
