from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from reports.pages import thumbnails
from reports.pages.thumbnails import thumbnail


def picture(path: Path, height: int, width: int, channels: int = 3) -> Path:
    """Write a picture of random pixels to `path`."""
    image = np.random.default_rng(0).integers(0, 255, (height, width, channels), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def size(jpeg: bytes | None) -> tuple[int, int]:
    assert jpeg is not None
    height, width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return height, width


def test_a_picture_keeps_its_proportions(tmp_path):
    """The longest side has the size asked for."""
    assert size(thumbnail(picture(tmp_path / "a.jpg", 300, 600), 96)) == (48, 96)


def test_a_small_picture_is_not_enlarged(tmp_path):
    """Pixels are never invented."""
    assert size(thumbnail(picture(tmp_path / "a.png", 20, 30), 96)) == (20, 30)


def test_a_large_file_still_fills_the_thumbnail(tmp_path):
    """The reduced decoding of large files leaves enough pixels."""
    path = picture(tmp_path / "a.png", 1800, 1800)
    assert path.stat().st_size > 8 * 2**20
    assert size(thumbnail(path, 96)) == (96, 96)


def test_an_alpha_channel_and_an_odd_name_are_fine(tmp_path):
    """Transparency and bytes outside UTF-8 in the name do not keep a picture out."""
    path = tmp_path / os.fsdecode(b"caf\xe9 <b>.png")
    assert size(thumbnail(picture(path, 40, 40, channels=4))) == (40, 40)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_a_broken_file_has_no_thumbnail(tmp_path, content):
    """What cannot be decoded is None, not an error."""
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert thumbnail(path) is None


def test_what_is_no_regular_file_has_no_thumbnail(tmp_path):
    """A missing file, a folder, an impossible name, and a pipe that would wait for ever."""
    os.mkfifo(tmp_path / "pipe.jpg")
    odd = [tmp_path, tmp_path / "gone.jpg", Path("a\0b.jpg"), Path("\ud800"), tmp_path / "pipe.jpg"]
    assert [thumbnail(path) for path in odd] == [None] * 5


def test_a_file_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    """The size on disk is checked first."""
    path = picture(tmp_path / "a.jpg", 30, 30)
    monkeypatch.setattr(thumbnails, "MAX_BYTES", path.stat().st_size - 1)
    assert thumbnail(path) is None


def test_a_picture_beyond_the_limit_of_pixels_is_not_decoded(tmp_path, monkeypatch):
    """A few KB can promise gigabytes; the header is looked at first."""
    path = picture(tmp_path / "a.png", 30, 20)
    monkeypatch.setattr(thumbnails, "MAX_PIXELS", 600)
    assert size(thumbnail(path)) == (30, 20)
    monkeypatch.setattr(thumbnails, "MAX_PIXELS", 599)
    assert thumbnail(path) is None
