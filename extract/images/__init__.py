"""From bytes to pixels: reading files, decoding them safely in worker processes, resizing."""

from extract.images.decoding import check, decode

__all__ = ["check", "decode"]
