"""Images as users pass them: paths, PIL images and arrays, in a list, an array or a data frame."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.errors import DataError, ImageError
from extract.images import depth
from extract.images.formats import MAX_PIXELS
from extract.images.pixels import PixelSettings
from extract.images.rendering import pil_to_rgb
from toolkit.addresses import as_path, is_address
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_EIGHT_BIT_MODES = frozenset(
    {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"}
)
_SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_DEFAULT_PIXELS = PixelSettings(1)
_EXPECTED = "expected the path of an image file, a PIL image or a uint8 array (height, width, 3)"


def read_inputs(
    X: Any,
    max_pixels: int = MAX_PIXELS,
    *,
    pixels: PixelSettings = _DEFAULT_PIXELS,
    addresses: bool = False,
) -> list[Path | NDArray[np.uint8]]:
    """Return one path or array of pixels for each row of `X`.

    Parameters
    ----------
    X : array-like of shape (n,) or (n, 1), or ndarray of shape (n, height, width, 3)
        A list, a tuple, a NumPy array, a pandas Series, a data frame of one column, or a split of a
        data set. Its elements are paths (str or Path; ``~`` is expanded), PIL images, or uint8
        arrays of shape (height, width, 3) in RGB.
    max_pixels : int, default=50 million
        Width times height up to which an image in memory is accepted.
    pixels : PixelSettings, optional
        How the pixels of files are made, so that those of PIL images are made in the same way. If
        it does not say how many bits are in use, this is decided over all PIL images of 16 bits.
    addresses : bool, default=False
        Whether addresses (``s3://bucket/a.jpg``) are accepted as paths are.

    Returns
    -------
    list of Path or ndarray of uint8, shape (height, width, 3)
        The files are not opened.

    Raises
    ------
    DataError
        If `X` is not such a container, or is empty.
    ImageError
        If an element is neither a path nor an image; the message names its row.

    Examples
    --------
    >>> read_inputs(["cats/1.jpg"])
    [PosixPath('cats/1.jpg')]
    >>> read_inputs([None])
    Traceback (most recent call last):
    ...
    extract.errors.ImageError: row 0: expected the path of an image file, a PIL image or a uint8 \
array (height, width, 3), found a missing value (None); drop such rows first
    """
    rows = _rows(X)
    pixels = _with_bits(rows, pixels)
    return [
        _read_element(element, row, max_pixels, pixels, addresses)
        for row, element in enumerate(rows)
    ]


def with_bits_of(X: Any, pixels: PixelSettings) -> PixelSettings:
    """Return settings that say how many bits are in use in the PIL images of 16 bits in `X`.

    Parameters
    ----------
    X : array-like
        As for `read_inputs`.
    pixels : PixelSettings
        Returned as they are, if they say so already or there are no such images.
    """
    return _with_bits(_rows(X), pixels)


def image_digest(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 that identifies an image in memory.

    It is taken over the words ``pixels uint8``, the shape and the bytes in C order, so it depends
    on the pixels alone, and no image file can have the same one.

    Examples
    --------
    >>> image_digest(np.zeros((2, 3, 3), np.uint8))[:12]
    'f70e75f9f594'
    """
    digest = hashlib.sha256(f"pixels uint8 {pixels.shape}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _rows(X: Any) -> Sequence[Any]:
    """Return the rows of a container."""
    if dataclasses.is_dataclass(X):  # a data set of ours, or one of its splits
        paths = getattr(X, "paths", None)
        if paths is None:
            raise DataError(
                f"expected a list of images or of their paths, found {type(X).__name__}; of a data "
                "set, pass one of its splits, train or test"
            )
        X = paths
    if isinstance(X, str | bytes | os.PathLike) or _is_pil_image(X):
        one = "image" if _is_pil_image(X) else repr(X)
        raise DataError(
            f"expected a list of images or of their paths, found one {one}; pass a list: [{one}]"
        )
    if hasattr(X, "columns"):
        if len(X.columns) != 1:
            names = ", ".join(map(str, list(X.columns)[:5]))
            raise DataError(
                f"expected a data frame of one column, found {len(X.columns)} columns ({names}); "
                "select the column of the paths"
            )
        X = X.to_numpy()
    elif hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        X = _rows_of_array(X)
    if isinstance(X, dict | set | frozenset) or not hasattr(X, "__len__"):
        raise DataError(
            f"expected a list of images or of their paths, found {type(X).__name__}; pass list(X)"
        )
    if len(X) == 0:
        raise DataError("expected at least one image, found none: X is empty")
    rows: Sequence[Any] = X
    return rows


def _rows_of_array(X: NDArray[Any]) -> Any:
    if X.ndim == 4:
        return X
    is_text = X.dtype.kind in "OUS" or X.size == 0
    if is_text and (X.ndim == 1 or (X.ndim == 2 and X.shape[1] == 1)):
        return X.ravel()
    raise DataError(
        "expected an array of paths (n,) or (n, 1), or of images (n, height, width, 3) in uint8, "
        f"found shape {X.shape} in {X.dtype}"
        + ("; pass [X] for a single image" if X.ndim == 3 and X.shape[-1] == 3 else "")
    )


def _with_bits(rows: Sequence[Any], pixels: PixelSettings) -> PixelSettings:
    """Decide how many bits are in use in the PIL images of 16 bits together, and say so."""
    deep = [row for row in rows if _is_pil_image(row) and row.mode in _SIXTEEN_BIT_MODES]
    if not deep or pixels.bits is not None or pixels.interpolation == "lanczos4":
        return pixels
    bits = depth.bits_in_use([depth.measure(np.asarray(image)) for image in deep])
    logger.warning(
        "%s 16 bits, of which %d are in use in all of them together, so %s is white",
        plural(len(deep), "PIL image has", "PIL images have"),
        bits,
        f"{2**bits - 1:,}",
    )
    return dataclasses.replace(pixels, bits=bits)


def _read_element(
    element: Any, row: int, max_pixels: int, pixels: PixelSettings, addresses: bool
) -> Path | NDArray[np.uint8]:
    if isinstance(element, np.ndarray):
        return _check_pixels(element, row, max_pixels)
    if _is_pil_image(element):
        return _pixels_of_pil(element, row, max_pixels, pixels)
    is_path = isinstance(element, str | os.PathLike) or hasattr(element, "fs")  # as UPath has
    if is_path and str(element):
        return _read_path(element, row, addresses)
    if isinstance(element, bytes):
        raise ImageError(
            f"row {row}: {_EXPECTED}, found bytes; open an encoded image with "
            "PIL.Image.open(io.BytesIO(data)), and decode a path with os.fsdecode"
        )
    raise ImageError(f"row {row}: {_EXPECTED}, found {_describe(element)}")


def _read_path(element: str | os.PathLike[str], row: int, addresses: bool) -> Path:
    if is_address(str(element)):
        if addresses:
            return as_path(str(element))
        raise ImageError(
            f"row {row}: expected a file on this machine, found the address {str(element)!r}; "
            "download it first, or read the data set with extract.load_dataset"
        )
    path = Path(element)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user; a file may be called so
        return path


def _describe(element: Any) -> str:
    import pandas as pd

    if pd.api.types.is_scalar(element) and (pd.isna(element) or element == ""):
        return f"a missing value ({element!r}); drop such rows first"
    return f"{type(element).__name__} ({element!r:.40})"


def _check_pixels(pixels: NDArray[Any], row: int, max_pixels: int) -> NDArray[np.uint8]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        hint = ""
        if pixels.dtype.kind == "f":
            hint = "; for values from 0 to 1, pass (255 * image).round().astype('uint8')"
        elif pixels.dtype == np.uint8:
            hint = "; PIL.Image.fromarray(image).convert('RGB') makes RGB of grey or RGBA"
        raise ImageError(
            f"row {row}: expected an array (height, width, 3) in uint8, found {pixels.shape} in "
            f"{pixels.dtype}{hint}"
        )
    _check_size(pixels.shape[1], pixels.shape[0], row, max_pixels)
    return pixels


def _check_size(width: int, height: int, row: int, max_pixels: int) -> None:
    if not 0 < width * height <= max_pixels:
        raise ImageError(
            f"row {row}: expected an image of 1 to {max_pixels:,} pixels, found {width} x {height}",
            setting="max_pixels",
        )


def _is_pil_image(value: Any) -> bool:
    pil = sys.modules.get("PIL.Image")  # an image of PIL exists only if PIL is imported
    return pil is not None and isinstance(value, pil.Image)


def _pixels_of_pil(
    image: Any, row: int, max_pixels: int, pixels: PixelSettings
) -> NDArray[np.uint8]:
    """Return the pixels in RGB, as those of a file."""
    from PIL import ImageOps

    if image.mode not in _EIGHT_BIT_MODES | _SIXTEEN_BIT_MODES:
        raise ImageError(
            f"row {row}: expected a PIL image of 8 or 16 bits, found the mode {image.mode!r}, "
            "whose range is not known; scale it and convert it to RGB"
        )
    _check_size(image.width, image.height, row, max_pixels)
    try:
        if image.mode not in _SIXTEEN_BIT_MODES and pixels.interpolation != "lanczos4":
            return pil_to_rgb(image)
        upright: Any = ImageOps.exif_transpose(image)
        if upright.mode not in _SIXTEEN_BIT_MODES:
            return np.asarray(upright.convert("RGB"))
        values = np.asarray(upright)
        if pixels.interpolation == "lanczos4":
            grey = (values >> 8).astype(np.uint8)
        else:
            grey, _ = depth.to_eight_bits(values, pixels)
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"row {row}: the PIL image cannot be decoded: {error}") from error
