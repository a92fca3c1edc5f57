"""The hostile files of `hostile_images.py`: what each is, and what must become of it."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import cv2
import numpy as np
from PIL import Image, ImageOps

from tests.extract.pictures import (
    HAS_DICOM,
    KINDS,
    chunk,
    huge,
    medical,
    moving,
    oriented,
    photograph,
    png,
    saved,
    scan_bomb,
    with_comment_bomb,
    with_segment,
    with_tags,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

REFUSED, EITHER = "refused", "either"


@dataclass(frozen=True)
class Hostile:
    """A hostile file.

    Parameters
    ----------
    what : str
        What is hostile in it.
    write : callable
        Makes it at a path, given the good JPEG that is decoded right before it.
    expected : numpy.ndarray of uint8, "refused" or "either"
        The picture that must be seen, or that none may be seen, or that only the others count.
    name : bytes
        Its file name; numbered if empty.
    """

    what: str
    write: Callable[[Path, bytes], object]
    expected: np.ndarray | str = REFUSED
    name: bytes = b""


def hostile_files() -> list[Hostile]:
    """Return all of them."""
    return [*_cut(), *_no_image(), *_damaged(), *_too_large(), *_unusual(), *_no_file(), *_names()]


def mutated(count: int, rng: random.Random) -> Iterator[Hostile]:
    """Yield files of every format in which bytes were changed, left out, repeated."""
    seeds = [saved(kind) for kind in KINDS]
    seeds += [medical()] if HAS_DICOM else []
    seeds += [moving("GIF"), moving("WEBP"), saved("TIFF", compression="tiff_lzw")]
    seeds += [saved("JPEG", progressive=True), oriented("JPEG", 6), saved("JPEG", "CMYK")]
    for number in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            # Headers are where the interesting bytes are.
            place = rng.randrange(min(len(data), rng.choice((64, 700, len(data)))))
            length = rng.choice((1, 1, 1, 2, 4, 50))
            data[place : place + length] = rng.choice(
                (rng.randbytes(length), b"", b"\xff" * length, b"\0" * length, data[:50])
            )
        yield _file(f"changed at random, number {number}", bytes(data), EITHER)


def _file(
    what: str, data: bytes, expected: np.ndarray | str = REFUSED, name: bytes = b""
) -> Hostile:
    return Hostile(what, lambda path, _: path.write_bytes(data), expected, name)


def _cut() -> Iterator[Hostile]:
    for part in range(1, 21):
        yield Hostile(
            f"the JPEG before it, cut at {part}/21",
            lambda path, good, part=part: path.write_bytes(good[: len(good) * part // 21]),
        )
    yield Hostile(
        "the JPEG before it, without its last byte",
        lambda path, good: path.write_bytes(good[:-1]),
    )
    for part in (30, 60, 90):
        yield Hostile(
            f"the JPEG before it, cut at {part} %, with an end set to it",
            lambda path, good, part=part: path.write_bytes(
                good[: len(good) * part // 100] + b"\xff\xd9"
            ),
        )
    progressive = saved("JPEG", Image.fromarray(photograph(300, 400)), progressive=True)
    thumbnail = with_segment(saved("JPEG"), b"Exif\0\0" + saved("JPEG"))
    for part in (0.3, 0.6, 0.9):
        for what, data in (("a progressive JPEG", progressive), ("one with thumbnail", thumbnail)):
            yield _file(f"{what}, cut at {part:.0%}", data[: int(len(data) * part)])
    for kind in KINDS[1:]:
        data = saved(kind)
        for end in (len(data) // 2, len(data) - 1):
            yield _file(f"{kind}, cut at byte {end}", data[:end])


def _no_image() -> Iterator[Hostile]:
    yield _file("zero bytes", b"")
    yield _file("nothing but zeros", b"\0" * 5000)
    yield _file("text", b"no image at all\n")
    yield _file("HTML", b"<html><script>alert(1)</script></html>")
    yield _file("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>')
    yield _file("zip", b"PK\x03\x04" + b"\0" * 100)
    yield _file("noise", np.random.default_rng(0).bytes(10_000))
    yield _file(
        "noise behind a JPEG's start", b"\xff\xd8\xff" + np.random.default_rng(1).bytes(999)
    )
    yield _file("a JPEG of start and end alone", b"\xff\xd8\xff\xd9")
    yield _file("a JPEG of nothing but fillers", b"\xff\xd8" + b"\xff" * 100_000)
    yield _file("JPEG XL, which is not read", b"\xff\x0a" + b"\0" * 100)
    yield _file("HEIC's first bytes alone", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    yield _file("DICOM's first bytes alone", b"\0" * 128 + b"DICM")


def _damaged() -> Iterator[Hostile]:
    whole = saved("PNG")
    for what, place in {"header": 20, "header's checksum": 30, "data": 90, "end": -3}.items():
        flipped = bytearray(whole)
        flipped[place] ^= 1
        yield _file(f"PNG with a bit flipped in its {what}", bytes(flipped))
    header = whole[:33]
    yield _file("PNG with too little data", png(500, 500, b"\0" * 500, depth=8))
    yield _file("PNG without data", header + chunk(b"IEND", b""))
    yield _file("PNG without a palette", png(8, 8, b"\0" * 72, depth=8, kind=3))
    yield _file("PNG of no width", png(0, 10, b"\0" * 20, depth=8))
    yield _file("PNG of negative height", png(10, 2**32 - 1, b"\0" * 20, depth=8))
    jpeg = saved("JPEG")
    frame = jpeg.index(b"\xff\xc0")
    yield _file("JPEG of no height", jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :])
    yield _file("JPEG without tables", jpeg[:2] + jpeg[frame:])
    yield _file("JPEG with zeros in its middle", jpeg[:700] + b"\0" * 200 + jpeg[900:], EITHER)
    yield _file("JPEG with EXIF that points nowhere", with_segment(jpeg, _exif(0xFFFFFFF0)), EITHER)
    yield _file("JPEG with EXIF that points to itself", with_segment(jpeg, _exif(8, 8)), EITHER)
    yield _file("JPEG with orientation 99", oriented("JPEG", 99), EITHER)
    bmp = saved("BMP")
    lowest = struct.pack("<i", -(2**31))
    yield _file("BMP of the lowest height there is", bmp[:22] + lowest + bmp[26:])
    tiff = saved("TIFF")
    yield _file("TIFF of 65,535 samples", with_tags(tiff, 65535, 277))
    yield _file("TIFF with pixels outside", with_tags(tiff, 2**31, 273))
    yield _file("TIFF that begins outside", tiff[:4] + struct.pack("<I", 2**31) + tiff[8:])
    yield _file("GIF without a frame", saved("GIF")[:13] + b";")
    webp = bytearray(saved("WEBP"))
    webp[4:8] = b"\xff" * 4
    yield _file("WebP that is 4 GB long, it says", bytes(webp), EITHER)
    yield _file("PPM of negative width", b"P6 -5 5 255\n" + b"\0" * 75)


def _exif(first: int, following: int = 0) -> bytes:
    tiff = (
        b"II*\0" + struct.pack("<IHHHII", first, 1, 0x0112, 3, 1, 1) + struct.pack("<I", following)
    )
    return b"Exif\0\0" + tiff


def _too_large() -> Iterator[Hostile]:
    for kind, data in huge().items():
        yield _file(f"{kind} that promises more pixels than there are", data)
    yield _file("PNG bomb of 400 million pixels", png(20_000, 20_000, b"\0" * 20_000 * 2501))
    dark = np.zeros((2, 2, 3), np.uint8)
    yield _file("PNG of 49 million pixels in 6 KB", png(7000, 7000, b"\0" * 7000 * 876), dark)
    yield _file("PNG with a text that is 100 MB", with_comment_bomb(100_000_000), photograph())
    yield Hostile("a file of 1 GB with a hole", lambda path, _: _hole(path, 2**30))
    yield _file(SCAN_BOMB, scan_bomb())


SCAN_BOMB = "JPEG that takes a minute to decode"


def _hole(path: Path, size: int) -> None:
    path.write_bytes(saved("JPEG"))
    os.truncate(path, size)


def _unusual() -> Iterator[Hostile]:
    for mode, kind in (
        ("L", "JPEG"), ("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("P", "GIF"), ("P", "BMP"),
        ("LA", "PNG"), ("RGBA", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "TIFF"),
        ("RGB", "BMP"), ("RGB", "PPM"), ("RGB", "TIFF"), ("RGB", "WEBP"),
    ):  # fmt: skip
        yield _seen(f"{kind} of mode {mode}", saved(kind, mode))
    yield _seen("progressive JPEG", saved("JPEG", progressive=True))
    yield _seen("WebP with alpha", saved("WEBP", "RGBA", lossless=True, exact=True))
    deep = photograph()[:, :, ::-1].astype(np.uint16) * 257
    for suffix, channels in ((".png", 1), (".png", 3), (".tiff", 3)):
        shallow = np.broadcast_to(photograph()[:, :, -channels:], (60, 80, 3))
        data = cv2.imencode(suffix, deep[:, :, :channels])[1].tobytes()
        yield _file(f"{suffix[1:]} of {channels} channels of 16 bits", data, shallow)
    for orientation in range(1, 9):
        yield _seen(f"JPEG of orientation {orientation}", oriented("JPEG", orientation))
    for kind in ("GIF", "WEBP", "PNG"):
        yield _seen(f"moving {kind}", moving(kind))
    for shape in ((1, 1), (1, 5000), (5000, 1)):
        image = Image.fromarray(photograph(*shape))
        yield _seen(f"PNG of {shape[1]} x {shape[0]}", saved("PNG", image))


def _seen(what: str, data: bytes) -> Hostile:
    """Return a file in which must be seen what Pillow sees, on white."""
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    white = Image.new("RGBA", upright.size, "white")
    return _file(what, data, np.asarray(Image.alpha_composite(white, upright).convert("RGB")))


def _no_file() -> Iterator[Hostile]:
    yield Hostile("FIFO", lambda path, _: os.mkfifo(path))
    yield Hostile("socket", _socket)
    yield Hostile("link to a device", lambda path, _: path.symlink_to("/dev/zero"))
    yield Hostile("link to a terminal", lambda path, _: path.symlink_to("/dev/tty"))
    yield Hostile("dangling link", lambda path, _: path.symlink_to("nowhere.jpg"))
    yield Hostile("link to itself", lambda path, _: path.symlink_to(path.name))
    yield Hostile("link to a process's memory", lambda path, _: path.symlink_to("/proc/self/mem"))
    yield Hostile("link out of the folder, to text", lambda path, _: _link(path, b"text"))
    # A link to a regular file is followed, wherever that is: many link their data sets together.
    outside = saved("PNG", Image.fromarray(photograph(33, 44)))
    yield Hostile(
        "link out of the folder, to a picture",
        lambda path, _: _link(path, outside),
        photograph(33, 44),
    )
    yield Hostile("device", _device)


def _device(path: Path, _: bytes) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except OSError:  # not everybody may
        path.symlink_to("/dev/full")


def _socket(path: Path, _: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def _link(path: Path, data: bytes) -> None:
    outside = path.parents[2] / f"outside-{path.name}"
    outside.write_bytes(data)
    path.symlink_to(outside)


def _names() -> Iterator[Hostile]:
    names = [
        b"line\nbreak.png",
        b"carriage\rreturn.png",
        b"tab\t.png",
        b"'single' \"double\" `back`.png",
        b"=cmd('calc')!A1.png",
        b"+1+1.png",
        b"@SUM(A1).png",
        b"-rf.png",
        b"<script>alert(1)<script>.png",
        b"&amp;<!--.png",
        b"caf\xe9 \xff\xfe.png",
        b"\xed\xa0\x80.png",
        "\u202egpj.exe.png".encode(),
        b"\x1b[31mred.png",
        b"%s%n{0}{x}.png",
        b"$(touch owned);&|.png",
        b"back\\slash, comma.png",
        b" .png",
        b"x" * 251 + b".png",
        b"capitals.PNG",
    ]
    for number, name in enumerate(names):
        image = photograph(20 + number, 30)
        data = saved("PNG", Image.fromarray(image))
        yield _file(f"the name {name[:40]!r}", data, image, name)
