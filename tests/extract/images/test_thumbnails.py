"""Thumbnails are small, keep their proportions, and are decoded in separate processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.images import thumbnails
from extract.images.decoders.pool import DecoderPool
from extract.images.thumbnails import Thumbnails, open_thumbnails

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def thumbnail() -> Iterator[Thumbnails]:
    with open_thumbnails() as opened:
        yield opened


def noise(path: Path, height: int, width: int, channels: int = 3) -> Path:
    """Write an image of random pixels."""
    image = np.random.default_rng(0).integers(0, 255, (height, width, channels), dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def size(jpeg: bytes | None) -> tuple[int, int]:
    assert jpeg is not None
    height, width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return height, width


def test_an_image_keeps_its_proportions(thumbnail: Thumbnails, tmp_path: Path) -> None:
    """The longest side has the requested size."""
    path = noise(tmp_path / "a.jpg", 300, 600)
    assert [size(thumbnail(path, side)) for side in (96, 128)] == [(48, 96), (64, 128)]


def test_a_small_image_is_not_enlarged(thumbnail: Thumbnails, tmp_path: Path) -> None:
    assert size(thumbnail(noise(tmp_path / "a.png", 20, 30), 96)) == (20, 30)


def test_colours_are_kept(thumbnail: Thumbnails, tmp_path: Path) -> None:
    """Red stays red."""
    red = np.full((50, 50, 3), (0, 0, 255), np.uint8)
    cv2.imwrite(str(tmp_path / "red.png"), red)
    jpeg = thumbnail(tmp_path / "red.png", 10)
    assert jpeg is not None
    small = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(small[0, 0], [0, 0, 255], atol=3)


def test_a_large_file_still_fills_the_thumbnail(thumbnail: Thumbnails, tmp_path: Path) -> None:
    """The reduced decoding of large files leaves enough pixels."""
    path = noise(tmp_path / "a.png", 1800, 1800)
    assert path.stat().st_size > 8 * 2**20
    assert size(thumbnail(path, 96)) == (96, 96)


def test_an_alpha_channel_and_an_odd_name_are_fine(thumbnail: Thumbnails, tmp_path: Path) -> None:
    """Neither transparency nor bytes outside UTF-8 in the name are a problem."""
    path = tmp_path / os.fsdecode(b"caf\xe9 <b>.png")
    assert size(thumbnail(noise(path, 40, 40, channels=4), 96)) == (40, 40)


def test_transparency_is_laid_on_white(thumbnail: Thumbnails, tmp_path: Path) -> None:
    """As everywhere else: what lies under it is not seen."""
    cv2.imwrite(str(tmp_path / "clear.png"), np.zeros((40, 40, 4), np.uint8))
    jpeg = thumbnail(tmp_path / "clear.png", 20)
    assert jpeg is not None
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).min() > 250


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut short"])
def test_a_broken_file_has_no_thumbnail(
    thumbnail: Thumbnails, tmp_path: Path, content: bytes
) -> None:
    """What cannot be decoded is None, not an error."""
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert thumbnail(path, 96) is None


def test_what_is_no_regular_file_starts_no_decoder(tmp_path: Path) -> None:
    """A missing file, a folder, an impossible name, and a pipe that would block."""
    os.mkfifo(tmp_path / "pipe.jpg")
    odd = [tmp_path, tmp_path / "gone.jpg", Path("a\0b.jpg"), Path("\ud800"), tmp_path / "pipe.jpg"]
    with DecoderPool(1) as decoders:
        thumbnail = Thumbnails(decoders)
        assert [thumbnail(path, 96) for path in odd] == [None] * 5
        assert not decoders._all


def test_a_file_beyond_the_limit_is_not_read(
    thumbnail: Thumbnails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size on disk is checked first."""
    path = noise(tmp_path / "a.jpg", 30, 30)
    monkeypatch.setattr(thumbnails, "MAX_BYTES", path.stat().st_size - 1)
    assert thumbnail(path, 96) is None


def test_an_image_beyond_the_limit_of_pixels_is_not_decoded(tmp_path: Path) -> None:
    """A few KB can claim gigabytes; the header is read first."""
    path = noise(tmp_path / "a.png", 30, 20)
    for max_pixels, expected in ((600, True), (599, False)):
        with DecoderPool(1, max_pixels) as decoders:
            assert (Thumbnails(decoders)(path, 96) is not None) is expected


def test_decoders_that_cannot_be_started_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A page without thumbnails is better than none."""
    path = noise(tmp_path / "a.png", 30, 20)
    monkeypatch.setattr("sys.executable", str(tmp_path / "absent"))
    with open_thumbnails() as thumbnail:
        assert [thumbnail(path, 96) for _ in range(3)] == [None] * 3
    assert [record.message for record in caplog.records] == [
        "no thumbnails can be made: cannot start a process that decodes images: "
        f"[Errno 2] No such file or directory: '{tmp_path / 'absent'}'"
    ]
