"""An image as a person sees it: upright, in RGB, transparency on white, more than 8 bits scaled."""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extract.errors import ImageError
from extract.images import depth, dicom
from extract.images.formats import open_image, too_large
from extract.images.pixels import PixelSettings, Remark
from extract.images.resizing import opencv
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from extract.images.formats import Header

NEEDS_EXTRA = (
    "a HEIC image, which needs the extra heif: pip install 'frozen-features[heif]' (in a checkout: "
    "'.[heif]')"
)

DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes whose range of values must be known before they become eight bits."""

_TURNS: dict[int, tuple[int, bool]] = {
    1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True),
    5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False),
}  # fmt: skip
"""EXIF orientation -> quarter turns against the clock, and whether it is then mirrored."""


@dataclass(frozen=True)
class Seen:
    """An image as a person sees it.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.
    remarks : Remark, default=Remark.NOTHING
        What a reader should know.
    """

    image: NDArray[np.uint8]
    remarks: Remark = Remark.NOTHING


def as_seen(data: bytes, header: Header, pixels: PixelSettings, max_pixels: int) -> Seen:
    """Decode a file whose header has been checked.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size, if that is at least twice what is needed.
    Profiles of colour are not applied: the networks were trained on values as they are stored.

    Parameters
    ----------
    data : bytes
        Content of the file.
    header : Header
        From `extract.images.formats.check`.
    pixels : PixelSettings
        How large the image is needed, and what is black and white in more than eight bits.
    max_pixels : int
        Width times height up to which an image is accepted.

    Raises
    ------
    ImageError
        If the file is damaged, or an extra is not installed.
    """
    if header.format == "JPEG":
        return Seen(read_opencv(data, max_pixels, header.reduction(pixels.size)))
    if header.format == "DICOM":
        image, n_frames = dicom.read(data)
        return Seen(_three_channels(image), Remark.FIRST_PAGE if n_frames > 1 else Remark.NOTHING)
    if header.is_deep:
        return _from_values(*read_values(data, header, max_pixels), pixels)
    if header.width is None and header.format in ("PNG", "TIFF", "PPM", "BMP", "GIF", "WEBP"):
        # Pillow cannot read the header, but OpenCV may be able to read the image.
        values = read_opencv(data, max_pixels, unchanged=True)
        return _from_values(values, Remark.NOTHING, pixels)
    with warnings.catch_warnings(action="ignore"):
        return _with_pillow(data, header, max_pixels)


def needed_extra(name: str) -> str | None:
    """Return what to do if a format needs an extra that is not installed; else None."""
    packages = {"HEIF": ("pillow_heif", NEEDS_EXTRA), "DICOM": ("pydicom", dicom.NEEDS_EXTRA)}
    if name not in packages:
        return None
    package, words = packages[name]
    return None if importlib.util.find_spec(package) else words


def missing_extras(quarantine: Mapping[Path, str]) -> list[str]:
    """Say in sentences how many files cannot be used because an extra is not installed.

    Parameters
    ----------
    quarantine : mapping from Path to str
        Files that cannot be used, each with the reason.
    """
    counts = Counter(quarantine.values())
    return [
        f"{plural(counts[reason], 'file')} cannot be used, {'each ' * (counts[reason] > 1)}{reason}"
        for reason in (NEEDS_EXTRA, dicom.NEEDS_EXTRA)
        if counts[reason]
    ]


def read_values(data: bytes, header: Header, max_pixels: int) -> tuple[NDArray[Any], Remark]:
    """Decode a file of more than eight bits to the values that are in it.

    Returns
    -------
    values : ndarray, shape (height, width), (height, width, 3) or (height, width, 4)
        Grey, RGB or RGB with alpha, upright; zero is black.
    remarks : Remark
        Whether there are more pages.

    Raises
    ------
    ImageError
        If the file is damaged.
    """
    import numpy as np

    if header.in_planes:  # OpenCV reads other values
        raise ImageError(
            f"a TIFF of {header.bits} bits whose channels are stored one after the other, which is "
            "not read; save it with interleaved channels"
        )
    values, remarks = None, Remark.NOTHING
    with warnings.catch_warnings(action="ignore"):
        try:
            with _open(data, header.format, max_pixels) as image:
                remarks = _pages(image, header.format)
                if image.mode in DEEP_MODES:
                    values = np.asarray(image)
        except ImageError:
            raise
        except Exception as error:
            if header.width is not None and header.format != "TIFF":
                raise ImageError(f"cannot be decoded: {error}") from error
    if values is None:
        values = read_opencv(data, max_pixels, unchanged=True)
        values = turned(values, header.orientation)
    elif header.format != "TIFF":  # of which Pillow turns the values itself
        values = turned(values, header.orientation)
    if header.inverted:
        values = values.max() - values if values.dtype.kind == "f" else _inverted(values, header)
    return values, remarks


def pil_to_rgb(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of a PIL image of 8 bits as a person sees them.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode that is not in `DEEP_MODES`.
    """
    import numpy as np
    from PIL import Image, ImageOps

    upright: Any = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    elif upright.mode == "LAB":
        upright = _from_lab(upright)
    return np.asarray(upright.convert("RGB"))


def turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return an image upright, from its EXIF orientation."""
    import numpy as np

    turns, is_mirrored = _TURNS[orientation]
    image = np.rot90(image, turns)
    return image[:, ::-1] if is_mirrored else image


def read_opencv(
    data: bytes, max_pixels: int, reduction: int = 1, *, unchanged: bool = False
) -> NDArray[Any]:
    """Decode a file with OpenCV.

    Parameters
    ----------
    data : bytes
        Content of the file.
    max_pixels : int
        Width times height up to which an image is accepted.
    reduction : {1, 2, 4, 8}, default=1
        The image becomes so many times smaller on each side while it is decoded.
    unchanged : bool, default=False
        Whether depth and alpha are kept, and the image is not turned upright.

    Returns
    -------
    ndarray, shape (height, width, 3)
        RGB in uint8; if unchanged, also grey, RGBA or more bits.

    Raises
    ------
    ImageError
        If the file is damaged, or has too many pixels.
    """
    import numpy as np

    cv2 = opencv()
    flag = cv2.IMREAD_UNCHANGED
    if not unchanged:
        # The order of the colours is a flag of its own; "grey" is the scale without that flag.
        scales = {8: cv2.IMREAD_REDUCED_GRAYSCALE_8, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
        scales |= {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 1: 0}
        flag = scales[reduction] | cv2.IMREAD_COLOR_RGB
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flag)
        if image is None:
            raise ImageError("damaged, truncated, or of a kind that OpenCV does not read")
        if image.shape[0] * image.shape[1] > max_pixels:
            raise too_large(max_pixels, image.shape[1], image.shape[0])
        if unchanged and image.ndim == 3 and image.shape[2] >= 3:
            code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
            image = cv2.cvtColor(image, code)
        rgb: NDArray[Any] = image
        return rgb
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE_PIXELS" in str(error):
            raise too_large(max_pixels) from error
        raise ImageError(f"cannot be decoded: {error.err or error}") from error
    except MemoryError as error:
        raise ImageError("cannot be decoded: not enough memory") from error


def _with_pillow(data: bytes, header: Header, max_pixels: int) -> Seen:
    from PIL import UnidentifiedImageError

    try:
        with _open(data, header.format, max_pixels) as image:
            remarks = _pages(image, header.format)
            return Seen(pil_to_rgb(image), remarks)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("cannot be decoded: not enough memory") from error
    except UnidentifiedImageError:
        raise ImageError("damaged, truncated, or of a kind that is not read") from None
    except Exception as error:
        raise ImageError(f"damaged or truncated: {error}") from error


def _open(data: bytes, name: str, max_pixels: int) -> Any:
    """Open an image with Pillow, and check its size again: now the decoder itself has read it."""
    if name == "HEIF":
        _register_heif()
    image = open_image(data, name)
    if image.width * image.height > max_pixels:
        raise too_large(max_pixels, image.width, image.height)
    return image


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(NEEDS_EXTRA) from None
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener(thumbnails=False)


def _pages(image: Any, name: str) -> Remark:
    """Return the remark on further pages or frames; telephones write previews and bursts."""
    if name not in ("JPEG", "HEIF") and getattr(image, "is_animated", False):
        return Remark.FIRST_PAGE
    return Remark.NOTHING


def _from_values(values: NDArray[Any], remarks: Remark, pixels: PixelSettings) -> Seen:
    """Scale values to eight bits, and lay them on white by their alpha channel."""
    import numpy as np

    alpha = None
    if values.ndim == 3 and values.shape[2] == 4:
        top = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
        alpha = np.clip(values[:, :, 3:].astype(np.float32) / top, 0, 1)
        values = values[:, :, :3]
    image = values
    if values.dtype != np.uint8:
        image, is_clipped = depth.to_eight_bits(values, pixels)
        remarks |= Remark.CLIPPED if is_clipped else Remark.NOTHING
    image = _three_channels(image)
    if alpha is not None:
        image = np.rint(image * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return Seen(np.ascontiguousarray(image), remarks)


def _three_channels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.shape[2] not in (1, 3):
        raise ImageError(f"{image.shape[2]} channels, which is neither grey nor RGB")
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _inverted(values: NDArray[Any], header: Header) -> NDArray[Any]:
    import numpy as np

    top = np.array(2 ** min(header.bits, 16) - 1, values.dtype)
    inverted: NDArray[Any] = top - values
    return inverted


def _from_lab(image: Any) -> Any:
    from PIL import ImageCms

    return ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
