"""The recipe: everything that decides what an embedding *is*, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import reprlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from extract.backbones.catalog import PREPROCESSINGS, find
from extract.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""Raised whenever the same recipe begins to give other numbers."""

POOLINGS = ("none", "avg", "max")
INTERPOLATIONS = ("lanczos4",)
PRECISIONS = ("float32", "int8", "float16", "bfloat16")
DTYPES = ("float32",)

_LATER: dict[str, Any] = {"quantised": None, "mirrored": False}
"""Fields that recipes had not from the first: left out where they are as if they were not there."""


@dataclass(frozen=True)
class Recipe:
    """How an image becomes an embedding.

    Two recipes that could give different numbers differ in a field, and so in their fingerprint; a
    path, a time, a host or a batch size is never part of one.

    Parameters
    ----------
    weights : str
        Identity of the pretrained weights: SHA-256 of their arrays, as 64 hexadecimal digits.
    preprocessing : {"caffe", "tf", "torch", "identity", "notebook"}
        What the pixels go through before the first convolution.
    backbone : str
        A key of `extract.backbones.catalog.BACKBONES`.
    layer : str or None
        Name of the layer whose output is the embedding; None for the base's last.
    size : int
        Side in pixels of the square that images are resized to.
    pooling : {"none", "avg", "max"}
        What is done over the embedding's two spatial axes.
    interpolation : str
        How images are resized, by OpenCV's name.
    flip : bool
        Whether the embedding is the mean over the image and its mirror image.
    mirrored : bool
        Whether it is that of the mirror image alone.
    precision : {"float32", "int8", "float16", "bfloat16"}
        Number format of the forward pass.
    quantised : str or None
        With int8: SHA-256 of the model that a calibration has made, as 64 hexadecimal digits; None
        until there is one.
    dtype : str
        Number format that embeddings are stored in.
    schema : int
        Version of the extraction code's arithmetic.

    Raises
    ------
    RecipeError
        If a field has a value that cannot be met.
    """

    weights: str
    preprocessing: str
    backbone: str = "vgg16"
    layer: str | None = None
    size: int = 150
    pooling: str = "none"
    interpolation: str = "lanczos4"
    flip: bool = False
    mirrored: bool = False
    precision: str = "float32"
    quantised: str | None = None
    dtype: str = "float32"
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        backbone = find(self.backbone)
        object.__setattr__(self, "backbone", backbone.name)
        _one_of("pooling", self.pooling, POOLINGS)
        _one_of("preprocessing", self.preprocessing, PREPROCESSINGS)
        _one_of("interpolation", self.interpolation, INTERPOLATIONS)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("dtype", self.dtype, DTYPES)
        backbone.check_size(self.size)
        if self.quantised is not None and (
            self.precision != "int8" or not re.fullmatch("[0-9a-f]{64}", self.quantised)
        ):
            raise RecipeError(
                f"not a recipe: precision {self.precision} with the model {self.quantised!r}"
            )

    @cached_property
    def canonical(self) -> str:
        """The recipe as JSON with sorted keys and no spaces: what the fingerprint is taken of.

        There is no key for a quantised model or a mirror image where there is none, as before
        there were any.
        """
        fields = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name not in _LATER or value != _LATER[name]
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """Build a recipe from what `to_dict` returned; other keys are passed over.

        Raises
        ------
        RecipeError
            If a field is missing, has another type, or cannot be met.
        """
        values: dict[str, Any] = {}
        for entry in dataclasses.fields(cls):
            value = fields.get(entry.name, _LATER.get(entry.name))
            if type(value).__name__ not in str(entry.type).replace("None", "NoneType").split(" | "):
                raise RecipeError(f"not a recipe: {entry.name} is {reprlib.repr(value)}")
            values[entry.name] = value
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the fingerprint, for reports."""
        return {**dataclasses.asdict(self), "fingerprint": self.fingerprint}


def _one_of(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RecipeError(f"{field} {value!r} is not known; choose one of: {', '.join(choices)}")
