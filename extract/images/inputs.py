"""Images as users pass them: paths, PIL images and arrays, in a list, an array or a data frame."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.errors import DataError, ImageError
from extract.images.decoding import MAX_PIXELS
from toolkit.addresses import as_path, is_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_EXPECTED = "expected the path of an image file, a PIL image or a uint8 array (height, width, 3)"


def read_inputs(
    X: Any, max_pixels: int = MAX_PIXELS, *, addresses: bool = False
) -> list[Path | NDArray[np.uint8]]:
    """Return one path or array of pixels for each row of `X`.

    Parameters
    ----------
    X : array-like of shape (n,) or (n, 1), or ndarray of shape (n, height, width, 3)
        A list, a tuple, a NumPy array, a pandas Series or a data frame of one column. Its elements
        are paths (str or Path; ``~`` is expanded), PIL images, or uint8 arrays of shape (height,
        width, 3) in RGB.
    max_pixels : int, default=50 million
        Width times height up to which an image in memory is accepted.
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
    return [
        _read_element(element, row, max_pixels, addresses) for row, element in enumerate(_rows(X))
    ]


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


def _read_element(
    element: Any, row: int, max_pixels: int, addresses: bool
) -> Path | NDArray[np.uint8]:
    if isinstance(element, np.ndarray):
        return _check_pixels(element, row, max_pixels)
    if _is_pil_image(element):
        return _pixels_of_pil(element, row, max_pixels)
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


def _pixels_of_pil(image: Any, row: int, max_pixels: int) -> NDArray[np.uint8]:
    """Return the pixels in RGB, turned by the EXIF orientation and without alpha, as in a file."""
    from PIL import ImageOps

    if image.mode not in _EIGHT_BIT_MODES | _SIXTEEN_BIT_MODES:
        raise ImageError(
            f"row {row}: expected a PIL image of 8 or 16 bits, found the mode {image.mode!r}, "
            "whose range is not known; scale it and convert it to RGB"
        )
    _check_size(image.width, image.height, row, max_pixels)
    try:
        upright: Any = ImageOps.exif_transpose(image)
        if upright.mode in _SIXTEEN_BIT_MODES:  # Pillow would clip all values above 255
            grey = (np.asarray(upright) >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
        return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"row {row}: the PIL image cannot be decoded: {error}") from error
