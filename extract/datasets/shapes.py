"""The embedded data set `shapes`: six outlines drawn from a fixed seed, the same on every machine.

Few pictures and many nuisances: a network trained from nothing learns next to nothing from it,
while a classifier on frozen ImageNet features does well. It needs no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from extract.datasets.archive import appearing
from extract.errors import DataError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VERSION = 1
"""Raised whenever a picture changes, so that a set drawn by an older version is not taken."""
SEED = 20240
CLASSES = ("cross", "disc", "hexagon", "square", "star", "triangle")
SIZES = {"train": 400, "test": 200}

JPEG_QUALITY = 90


def draw(folder: Path, *, progress: Progress = silent) -> Path:
    """Draw the whole set as `folder/SPLIT/CLASS/NUMBER.jpg`.

    Parameters
    ----------
    folder : Path
        A folder that does not exist yet; it appears in one step when all 600 pictures are drawn.
    progress : Progress
        Told the number of pictures drawn.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DataError
        If the pictures cannot be written.
    """
    done, total = 0, sum(SIZES.values())
    try:
        with appearing(folder) as fresh:
            for split, size in SIZES.items():
                for name in CLASSES:
                    (fresh / split / name).mkdir(parents=True)
                for index in range(size):
                    path = fresh / split / label(index) / f"{index:03d}.jpg"
                    path.write_bytes(jpeg(picture(split, index)))
                    done += 1
                    progress("drawing shapes", done, total)
    except OSError as error:
        raise DataError(
            f"the shapes cannot be drawn into {folder}: {error}; mend that, or give --cache DIR"
        ) from error
    return folder


def label(index: int) -> str:
    """Return the class of picture number `index` of either split.

    >>> label(0), label(5), label(6)
    ('cross', 'triangle', 'cross')
    """
    return CLASSES[index % len(CLASSES)]


def picture(split: str, index: int) -> NDArray[np.uint8]:
    """Draw one picture, without its neighbours.

    Parameters
    ----------
    split : str
        ``"train"`` or ``"test"``.
    index : int
        The picture's number in its split; it decides the class.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB; each side between 150 and 200 pixels.
    """
    rng = np.random.default_rng([SEED, list(SIZES).index(split), index])
    height, width = (int(side) for side in rng.integers(150, 201, size=2))
    canvas = _background(rng, height, width)
    _stray_lines(rng, canvas)
    _outline(rng, canvas, _corners(label(index)))
    noisy = canvas + rng.normal(0.0, rng.uniform(4.0, 14.0), canvas.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth surface through a few random colours, (height, width, 3)."""
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
    """Draw the closed line through `corners`, stretched, turned, sized and placed at random."""
    import cv2

    height, width = canvas.shape[:2]
    radius = min(height, width) * rng.uniform(0.18, 0.42)
    stretch = np.diag([1.0, rng.uniform(0.6, 1.0)])
    points = radius * corners @ _turn(rng) @ stretch @ _turn(rng)
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


def _contrasting(rng: np.random.Generator, ground: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a random colour that can be told from `ground`."""
    while True:
        colour = rng.integers(0, 256, size=3)
        if np.abs(colour - ground).max() > 80:
            return colour


def _turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rotation, (2, 2)."""
    angle = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _corners(name: str) -> NDArray[np.float64]:
    """Return the corners of an outline that just fits into the unit circle, (n, 2)."""
    if name == "cross":
        arm = 1 / 3
        quarter = np.array([[1.0, -arm], [1.0, arm], [arm, arm]]) / np.hypot(1.0, arm)
        right_angle = np.array([[0, 1], [-1, 0]])
        turns = (np.linalg.matrix_power(right_angle, times) for times in range(4))
        return np.concatenate([quarter @ turn for turn in turns])
    count = {"triangle": 3, "square": 4, "hexagon": 6, "star": 10, "disc": 64}[name]
    angles = 2 * np.pi * np.arange(count) / count
    radii = np.ones(count)
    if name == "star":
        radii[1::2] = 0.45
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    import cv2

    _, encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
