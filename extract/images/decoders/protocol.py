"""What the pool and its workers send each other."""

from __future__ import annotations

import struct

SECONDS_TO_DECODE = 10.0
"""A worker that takes longer for one image is killed, and the image is not used."""

PATH, BYTES = b"p", b"b"
SQUARE, THUMBNAIL, VALUES, PROPERTIES = b"s", b"t", b"v", b"a"
REQUEST = struct.Struct(">ccI")
"""Start of a request: path or bytes, what is requested, and its size; a path or bytes follow."""
DEEP, SHALLOW = b"d", b"s"
"""After the SHA-256 of a file: whether the image has more than 8 bits."""
SIDES = struct.Struct(">cIIB")
"""Start of a decoded image: a plus sign, height, width and remarks; the pixels follow."""
