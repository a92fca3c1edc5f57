"""The built-in data set `shapes`: six outlines drawn from a fixed seed, the same on every machine.

It has few images with much variation: a network trained from scratch learns next to nothing from
it, while a classifier on frozen ImageNet features does well. It needs no download.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cache import disk
from extract.errors import DataError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = 1
"""Increased whenever an image changes, so that images drawn by an older version are not used."""
SEED = 20240
CLASSES = ("cross", "disc", "hexagon", "square", "star", "triangle")
SIZES = {"train": 400, "test": 200}

JPEG_QUALITY = 90


def draw_dataset(folder: Path, *, progress: Progress = silent) -> Path:
    """Draw the whole data set as `folder/SPLIT/CLASS/NUMBER.jpg`.

    Parameters
    ----------
    folder : Path
        A folder that does not exist yet; it gets its name when all 600 images are drawn.
    progress : Progress, default=silent
        Is called after each image.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DataError
        If the images cannot be written.
    """
    done, total = 0, sum(SIZES.values())
    try:
        with disk.atomic_folder(folder) as scratch:
            for split, size in SIZES.items():
                for name in CLASSES:
                    (scratch / split / name).mkdir(parents=True)
                for index in range(size):
                    path = scratch / split / class_of(index) / f"{index:03d}.jpg"
                    path.write_bytes(encode_jpeg(draw_image(split, index)))
                    done += 1
                    progress("drawing shapes", done, total)
    except OSError as error:
        raise DataError(
            f"the data set shapes cannot be drawn into {folder}: {error}; solve that or choose "
            "another cache folder",
            setting="cache",
        ) from error
    return folder


def class_of(index: int) -> str:
    """Return the class of image number `index` of either split.

    Examples
    --------
    >>> class_of(0), class_of(5), class_of(6)
    ('cross', 'triangle', 'cross')
    """
    return CLASSES[index % len(CLASSES)]


def draw_image(split: str, index: int) -> NDArray[np.uint8]:
    """Draw one image, independently of the others.

    Parameters
    ----------
    split : {"train", "test"}
        The split that the image belongs to.
    index : int
        The number of the image in its split, which decides its class.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB; each side between 150 and 200 pixels.
    """
    rng = np.random.default_rng([SEED, list(SIZES).index(split), index])
    height, width = (int(side) for side in rng.integers(150, 201, size=2))
    canvas = _background(rng, height, width)
    _stray_lines(rng, canvas)
    _outline(rng, canvas, _corners(class_of(index)))
    noisy = canvas + rng.normal(0.0, rng.uniform(4.0, 14.0), canvas.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth gradient between a few random colours, (height, width, 3)."""
    import cv2

    rows, columns = rng.integers(2, 6, size=2)
    coarse = rng.uniform(20, 235, size=(rows, columns, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _stray_lines(rng: np.random.Generator, canvas: NDArray[np.uint8]) -> None:
    import cv2

    height, width = canvas.shape[:2]
    for _ in range(rng.integers(2, 6)):
        ends = rng.integers(0, [width, height], size=(2, 2))
        cv2.line(
            canvas,
            ends[0].tolist(),
            ends[1].tolist(),
            rng.integers(0, 256, size=3).tolist(),
            thickness=int(rng.integers(1, 3)),
            lineType=cv2.LINE_AA,
        )


def _outline(
    rng: np.random.Generator, canvas: NDArray[np.uint8], corners: NDArray[np.float64]
) -> None:
    """Draw the closed line through `corners`, stretched, rotated, scaled and placed at random."""
    import cv2

    height, width = canvas.shape[:2]
    radius = min(height, width) * rng.uniform(0.18, 0.42)
    stretch = np.diag([1.0, rng.uniform(0.6, 1.0)])
    points = radius * corners @ _rotation(rng) @ stretch @ _rotation(rng)
    margin = np.abs(points).max(axis=0) + 2
    points += rng.uniform(margin, [width, height] - margin)
    colour = _contrasting(rng, canvas.mean(axis=(0, 1)))
    cv2.polylines(
        canvas,
        [np.rint(points).astype(np.int32)],
        isClosed=True,
        color=colour.tolist(),
        thickness=int(rng.integers(2, 5)),
        lineType=cv2.LINE_AA,
    )


def _contrasting(rng: np.random.Generator, background: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a random colour that stands out from `background`."""
    while True:
        colour = rng.integers(0, 256, size=3)
        if np.abs(colour - background).max() > 80:
            return colour


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the matrix of a random rotation, (2, 2)."""
    angle = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _corners(name: str) -> NDArray[np.float64]:
    """Return the corners of an outline that fits into the unit circle, (n, 2)."""
    if name == "cross":
        arm = 1 / 3
        quarter = np.array([[1.0, -arm], [1.0, arm], [arm, arm]]) / np.hypot(1.0, arm)
        right_angle = np.array([[0, 1], [-1, 0]])
        rotations = (np.linalg.matrix_power(right_angle, times) for times in range(4))
        return np.concatenate([quarter @ rotation for rotation in rotations])
    count = {"triangle": 3, "square": 4, "hexagon": 6, "star": 10, "disc": 64}[name]
    angles = 2 * np.pi * np.arange(count) / count
    radii = np.ones(count)
    if name == "star":
        radii[1::2] = 0.45
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return an image of shape (height, width, 3) as the bytes of a JPEG file."""
    import cv2

    _, encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
