"""Settings of an extraction, as data classes, and the presets of the command line.

`BaseSettings` decides what an embedding is and where it is kept,
`extract.images.loading.ReadSettings` how files are read, and `Options` holds both together with
the data set. `extract.arguments` fills them from a command line.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cache.location import cache_folder
from extract.backbones.catalog import HUB, find_backbone, is_described, is_hub, name_in_recipes
from extract.backbones.described import DescribedNetwork, checked_pooling
from extract.backbones.hub.presets import needs_scaling, open_preset
from extract.backbones.network_files import open_network
from extract.errors import RecipeError
from extract.images.loading import BATCH_SIZE, ReadSettings
from extract.recipe import Recipe

if TYPE_CHECKING:
    from extract.backbones.weights import Weights


RESIZINGS = {"bicubic": "bicubic", "lanczos": "lanczos4"}
"""The settings of `BaseSettings.resize`, each with the recipe's interpolation."""

_OF_KERAS = ("auto", "notebook")
"""The preprocessings of the networks of `keras.applications`."""

_DESCRIBED = (
    *("backbone", "size", "pooling", "layer", "preprocess", "precision"),
    *("resize", "aspect", "flip"),
)


@dataclass(frozen=True)
class BaseSettings:
    """Which frozen base computes the embeddings, and how.

    Parameters
    ----------
    backbone : str, default="vgg16"
        Any network of `keras.applications`, see `extract.backbones.catalog.find_backbone`; an ONNX
        or OpenVINO file (``.onnx``, ``.xml``), see `extract.backbones.network_files`; or
        ``"hub:"`` and a preset of KerasHub or its folder, see `extract.backbones.hub.presets`.
        `Options` also accepts several, separated by commas.
    size : int or {"default", "native"}, default="default"
        Side in pixels of the square that images are resized to. ``"native"`` is the size the
        backbone was trained on, or that a file takes; ``"default"`` is the same, except for VGG16,
        where it is 150.
    pooling : {"auto", "none", "avg", "max", "cls"}, default="auto"
        Pooling over height and width of the base's output. ``"auto"`` is what the backbone's own
        classifier uses, or a preset's authors. ``"cls"`` is the first token.
    layer : str, default=None
        Name of the layer whose output is the embedding. ``None`` is the last layer of the base. Of
        a network in a file, the name of one of its outputs.
    preprocess : str, default="auto"
        ``"auto"`` is the preprocessing that the weights were trained with, as far as that is
        known, else that of the backbone's ImageNet weights. ``"notebook"`` is BGR / 255. A file
        needs another one, see `extract.backbones.scaling.canonical`.
    precision : {"float32", "int8", "float16", "bfloat16"}, default="float32"
        Number format of the forward pass. int8 needs the extra ``fast``; bfloat16 needs it and a
        processor with bfloat16, or a GPU; float16 needs a GPU.
    resize : {"bicubic", "lanczos"}, default="bicubic"
        ``"bicubic"`` filters before it samples, and decodes images as a person sees them.
        ``"lanczos"`` is the arithmetic of the lesson and of the first version of this toolkit.
    aspect : {"stretch", "crop", "pad"}, default="stretch"
        How an image that is not square becomes one: both sides are given the size, or the largest
        square in the middle is used, or the image is put on white in its own proportions.
    flip : bool, default=False
        Whether an embedding is the mean over the image and its horizontal flip.
    mirrored : bool, default=False
        Whether an embedding is that of the horizontally flipped image alone.
    weights : str, default="auto"
        ``"auto"``, ``"imagenet"``, ``"torchvision"`` or the path of a file; see
        `extract.backbones.weights.resolve`. With several backbones, one for all of them or one for
        each, separated by commas.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network; see `extract.engines.choose`.
    cache : str or Path, default=None
        The cache folder. ``None`` is the folder that the environment variable
        ``FROZEN_FEATURES_CACHE`` names, else the user's cache folder.

    Examples
    --------
    >>> BaseSettings("mobilenet", pooling="avg").size_in_pixels
    224
    """

    backbone: str = "vgg16"
    size: int | str = "default"
    pooling: str = "auto"
    layer: str | None = None
    preprocess: str = "auto"
    precision: str = "float32"
    resize: str = "bicubic"
    aspect: str = "stretch"
    flip: bool = False
    mirrored: bool = False
    weights: str = "auto"
    engine: str = "auto"
    cache: str | Path | None = None

    @property
    def described(self) -> DescribedNetwork | None:
        """The network, if it is none of `keras.applications`; it is checked when it is new.

        Raises
        ------
        ToolkitError
            As `extract.backbones.network_files.open_network` and
            `extract.backbones.hub.presets.open_preset`.
        """
        if not is_described(self.backbone):
            return None
        if self.weights != "auto":
            raise RecipeError(
                f"{self.backbone} has its own weights, found others: {self.weights}",
                setting="weights",
            )
        cache = cache_folder(self.cache)
        if is_hub(self.backbone):
            return open_preset(self.backbone, cache=cache, size=self.size, layer=self.layer)
        return open_network(Path(self.backbone), cache=cache, size=self.size, output=self.layer)

    @property
    def size_in_pixels(self) -> int:
        """The side of the images, with "default" and "native" resolved.

        Raises
        ------
        RecipeError
            If there is no such backbone, or it does not accept images of this size.
        """
        if not isinstance(self.size, int) and self.size not in ("default", "native"):
            raise RecipeError(
                f"size must be a number of pixels, default or native, found {self.size!r}",
                setting="size",
            )
        if self.described is not None:
            return self.described.size
        backbone = find_backbone(self.backbone)
        sizes = {"default": backbone.size, "native": backbone.native_size}
        size = self.size if isinstance(self.size, int) else sizes[self.size]
        backbone.check_size(size)
        return size

    @property
    def chosen_pooling(self) -> str:
        """The pooling, with "auto" resolved; an error if the output cannot be pooled so."""
        if self.described is not None:
            return self.described.chosen_pooling(self.pooling)
        chosen = find_backbone(self.backbone).pooling if self.pooling == "auto" else self.pooling
        return checked_pooling(chosen, 4, f"{self.backbone} has no token for the whole image")

    @property
    def n_features(self) -> int | None:
        """Numbers in an embedding; None with a `layer`, whose shape only the built network knows.

        Raises
        ------
        RecipeError
            As of `size_in_pixels`.

        Examples
        --------
        >>> BaseSettings("vgg16").n_features, BaseSettings("vgg16", pooling="avg").n_features
        (8192, 512)
        """
        if self.described is not None:
            return self.described.n_features(self.chosen_pooling)
        if self.layer is not None:
            return None
        return find_backbone(self.backbone).n_features(self.size_in_pixels, self.chosen_pooling)

    def recipe(self, weights: Weights) -> Recipe:
        """Return the recipe for these settings and weights.

        Parameters
        ----------
        weights : Weights
            From `extract.backbones.weights.resolve`; their identity becomes part of the recipe. Of
            a network in a file, its own.

        Returns
        -------
        Recipe
            With int8, it does not name a quantised network yet; see `extract.frozen.FrozenBase`.

        Raises
        ------
        RecipeError
            If a setting has a value that is not known or does not fit the backbone.
        """
        if self.resize not in RESIZINGS:
            raise RecipeError(
                f"resize {self.resize!r} is not known; choose one of: {', '.join(RESIZINGS)}",
                setting="resize",
            )
        return Recipe(
            weights=weights.identity,
            preprocessing=self._preprocessing(weights),
            backbone=self.described.name if self.described else find_backbone(self.backbone).name,
            layer=self.layer,
            size=self.size_in_pixels,
            pooling=self.chosen_pooling,
            interpolation=RESIZINGS[self.resize],
            aspect=self.aspect,
            flip=self.flip,
            mirrored=self.mirrored,
            precision=self.precision,
        )

    def _preprocessing(self, weights: Weights) -> str:
        if self.described is not None:
            return self.described.chosen_preprocessing(self.preprocess)
        if self.preprocess == "auto":
            return weights.preprocessing or find_backbone(self.backbone).preprocessing
        if self.preprocess not in _OF_KERAS:
            raise RecipeError(
                f"preprocess {self.preprocess!r} is not known for {self.backbone}; choose one of: "
                f"{', '.join(_OF_KERAS)}",
                setting="preprocess",
            )
        return self.preprocess


PRESETS = {
    "lesson": BaseSettings(preprocess="notebook", resize="lanczos"),
    "default": BaseSettings(),
    "fast": BaseSettings(precision="int8"),
    "best": BaseSettings(size="native", precision="int8", flip=True),
}
"""The settings that each ``--preset`` begins with."""


LAYOUTS = (
    "auto", "class-folders", "leaf-folders", "split-folders", "file-names", "table",
)  # fmt: skip
VALIDATION = ("auto", "train", "test", "ignore")


@dataclass(frozen=True)
class DataSettings:
    """How the files of a data set become classes, groups and splits.

    Images of one group, as those of a patient or a site, are never on different sides of a split
    that is drawn. At most one of the settings of groups may be given.

    Parameters
    ----------
    layout : {"auto", "class-folders", "leaf-folders", "split-folders", "file-names", "table"}, \
default="auto"
        What the folders of the data set mean; see `extract.datasets.layouts`. ``"auto"`` decides
        from the whole tree, and refuses what can be read in two ways.
    validation : {"auto", "train", "test", "ignore"}, default="auto"
        What a validation split becomes; see `extract.datasets.split_names.settle_splits`.
    min_images : int, default=0
        Classes with fewer images are left out.
    groups : str, default=None
        A table with the columns ``path`` and ``group``; see `extract.datasets.grouping.table`.
    group_by : str, default=None
        ``"folder"``: the folder of an image directly below that of its class, or the first that
        divides a class. ``"patient"``: the PatientID of DICOM files. ``"none"``: no groups, not
        even those that are taken by themselves. Anything else is a regular expression, which is
        searched for in the path of each image below the folder of the data, with forward slashes:
        the first capture group is the group, or else all that matches.
    group_column : str, default=None
        The column that has the groups, in the table that the data have. None takes one called
        ``group``, and the patients of DICOM files, by themselves.
    """

    layout: str = "auto"
    validation: str = "auto"
    min_images: int = 0
    groups: str | None = None
    group_by: str | None = None
    group_column: str | None = None

    @property
    def sources_of_groups(self) -> list[str]:
        """The names of the settings that say where groups come from."""
        return [
            name
            for name in ("groups", "group_by", "group_column")
            if getattr(self, name) is not None
        ]


@dataclass(frozen=True)
class Options:
    """What ``python -m extract`` and ``python -m classify`` extract, and how.

    Parameters
    ----------
    data : str, default="auto"
        ``"auto"``, a named data set, a folder, a table, an archive or the URL of one, or the
        address of a folder or table; see `extract.datasets.sources.locating.locate`.
    base : BaseSettings, optional
        The frozen base; several, if `base.backbone` names several separated by commas.
    reading : ReadSettings, optional
        How image files are read.
    data_settings : DataSettings, optional
        How the files become classes and splits.
    labels : str or list of str, default=None
        CSV file whose labels replace those of the data, or several, applied one after the other;
        see `extract.datasets.corrections`.
    preset : str, default="default"
        The key of `PRESETS` that `base` was derived from.
    batch_size : int, default=32
        Images per forward pass.
    dask : str, default=None
        The Dask cluster that computes and trains, see `extract.cluster.connection.connect`.
        ``None`` is this process.
    mirror_url : str, default=None
        URL below which the files of a named data set are fetched instead.
    test_size : float, default=0.2
        Share of the test split, where the data have none.
    seed : int, default=0
        Seed of that split and of everything random in training.
    """

    data: str = "auto"
    base: BaseSettings = field(default_factory=BaseSettings)
    reading: ReadSettings = field(default_factory=ReadSettings)
    data_settings: DataSettings = field(default_factory=DataSettings)
    labels: str | list[str] | None = None
    preset: str = "default"
    batch_size: int = BATCH_SIZE
    dask: str | None = None
    mirror_url: str | None = None
    test_size: float = 0.2
    seed: int = 0

    def for_each_backbone(self) -> list[Options]:
        """Return these options once for each backbone.

        Raises
        ------
        RecipeError
            If a backbone is not known or named twice, or the number of weights does not fit.
        """
        backbones = self.base.backbone
        if "," in backbones and os.path.exists(backbones.removeprefix(HUB)):  # noqa: PTH110 - may be long
            raise RecipeError(
                f"commas separate backbones, found one in {backbones}; rename it",
                setting="backbone",
            )
        names = [_unified(part.strip()) for part in backbones.split(",")]
        if len(set(map(name_in_recipes, names))) < len(names):
            raise RecipeError(
                f"expected each backbone once, with a name of its own, found {backbones}",
                setting="backbone",
            )
        weights = [self.base.weights] * len(names)
        if len(names) > 1 and "," in self.base.weights:
            weights = [part.strip() for part in self.base.weights.split(",")]
        if len(weights) != len(names):
            raise RecipeError(
                f"expected weights for all backbones together, or {len(names)} separated by "
                f"commas, found {len(weights)}: {self.base.weights}",
                setting="weights",
            )
        bases = [
            dataclasses.replace(self.base, backbone=name, weights=source)
            for name, source in zip(names, weights, strict=True)
        ]
        if any(map(is_described, names)) and len(names) > 1:
            bases = [_with_what_is_for(base) for base in bases]
        return [dataclasses.replace(self, base=base) for base in bases]

    @property
    def described_preset(self) -> str:
        """The preset, with the settings that differ from it: "best, but size 150"."""
        preset = PRESETS[self.preset]
        changed = ", ".join(
            f"{name} {getattr(self.base, name)}"
            for name in _DESCRIBED
            if getattr(self.base, name) != getattr(preset, name)
        )
        return f"{self.preset}, but {changed}" if changed else self.preset


def _with_what_is_for(base: BaseSettings) -> BaseSettings:
    """Return the settings for one of several bases, with only the options that are for it."""
    if is_described(base.backbone):
        base = dataclasses.replace(base, weights="auto")
    if base.preprocess in _OF_KERAS or needs_scaling(base.backbone):
        return base
    return dataclasses.replace(base, preprocess="auto")


def _unified(backbone: str) -> str:
    """Return a backbone's name in its one spelling; others stay as they are."""
    return backbone if is_described(backbone) else find_backbone(backbone).name
