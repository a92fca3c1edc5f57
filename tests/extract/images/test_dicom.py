"""DICOM images with colours, palettes and look-up tables, and files that are no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extract.errors import ImageError
from extract.images import dicom
from tests.extract.pictures import HAS_DICOM, medical

pytestmark = pytest.mark.skipif(not HAS_DICOM, reason="needs the extra dicom")

RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)


def shipped(name: str) -> bytes:
    """Return a file of those that pydicom brings along."""
    from pydicom.data import get_testdata_file

    return Path(str(get_testdata_file(name))).read_bytes()


def test_a_palette_gives_its_colours() -> None:
    """Red grows with the index, blue falls, green stays."""
    index = np.arange(256, dtype="<u2")
    tables = {"Red": index * 257, "Green": index * 0 + 128 * 257, "Blue": (255 - index) * 257}
    elements = {}
    for name, table in tables.items():
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    data = medical(RAMP, PhotometricInterpretation="PALETTE COLOR", **elements)
    image, _ = dicom.read(data)
    colours = np.stack([RAMP, np.full_like(RAMP, 128), 255 - RAMP], axis=2)
    np.testing.assert_array_equal(image, colours)


def test_colours_stay_as_they_are_and_frames_are_counted() -> None:
    """Three values for each pixel of the first frame."""
    image, n_frames = dicom.read(shipped("SC_rgb_rle_2frame.dcm"))
    assert (image.shape, image.dtype, n_frames) == ((100, 100, 3), np.uint8, 2)
    assert [tuple(image[row, 50]) for row in (5, 15, 25)] == [
        (255, 0, 0), (255, 128, 128), (0, 255, 0),
    ]  # fmt: skip


def test_a_look_up_table_decides_what_is_black() -> None:
    """Here the largest value is."""
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    table.add_new("LUTData", "US", list(range(255, -1, -1)))
    image, _ = dicom.read(medical(RAMP, VOILUTSequence=[table]))
    np.testing.assert_array_equal(image, 255 - RAMP)


@pytest.mark.parametrize(
    ("name", "words"),
    [("rtplan.dcm", "without an image"), ("image_dfl.dcm", "deflated DICOM image")],
)
def test_what_is_no_image_or_not_read_is_said(name: str, words: str) -> None:
    """A plan of a treatment has no pixels; a deflated file could be as large as it likes."""
    with pytest.raises(ImageError, match=words):
        dicom.read(shipped(name))
