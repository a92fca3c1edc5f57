"""Which images a quantised network was calibrated on, and which data sets go on with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

N_IMAGES = 64
"""More images change the embeddings less than quantising does; see `benchmarks/precision.py`."""

OWN_SHARE = 0.5
"""A data set goes on with a calibration if it would choose at least this share of its images."""


@dataclass(frozen=True)
class Calibration:
    """A quantised network, and the images that it was calibrated on.

    Parameters
    ----------
    quantised : str
        SHA-256 of the network, as 64 hexadecimal digits.
    images : tuple of str
        SHA-256 of each image.
    source : str
        Name of the data set that they were from.

    Examples
    --------
    >>> calibration = Calibration("ab" * 32, ("01" * 32, "02" * 32), "pets")
    >>> calibration.share_in(["02" * 32, "03" * 32])
    0.5
    """

    quantised: str
    images: tuple[str, ...]
    source: str

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the sorted digests of the images, a line each."""
        return images_digest(self.images)

    def share_in(self, candidates: Collection[str]) -> float:
        """Return how many of the images are also those that a data set would choose.

        The images of a data set that have the smallest digests are a random sample that hardly
        changes when images are added. So this estimates how much two data sets have in common.

        Parameters
        ----------
        candidates : collection of str
            The at most `N_IMAGES` smallest SHA-256 of a data set's training images, each once.

        Returns
        -------
        float
            In [0, 1]; relative to the larger of both.
        """
        n_common = len(set(self.images) & set(candidates))
        return n_common / max(len(self.images), len(candidates), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the number of the images, their data set, and `sha256`, for records."""
        return {"images": len(self.images), "source": self.source, "sha256": self.sha256}


def images_digest(images: Collection[str]) -> str:
    """Return the SHA-256 over the sorted digests of images, a line each.

    Examples
    --------
    >>> images_digest(["b", "a"]) == images_digest(["a", "b"])
    True
    """
    text = "".join(f"{digest}\n" for digest in sorted(images))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
