"""The recipe: everything that decides what an embedding *is*, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import reprlib
import typing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from extract.backbones import scaling
from extract.backbones.catalog import MAX_SIZE, find_backbone, is_described, is_hub
from extract.errors import RecipeError
from extract.images.depth import BITS
from extract.images.pixels import ASPECTS, INTERPOLATIONS, PixelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""Increased whenever the same recipe begins to give other numbers."""

POOLINGS = ("none", "avg", "max", "cls")
PRECISIONS = ("float32", "int8", "float16", "bfloat16")
DTYPES = ("float32",)

_ADDED_LATER: dict[str, Any] = {
    "quantised": None,
    "mirrored": False,
    "aspect": "stretch",
    "bits": None,
    "black": None,
    "white": None,
}
"""Fields that earlier versions did not have, each with the value that stands for its absence."""


@dataclass(frozen=True)
class Recipe:
    """How an image becomes an embedding.

    Two recipes that could give different numbers differ in a field, and so in their fingerprint. A
    path, a time, a host or a batch size is never part of a recipe.

    Parameters
    ----------
    weights : str
        Identity of the pretrained weights: SHA-256 of their arrays or of the network's files, 64
        hexadecimal digits.
    preprocessing : str
        How pixels are scaled before the first layer; see `extract.backbones.scaling.canonical`.
    backbone : str, default="vgg16"
        A name that `extract.backbones.catalog.find_backbone` knows; or that of a network file or
        of KerasHub's, which is not a part of the fingerprint: its content is.
    layer : str, default=None
        Name of the layer whose output is the embedding, or of a file's output. ``None`` is the last
        layer of the base.
    size : int, default=150
        Side in pixels of the square that images are resized to.
    pooling : {"none", "avg", "max", "cls"}, default="none"
        Pooling over height and width of the output. Of tokens, ``"cls"`` is the first one, and
        ``"avg"`` the mean of those of the image's patches.
    interpolation : {"bicubic", "lanczos4"}, default="bicubic"
        How images are resized; with ``"lanczos4"``, also how they are decoded is that of the first
        version. See `extract.images.pixels.PixelSettings`.
    aspect : {"stretch", "crop", "pad"}, default="stretch"
        How an image that is not square becomes one.
    bits : int, default=None
        Bits in use in images of more than 8 bits; None if the training images have none.
    black, white : float, default=None
        What is black and white in images whose values `bits` does not describe.
    flip : bool, default=False
        Whether the embedding is the mean over the image and its horizontal flip.
    mirrored : bool, default=False
        Whether the embedding is that of the horizontally flipped image alone.
    precision : {"float32", "int8", "float16", "bfloat16"}, default="float32"
        Number format of the forward pass.
    quantised : str, default=None
        With int8: SHA-256 of the quantised model, as 64 hexadecimal digits. ``None`` before the
        calibration.
    dtype : {"float32"}, default="float32"
        Number format in which embeddings are stored.
    schema : int, default=1
        Version of the extraction code's arithmetic.

    Raises
    ------
    RecipeError
        If the value of a field is not known or does not fit the backbone.

    Examples
    --------
    >>> recipe = Recipe(weights="ab" * 32, preprocessing="caffe")
    >>> recipe.fingerprint[:12]
    '0fe56fe6a051'
    """

    weights: str
    preprocessing: str
    backbone: str = "vgg16"
    layer: str | None = None
    size: int = 150
    pooling: str = "none"
    interpolation: str = "bicubic"
    aspect: str = "stretch"
    bits: int | None = None
    black: float | None = None
    white: float | None = None
    flip: bool = False
    mirrored: bool = False
    precision: str = "float32"
    quantised: str | None = None
    dtype: str = "float32"
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        self._check_backbone()
        _check_choice("pooling", self.pooling, POOLINGS)
        object.__setattr__(self, "preprocessing", scaling.canonical(self.preprocessing))
        _check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        _check_choice("aspect", self.aspect, ASPECTS)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("dtype", self.dtype, DTYPES)
        self._check_value_range()
        if self.quantised is not None and (
            self.precision != "int8" or not re.fullmatch("[0-9a-f]{64}", self.quantised)
        ):
            raise RecipeError(
                f"expected a quantised model only with int8, and 64 hexadecimal digits as its "
                f"name, found {self.quantised!r} with {self.precision}"
            )

    def _check_backbone(self) -> None:
        """Check that the network is known and takes images of this size; unify its name."""
        if is_described(self.backbone):
            if not 1 <= self.size <= MAX_SIZE:
                raise RecipeError(f"not a recipe: {self.backbone} with images of {self.size}")
            return
        backbone = find_backbone(self.backbone)
        backbone.check_size(self.size)
        object.__setattr__(self, "backbone", backbone.name)

    def _check_value_range(self) -> None:
        found = self.bits, self.black, self.white
        ends = found[1:]
        are_ends = None not in ends and all(map(math.isfinite, ends))  # type: ignore[arg-type]
        if (
            (self.bits is not None and self.bits not in BITS)
            or (ends != (None, None) and not are_ends)
            or (found != (None, None, None) and self.interpolation == "lanczos4")
        ):
            raise RecipeError(
                f"expected 8, 10, 12, 14 or 16 bits, finite values for black and white, and none "
                f"of them with lanczos4, found {found} with {self.interpolation}"
            )

    @property
    def pixels(self) -> PixelSettings:
        """How the pixels of an image are made."""
        return PixelSettings(
            self.size, self.interpolation, self.aspect, self.bits, self.black, self.white
        )

    @property
    def network_name(self) -> str:
        """The backbone; "file" or "hub" for those that are known by their content."""
        if not is_described(self.backbone):
            return self.backbone
        return "hub" if is_hub(self.backbone) else "file"

    @property
    def family(self) -> str:
        """The network's name without its width multiplier."""
        return self.network_name.partition(":")[0]

    @cached_property
    def canonical(self) -> str:
        """The recipe as JSON with sorted keys and no spaces, from which the fingerprint is taken.

        A field that was added later is left out if it has the value that stands for its absence, so
        that recipes of earlier versions keep their fingerprints.
        """
        fields = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name not in _ADDED_LATER or value != _ADDED_LATER[name]
        }
        fields["backbone"] = self.network_name
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Build a recipe from what `to_dict` returned; other keys are ignored.

        Raises
        ------
        RecipeError
            If a field is missing, or its type or value is not one that a recipe can have.
        """
        values: dict[str, Any] = {}
        for name, expected in typing.get_type_hints(cls).items():
            value = fields.get(name, _ADDED_LATER.get(name))
            is_flag = (
                isinstance(value, bool) and expected is not bool
            )  # to Python, a bool is an int
            if is_flag or not isinstance(value, expected):
                raise RecipeError(f"not a recipe: {name} is {reprlib.repr(value)}")
            values[name] = value
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the fingerprint, for reports."""
        return {**dataclasses.asdict(self), "fingerprint": self.fingerprint}


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RecipeError(
            f"{field} {value!r} is not known; choose one of: {', '.join(choices)}", setting=field
        )
