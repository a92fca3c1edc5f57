"""From bytes to pixels: reading files, decoding them safely in worker processes, resizing."""

from extract.images.decoding import decode
from extract.images.formats import check

__all__ = ["check", "decode"]
