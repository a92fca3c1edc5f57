"""Whether what a network returns can be an embedding, found by running it on a few images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from extract.backbones.described import POSSIBLE_POOLINGS

if TYPE_CHECKING:
    from collections.abc import Callable


class UnusableNetworkError(Exception):
    """The network cannot be used; the text says why."""


LARGEST_OUTPUT = 2**22
"""Most numbers of an embedding; one of 16 MB would fill any disk soon."""


def check_shape(shape: tuple[int, ...], output: str) -> None:
    """Check the shape of an output for one image, or raise `UnusableNetworkError`."""
    if len(shape) not in POSSIBLE_POOLINGS or shape[0] != 1:
        raise UnusableNetworkError(
            f"expected an output of (n, features), (n, tokens, features), or pixels with channels, "
            f"found {list(shape)} for one image"
        )
    n_numbers = math.prod(map(float, shape))
    if n_numbers > LARGEST_OUTPUT:
        raise UnusableNetworkError(f"{output} has {n_numbers:,.0f} numbers for one image")


def check_outputs(
    embed: Callable[[np.ndarray], np.ndarray], sides: tuple[int, ...], output: str
) -> None:
    """Check that a network returns finite numbers that depend on the image and on nothing else.

    Parameters
    ----------
    embed : callable
        Takes one image of shape `sides`, float64, and returns the output as an array.
    sides : tuple of int
        Shape of one image, the batch included.
    output : str
        What the text calls it.

    Raises
    ------
    UnusableNetworkError
        If it does not.
    """
    image = np.random.default_rng(0).uniform(0, 2, sides)
    found = embed(image)
    if not np.isfinite(found).all():
        raise UnusableNetworkError(f"{output} is not finite for a random image")
    if not np.array_equal(found, embed(image)):
        raise UnusableNetworkError(f"{output} is random: another one for the same image")
    # The second one is very different, and has the same values.
    others = np.zeros_like(image), 100 * image[..., ::-1]
    if all(np.array_equal(found, embed(other)) for other in others):
        raise UnusableNetworkError(f"{output} is the same for different images")
