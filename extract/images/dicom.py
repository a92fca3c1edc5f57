"""DICOM images, as a viewer shows them: modality and VOI look-up tables, windows, MONOCHROME1."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from extract.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDS_EXTRA = (
    "a DICOM image, which needs the extra dicom: pip install 'frozen-features[dicom]' (in a "
    "checkout: '.[dicom]')"
)

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_FAR = 1e12
"""Beyond every window."""


def sides(data: bytes) -> tuple[int, int] | tuple[None, None]:
    """Return the width and height of a DICOM image; None if they cannot be read."""
    try:
        dataset = _header(data, "Rows", "Columns")
        return int(dataset.Columns), int(dataset.Rows)
    except Exception:  # noqa: BLE001 - malicious headers make the parser raise anything
        return None, None


def patient_id(data: bytes) -> str | None:
    """Return who is in a DICOM image, for keeping a patient's images together.

    Returns
    -------
    str or None
        The PatientID; None if the file has none, or is no DICOM file.

    Raises
    ------
    ImageError
        If the extra ``dicom`` is not installed.
    """
    _import()
    try:
        return str(_header(data, "PatientID").PatientID) or None
    except Exception:  # noqa: BLE001 - malicious headers make the parser raise anything
        return None


def read(data: bytes) -> tuple[NDArray[np.uint8], int]:
    """Decode the first frame of a DICOM image.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Returns
    -------
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey or RGB. Without a window or VOI look-up table, the image's own smallest value is black
        and its largest is white.
    n_frames : int
        Number of frames in the file.

    Raises
    ------
    ImageError
        If the file has no image or is damaged, or the extra ``dicom`` is not installed.
    """
    _import()
    try:
        with warnings.catch_warnings(action="ignore"):
            return _read(data)
    except ImageError:
        raise
    except Exception as error:
        why = str(error).partition("\n")[0].strip(": ")
        raise ImageError(f"a DICOM image that cannot be decoded: {why}") from error


def _read(data: bytes) -> tuple[NDArray[np.uint8], int]:
    import numpy as np
    import pydicom
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    if _DEFLATED in data[:2048]:
        raise ImageError("a deflated DICOM image, which is not read; convert it")
    dataset = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in dataset:
        raise ImageError("a DICOM file without an image")
    pixels = pixel_array(dataset, index=0)
    n_frames = int(dataset.get("NumberOfFrames", 1) or 1)
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        coloured = apply_color_lut(pixels, dataset)
        return _scaled(coloured, 0, np.iinfo(coloured.dtype).max), n_frames
    if pixels.ndim == 3:
        return _scaled(pixels, 0, 2 ** int(dataset.BitsStored) - 1), n_frames
    grey = _scaled(*_windowed(apply_modality_lut(pixels, dataset), dataset))
    return (255 - grey if photometric == "MONOCHROME1" else grey), n_frames


def _windowed(values: NDArray[Any], dataset: Any) -> tuple[NDArray[Any], float, float]:
    """Apply the first VOI look-up table or window; return what is black and what is white, too."""
    import numpy as np
    from pydicom.pixels.processing import apply_voi, apply_windowing

    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return apply_voi(values, dataset, 0), 0, 2**bits - 1
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        values = values.astype(np.float64)
        black, white = apply_windowing(np.array([-_FAR, _FAR]), dataset, 0)
        return apply_windowing(values, dataset, 0), float(black), float(white)
    return values, float(values.min()), float(values.max())


def _scaled(values: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    import numpy as np

    share = (values.astype(np.float64) - black) / max(white - black, 1e-12)
    scaled: NDArray[np.uint8] = np.rint(255 * share.clip(0, 1)).astype(np.uint8)
    return scaled


def _header(data: bytes, *tags: str) -> Any:
    import pydicom

    if _DEFLATED in data[:2048]:  # would be inflated as a whole
        raise ValueError
    with warnings.catch_warnings(action="ignore"):
        return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=list(tags))


def _import() -> None:
    try:
        import pydicom  # noqa: F401 - only whether it is there
    except ImportError:
        raise ImageError(NEEDS_EXTRA) from None
