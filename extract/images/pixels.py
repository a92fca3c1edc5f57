"""How the pixels of an image are made, and what a reader should know about an image's pixels."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERPOLATIONS = ("bicubic", "lanczos4")
ASPECTS = ("stretch", "crop", "pad")


@dataclass(frozen=True)
class PixelSettings:
    """What decides the pixels that a network gets of an image.

    Parameters
    ----------
    size : int
        Side of the square in pixels.
    interpolation : {"bicubic", "lanczos4"}, default="bicubic"
        ``"bicubic"`` is Pillow's, which filters before it samples. ``"lanczos4"`` is OpenCV's
        `INTER_LANCZOS4`, which does not; with it, all arithmetic is that of the first version of
        this toolkit: alpha is dropped and 16 bits become 8 by division.
    aspect : {"stretch", "crop", "pad"}, default="stretch"
        ``"stretch"`` gives both sides the size, ``"crop"`` takes the largest square in the middle,
        and ``"pad"`` keeps the whole image in its own proportions on white.
    bits : int, default=None
        Bits that are in use in images of integers of more than 8 bits. ``None`` is as many as each
        image uses itself.
    black, white : float, default=None
        The values that become black and white in images of floating-point numbers or of integers
        that `bits` cannot describe. ``None`` are percentiles of each image itself.

    Examples
    --------
    >>> PixelSettings.from_json(PixelSettings(224, aspect="crop").to_json()).aspect
    'crop'
    """

    size: int
    interpolation: str = "bicubic"
    aspect: str = "stretch"
    bits: int | None = None
    black: float | None = None
    white: float | None = None

    @classmethod
    def of(cls, pixels: PixelSettings | int) -> PixelSettings:
        """Return the settings themselves, or the default ones of a size."""
        return pixels if isinstance(pixels, PixelSettings) else cls(pixels)

    def to_json(self) -> str:
        """Return the settings as a text for another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PixelSettings:
        """Return the settings of which `to_json` has made a text."""
        return cls(**json.loads(text))


class Remark(enum.IntFlag):
    """What a reader should know about how an image was decoded."""

    NOTHING = 0
    UNIFORM = 1
    FIRST_PAGE = 2
    ALPHA_DROPPED = 4
    DEPTH_CUT = 8
    CLIPPED = 16


REMARKS = {
    Remark.UNIFORM: "one colour only: nothing can be seen",
    Remark.FIRST_PAGE: "several pages or frames: the first is used",
    Remark.ALPHA_DROPPED: (
        "transparency, which the resizing 'lanczos' drops: what lies under it is used, although "
        "nobody sees it; with 'bicubic' it is laid on white"
    ),
    Remark.DEPTH_CUT: (
        "more than 8 bits, of which the resizing 'lanczos' keeps the upper 8, whatever is in use; "
        "with 'bicubic' they are scaled by the bits in use"
    ),
    Remark.CLIPPED: "values above those of the training images: they are white",
}
"""The words for each remark."""

_NAMED = 3


def describe(remarks: Mapping[str, Remark]) -> list[str]:
    """Say in sentences what a reader should know about images.

    Examples
    --------
    >>> describe({"a.png": Remark.UNIFORM})
    ['1 image has one colour only: nothing can be seen (a.png)']
    """
    sentences = []
    for remark, words in REMARKS.items():
        named = [name for name, given in remarks.items() if remark in given]
        if named:
            names = ", ".join(named[:_NAMED])
            more = ", ..." if len(named) > _NAMED else ""
            have = plural(len(named), "image has", "images have")
            sentences.append(f"{have} {words} ({names}{more})")
    return sentences
