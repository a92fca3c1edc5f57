"""Images as users pass them, and what is explained of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.errors import ModelError
from extract.images.loading import ReadSettings, load_images
from extract.images.resizing import resize
from toolkit.errors import did_you_mean
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.images.pixels import PixelSettings


def read_pixels(
    rows: Sequence[Path | NDArray[np.uint8]],
    settings: PixelSettings,
    reading: ReadSettings,
    progress: Progress = silent,
) -> NDArray[np.uint8]:
    """Return images as a network takes them.

    Parameters
    ----------
    rows : sequence of Path or ndarray of uint8, shape (height, width, 3)
        Files and images in memory; at least one.
    settings : PixelSettings
    reading : ReadSettings
        How files are read.
    progress : Progress, optional

    Returns
    -------
    ndarray of uint8, shape (n_rows, size, size, 3)

    Raises
    ------
    ImageError
        If a file cannot be used.
    """
    files = [row for row in rows if not isinstance(row, np.ndarray)]
    decoded = iter(load_images(files, settings, reading=reading, progress=progress))
    return np.stack(
        [resize(row, settings) if isinstance(row, np.ndarray) else next(decoded) for row in rows]
    )


def codes_of(classes: Sequence[str] | str, known: Sequence[str], n_images: int) -> NDArray[np.intp]:
    """Return the positions of classes among those of a model, one for each image.

    Parameters
    ----------
    classes : str or sequence of str
        Of all images together, or of each.
    known : sequence of str
        Those of the model.
    n_images : int

    Raises
    ------
    ModelError
        If a class is not one of them, or there is not one for each image.

    Examples
    --------
    >>> codes_of("dog", ["cat", "dog"], 3).tolist()
    [1, 1, 1]
    """
    names = n_images * [classes] if isinstance(classes, str) else list(map(str, classes))
    if len(names) != n_images:
        raise ModelError(
            f"expected a class for each of {n_images} images, found {len(names)} classes"
        )
    positions = {str(name): code for code, name in enumerate(known)}
    for name in names:
        if name not in positions:
            raise ModelError(
                f"the model has no class {name!r}{did_you_mean(name, positions)}; its classes are: "
                f"{', '.join(list(positions)[:20])}"
            )
    return np.array([positions[name] for name in names], dtype=np.intp)
