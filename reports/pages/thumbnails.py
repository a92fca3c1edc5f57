"""Thumbnails of a run's images, as pages embed them.

This package decodes no images. Whoever renders a page passes a function that opens a maker of
thumbnails; by default it is the entry point ``thumbnails`` of the group ``frozen_features``, which
the package `extract` provides.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from toolkit.addresses import as_path, is_address
from toolkit.errors import AddressError

MakeThumbnail = Callable[[Path, int], bytes | None]
"""Return a JPEG of the image at a path, of at most that many pixels a side; None without one."""
OpenThumbnails = Callable[[], AbstractContextManager[MakeThumbnail | None]]
"""Open a maker of thumbnails, with whatever processes it needs; None if there is none."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddedImages:
    """The images of one run, as a page embeds them.

    Parameters
    ----------
    root : str
        `reports.records.Data.root`.
    thumbnail : callable, optional
        Makes a thumbnail, see `MakeThumbnail`. Without it there are no images.
    fetch : bool, default=False
        Whether images at an address are fetched. A record that comes from somebody else must not
        make whoever looks at it send requests to servers of that person's choice.
    """

    root: str = ""
    thumbnail: MakeThumbnail | None = None
    fetch: bool = False

    def __call__(self, path: str, size: int) -> str | None:
        """Return the thumbnail of an image in Base64, or None if there is none.

        Parameters
        ----------
        path : str
            Relative to `root`, or absolute.
        size : int
            Longest side in pixels.
        """
        if self.thumbnail is None:
            return None
        if not self.fetch and (is_address(self.root) or is_address(path)):
            return None
        try:
            jpeg = self.thumbnail(as_path(self.root, path), size)
        except AddressError:
            return None
        return base64.b64encode(jpeg).decode("ascii") if jpeg else None


NO_IMAGES = EmbeddedImages()


def installed_thumbnails() -> AbstractContextManager[MakeThumbnail | None]:
    """Open the maker of thumbnails that is installed; the context holds None if there is none."""
    found = next(iter(entry_points(group="frozen_features", name="thumbnails")), None)
    if found is None:
        logger.info(
            "the report has no thumbnails: the installed frozen-features does not say what makes "
            "them; install it again to have them"
        )
        return contextlib.nullcontext()
    opened: AbstractContextManager[MakeThumbnail | None] = found.load()()
    return opened
