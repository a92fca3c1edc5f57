"""What a file of embeddings says about all of its rows, as JSON in its metadata."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from extract.errors import DataError

KEY = "frozen_features"
"""Of the metadata in a Parquet file."""
VERSION = 1
"""Increased when a reader of earlier versions could misread the metadata."""


@dataclass(frozen=True)
class About:
    """What the rows of a file of embeddings have in common.

    Parameters
    ----------
    data : str
        Name of the data set.
    root : str
        The folder or address that the paths are relative to.
    classes : list of str
        Class names, sorted.
    split : str
        Where the split is from, in words.
    groups : str or None
        Where the groups are from, in words; None without groups.
    shape : list of int
        Of one embedding before it is flattened in C order: height, width, channels; or channels.
    recipe : dict
        The fields of the recipe that its fingerprint is taken from.
    fingerprint : str
        SHA-256 of the recipe as canonical JSON: sorted keys, no spaces.
    columns : list of str
        Further columns of text.
    model : dict, optional
        What has predicted the classes: ``run``, ``classifier`` and the ``classes``, in the order of
        the probabilities. None if nothing is predicted.
    version : int
        See `VERSION`.
    """

    data: str
    root: str
    classes: list[str]
    split: str
    groups: str | None
    shape: list[int]
    recipe: dict[str, Any]
    fingerprint: str
    columns: list[str] = field(default_factory=list)
    model: dict[str, Any] | None = None
    version: int = VERSION

    def to_json(self) -> str:
        """Return this as JSON with sorted keys, in ASCII."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> About:
        """Read what `to_json` returned.

        Raises
        ------
        DataError
            If it is something else, of a later version, or the recipe has another fingerprint.
        """
        try:
            fields = json.loads(text)
            version = fields["version"]
            if version == VERSION:
                about = cls(**fields)
                about._check_types()
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(
                f"its metadata are damaged ({type(error).__name__}: {error}); export it again"
            ) from error
        if version != VERSION:
            raise DataError(
                f"its metadata have the version {version!r}, and this version of the toolkit reads "
                f"{VERSION}; install a newer one"
            )
        if about.fingerprint != fingerprint_of(about.recipe):
            raise DataError("its recipe does not have the fingerprint beside it; export it again")
        return about

    def _check_types(self) -> None:
        texts = [*self.classes, *self.columns, self.data, self.root, self.split, self.fingerprint]
        lists = (self.classes, self.columns, self.shape)
        if (
            not all(isinstance(text, str) for text in texts)
            or not all(isinstance(values, list) for values in lists)
            or not all(type(side) is int and side > 0 for side in self.shape)
            or not isinstance(self.recipe, dict)
            or not isinstance(self.model, dict | None)
            or not isinstance(self.groups, str | None)
        ):
            raise TypeError("a field has another type")


def fingerprint_of(recipe: dict[str, Any]) -> str:
    """Return the SHA-256 of a recipe as canonical JSON; see `extract.recipe.Recipe.canonical`.

    Examples
    --------
    >>> from extract.recipe import Recipe
    >>> recipe = Recipe(weights="ab" * 32, preprocessing="caffe")
    >>> fingerprint_of(json.loads(recipe.canonical)) == recipe.fingerprint
    True
    """
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
