"""A network from elsewhere than `keras.applications`: in a file, or of KerasHub.

What it takes and returns is found by running it once, and kept in the cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract.backbones.catalog import MAX_SIZE
from extract.backbones.scaling import EXAMPLE, canonical
from extract.backbones.weights import Weights
from extract.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

POSSIBLE_POOLINGS = {2: ("none",), 3: ("cls", "avg", "none"), 4: ("avg", "max", "none")}
"""By the number of dimensions of an output."""


def checked_pooling(pooling: str, n_dimensions: int, problem: str) -> str:
    """Return a pooling if an output of so many dimensions can be pooled so.

    Raises
    ------
    RecipeError
        If it cannot: the problem, and what can be chosen.
    """
    choices = POSSIBLE_POOLINGS.get(n_dimensions, ("none",))
    if pooling not in choices:
        raise RecipeError(f"{problem}; choose one of: {', '.join(choices)}", setting="pooling")
    return pooling


@dataclass(frozen=True)
class DescribedNetwork:
    """A network for images of one size.

    Parameters
    ----------
    source : str
        Where it is, as the user wrote it.
    name : str
        In recipes and reports: the source without its folder.
    identity : str
        SHA-256 of its files.
    size : int
        Side of the images in pixels.
    shape : tuple of int
        Of the output for one image: ``(1, features)``, ``(1, tokens, features)``, or four numbers.
    channels_first : bool, default=False
        Whether an output of four dimensions has its channels before its height and width.
    output : str, default=None
        Name of the output that is the embedding; None if there is no choice.
    pooling : str, default=None
        How the output becomes an embedding by default; None if that must be chosen.
    preprocessing : str, default=None
        How pixels are scaled, see `extract.backbones.scaling.canonical`; None if that must be said.
    path : Path, default=None
        Where it is, if it is on this disk.
    """

    source: str
    name: str
    identity: str
    size: int
    shape: tuple[int, ...]
    channels_first: bool = False
    output: str | None = None
    pooling: str | None = None
    preprocessing: str | None = None
    path: Path | None = None

    @property
    def weights(self) -> Weights:
        """The network as weights."""
        return Weights(self.source, self.identity, None, self.path)

    @property
    def _output(self) -> str:
        return f"the output {self.output or ''}".strip() + f" of {self.source}"

    def chosen_pooling(self, pooling: str) -> str:
        """Return the pooling that a setting stands for.

        Raises
        ------
        RecipeError
            If the output cannot be pooled so, or it is not known how it should be.
        """
        chosen = (self.pooling or pooling) if pooling == "auto" else pooling
        if chosen == "auto":
            raise RecipeError(
                f"{self._output} is {self.shape[1]} tokens of {self.shape[2]} numbers; choose how "
                "they become an embedding: cls, the first one, or avg, the mean of those of the "
                "image's patches",
                setting="pooling",
            )
        problem = f"{self._output} has the shape {self.shape} for one image"
        return checked_pooling(chosen, len(self.shape), problem)

    def chosen_preprocessing(self, preprocess: str) -> str:
        """Return the preprocessing that a setting stands for.

        Raises
        ------
        RecipeError
            If it is not given, and the network does not say how its pixels are scaled.
        """
        if preprocess != "auto":
            return canonical(preprocess)
        if self.preprocessing is None:
            raise RecipeError(
                f"{self.source} does not say how the pixels are scaled that it was trained with; "
                "choose imagenet (ImageNet's mean and standard deviation, as timm and torchvision "
                f"mostly do), clip, tf (from -1 to 1), none (from 0 to 255), or as in {EXAMPLE!r}",
                setting="preprocess",
            )
        return self.preprocessing

    def n_features(self, pooling: str) -> int:
        """Return the numbers in an embedding, with a pooling from `chosen_pooling`."""
        if pooling == "none" or len(self.shape) == 2:
            return math.prod(self.shape)
        return self.shape[1 if len(self.shape) == 4 and self.channels_first else -1]


def check_size(size: int | None) -> None:
    """Check the side of images that a user has chosen, if any.

    Raises
    ------
    RecipeError
        If no network could have it.
    """
    if size is not None and not 1 <= size <= MAX_SIZE:
        raise RecipeError(
            f"a network accepts images of 1 to {MAX_SIZE} pixels a side, found {size}; choose "
            "another size",
            setting="size",
        )


def has_channels_first(shape: tuple[int, ...], as_input: bool) -> bool:
    """Return where an output has its channels: besides two equal sides, or as in the input.

    Examples
    --------
    >>> has_channels_first((1, 768, 7, 7), False), has_channels_first((1, 7, 7, 768), True)
    (True, False)
    """
    if len(shape) == 4 and (shape[1] == shape[2]) != (shape[2] == shape[3]):
        return shape[2] == shape[3]
    return as_input


def first_patch(n_tokens: int) -> int:
    """Return how many tokens come before those of the image's patches, which make a square.

    Examples
    --------
    >>> first_patch(196), first_patch(197), first_patch(201)
    (0, 1, 5)
    """
    return n_tokens - math.isqrt(n_tokens) ** 2
