"""Small JPEGs of image files, decoded in separate processes."""

from __future__ import annotations

import contextlib
import logging
import stat
import threading
from typing import TYPE_CHECKING

from extract.images.decoders.pool import DecoderError, DecoderPool
from extract.images.loading import default_workers
from toolkit.addresses import is_remote, read_remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

MAX_BYTES = 64 * 2**20
"""A larger file gets no thumbnail."""
JPEG_QUALITY = 80

logger = logging.getLogger(__name__)


class Thumbnails:
    """Make thumbnails with the decoders of a pool; may be called from any number of threads.

    Parameters
    ----------
    decoders : DecoderPool
        Stays open as long as thumbnails are made.
    """

    def __init__(self, decoders: DecoderPool) -> None:
        self._decoders = decoders
        self._lock = threading.Lock()
        self._warned = False

    def __call__(self, path: Path, size: int) -> bytes | None:
        """Return a small JPEG of an image, upright and in its own proportions.

        Parameters
        ----------
        path : pathlib.Path
            An image file, or its address.
        size : int
            Longest side in pixels. A smaller image is not enlarged.

        Returns
        -------
        bytes or None
            None if the file does not exist, is larger than `MAX_BYTES`, or cannot be used as an
            image (see `extract.images.formats.check`).
        """
        try:
            image_file: Path | bytes = path
            if is_remote(path):
                # Once: a page does not wait for a server that has gone.
                image_file = read_remote(path, MAX_BYTES, attempts=1)
            elif not _is_usable(path):
                return None
            decoded = self._decoders.thumbnail(image_file, size)
        except DecoderError as error:
            self._warn(error)
            return None
        except (OSError, ValueError):  # an impossible name is a ValueError
            return None
        return None if decoded.image is None else _jpeg(decoded.image)

    def _warn(self, error: DecoderError) -> None:
        with self._lock:
            if not self._warned:
                logger.warning("no thumbnails can be made: %s", error)
            self._warned = True


@contextlib.contextmanager
def open_thumbnails() -> Iterator[Thumbnails]:
    """Make thumbnails with decoders of their own, which end with the context.

    `reports` finds this function as the entry point ``thumbnails`` of the group
    ``frozen_features``.

    Examples
    --------
    >>> from pathlib import Path
    >>> with open_thumbnails() as thumbnail:
    ...     thumbnail(Path("missing.jpg"), 96)
    """
    with DecoderPool(1, at_most=default_workers()) as decoders:
        yield Thumbnails(decoders)


def _is_usable(path: Path) -> bool:
    """Tell whether a file may be decoded, so that no decoder is started for one that is gone."""
    status = path.stat()
    return stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_BYTES


def _jpeg(image: np.ndarray) -> bytes | None:
    import cv2

    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes() if encoded else None
