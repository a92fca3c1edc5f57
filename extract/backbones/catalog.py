"""The convolutional bases: every network of `keras.applications`, frozen and without its top.

The table is kept here so that a recipe can be written and a warm cache read without importing
TensorFlow. A test compares it with Keras.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extract.backbones.scaling import scaling_of
from extract.errors import RecipeError
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    import keras

ENDINGS = (".onnx", ".xml")
"""Of the files that networks are in, see `extract.backbones.network_files`."""

HUB = "hub:"
"""First characters of KerasHub's networks, see `extract.backbones.hub`."""

MAX_SIZE = 4096
"""Largest side of an input image in pixels; a larger image would take gigabytes of memory."""

MAX_ALPHA = 4.0
"""Largest width multiplier of MobileNet."""


@dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`.

    Parameters
    ----------
    application : str
        Name of its function in `keras.applications`.
    preprocessing : str
        The preprocessing that its ImageNet weights were trained with; see
        `extract.backbones.scaling.PREPROCESSINGS`.
    native_size : int
        Side in pixels of the images that it was trained on.
    min_size : int
        Smallest side in pixels of an image that the base accepts.
    reductions : str
        How each layer that makes its input smaller does so, a letter of `_REDUCTIONS` each.
    channels : int
        Depth of the base's output at `alpha` 1.
    parameters : int
        Number of parameters of the base at `alpha` 1.
    alpha : float, default=None
        Width multiplier: number of filters relative to the standard network. ``None`` if the
        network has no such parameter.
    """

    application: str
    preprocessing: str
    native_size: int
    min_size: int
    reductions: str
    channels: int
    parameters: int
    alpha: float | None = None

    @property
    def family(self) -> str:
        """The name of the network without its `alpha`: a key of `BACKBONES`."""
        return self.application.lower()

    @property
    def name(self) -> str:
        """The name that `find_backbone` accepts, as in ``mobilenet:alpha=0.25``."""
        return self.family if self.alpha in (None, 1.0) else f"{self.family}:alpha={self.alpha:g}"

    @property
    def file_name(self) -> str:
        """The name in a form that every file system accepts."""
        return self.name.replace(":", "-")

    @property
    def pooling(self) -> str:
        """Pooling of the network's own classifier: VGG flattens the output, the others average."""
        return "none" if self.family.startswith("vgg") else "avg"

    @property
    def size(self) -> int:
        """Default side of the images in pixels: 150 for VGG16, else the native size."""
        return 150 if self.family == "vgg16" else self.native_size

    @property
    def embedding_shape(self) -> tuple[int, ...]:
        """Shape of an embedding at the native size, with the default pooling, at `alpha` 1."""
        if self.pooling == "avg":
            return (self.channels,)
        side = self.output_side(self.native_size)
        return (side, side, self.channels)

    def output_side(self, size: int) -> int:
        """Return height and width of the base's output for images of `size` x `size` pixels.

        Examples
        --------
        >>> find_backbone("vgg16").output_side(150), find_backbone("xception").output_side(299)
        (4, 10)
        """
        for letter in self.reductions:
            size = _REDUCTIONS[letter](size)
        return size

    @property
    def output_channels(self) -> int:
        """Depth of the base's output.

        Examples
        --------
        >>> find_backbone("mobilenet:alpha=0.25").output_channels
        256
        """
        alpha = 1.0 if self.alpha is None else self.alpha
        if self.family == "mobilenetv2":
            return _round_to_8(self.channels * max(alpha, 1.0))
        if self.family.startswith("mobilenetv3"):  # the last layer has six times as many filters
            return _round_to_8(6 * _round_to_8(self.channels / 6 * alpha))
        return int(self.channels * alpha)

    def n_features(self, size: int, pooling: str) -> int:
        """Return the numbers in an embedding of the last layer."""
        side = self.output_side(size) if pooling == "none" else 1
        return side**2 * self.output_channels

    def check_size(self, size: int) -> None:
        """Check that the base accepts images of `size` x `size` pixels.

        Raises
        ------
        RecipeError
            If it does not.
        """
        if not self.min_size <= size <= MAX_SIZE:
            raise RecipeError(
                f"{self.name} accepts images of {self.min_size} to {MAX_SIZE} pixels a side, found "
                f"{size}; choose another size",
                setting="size",
            )


_REDUCTIONS = {
    "c": lambda size: (size + 1) // 2,
    "f": lambda size: size // 2,
    "v": lambda size: (size - 1) // 2,
    "m": lambda size: size - 2,
}
"""Side of a layer's output: half of its input, rounded up or down; or what a window of three pixels
leaves without padding, with a stride of 2 or 1."""


def _round_to_8(channels: float) -> int:
    """Return the multiple of 8 that MobileNet has as the number of filters."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


WITH_ALPHA = ("mobilenet", "mobilenetv2", "mobilenetv3small", "mobilenetv3large")

# Name, preprocessing, native size, smallest size, reductions, channels of the output, parameters.
_TABLE = """
VGG16              caffe     224  32  fffff     512   14714688
VGG19              caffe     224  32  fffff     512   20024384
ResNet50           caffe     224  32  ccccc    2048   23587712
ResNet101          caffe     224  32  ccccc    2048   42658176
ResNet152          caffe     224  32  ccccc    2048   58370944
ResNet50V2         tf        224  32  ccccc    2048   23564800
ResNet101V2        tf        224  32  ccccc    2048   42626560
ResNet152V2        tf        224  32  ccccc    2048   58331648
MobileNet          tf        224  32  cffff    1024    3228864
MobileNetV2        tf        224  32  ccccc    1280    2257984
MobileNetV3Small   identity  224  32  ccccc     576     939120
MobileNetV3Large   identity  224  32  ccccc     960    2996352
NASNetMobile       tf        224  32  vcccc    1056    4269716
NASNetLarge        tf        331  32  vcccc    4032   84916818
Xception           tf        299  71  vmcccc   2048   20861480
InceptionV3        tf        299  75  vmvmvvv  2048   21802784
InceptionResNetV2  tf        299  75  vmvmvvv  1536   54336736
DenseNet121        torch     224  32  ccfff    1024    7037504
DenseNet169        torch     224  32  ccfff    1664   12642880
DenseNet201        torch     224  32  ccfff    1920   18321984
ConvNeXtTiny       identity  224  32  fffff     768   27820128
ConvNeXtSmall      identity  224  32  fffff     768   49454688
ConvNeXtBase       identity  224  32  fffff    1024   87566464
ConvNeXtLarge      identity  224  32  fffff    1536  196230336
ConvNeXtXLarge     identity  224  32  fffff    2048  348147968
EfficientNetB0     identity  224  32  ccccc    1280    4049571
EfficientNetB1     identity  240  32  ccccc    1280    6575239
EfficientNetB2     identity  260  32  ccccc    1408    7768569
EfficientNetB3     identity  300  32  ccccc    1536   10783535
EfficientNetB4     identity  380  32  ccccc    1792   17673823
EfficientNetB5     identity  456  32  ccccc    2048   28513527
EfficientNetB6     identity  528  32  ccccc    2304   40960143
EfficientNetB7     identity  600  32  ccccc    2560   64097687
EfficientNetV2B0   identity  224  32  ccccc    1280    5919312
EfficientNetV2B1   identity  240  32  ccccc    1280    6931124
EfficientNetV2B2   identity  260  32  ccccc    1408    8769374
EfficientNetV2B3   identity  300  32  ccccc    1536   12930622
EfficientNetV2S    identity  384  32  ccccc    1280   20331360
EfficientNetV2M    identity  480  32  ccccc    1280   53150388
EfficientNetV2L    identity  480  32  ccccc    1280  117746848
"""


def _read_table() -> dict[str, Backbone]:
    backbones = {}
    for line in _TABLE.strip().splitlines():
        name, preprocessing, size, least, reductions, *numbers = line.split()
        alpha = 1.0 if name.lower() in WITH_ALPHA else None
        channels, parameters = map(int, numbers)
        backbones[name.lower()] = Backbone(
            name, preprocessing, int(size), int(least), reductions, channels, parameters, alpha
        )
    return backbones


BACKBONES: dict[str, Backbone] = _read_table()


def is_network_file(backbone: str) -> bool:
    """Return whether a backbone is a network in a file."""
    return backbone.lower().endswith(ENDINGS) and not is_hub(backbone)


def is_hub(backbone: str) -> bool:
    """Return whether a backbone is a network of KerasHub."""
    return backbone.startswith(HUB)


def name_in_recipes(backbone: str) -> str:
    """Return a backbone without the folder that it is in.

    Examples
    --------
    >>> [name_in_recipes(name) for name in ("nets/dino.onnx", "hub:nets/dino", "vgg16")]
    ['dino.onnx', 'hub:dino', 'vgg16']
    """
    if is_hub(backbone):
        return HUB + Path(backbone.removeprefix(HUB).strip()).name
    return Path(backbone).name if is_network_file(backbone) else backbone


def is_described(backbone: str) -> bool:
    """Return whether a backbone is none of `keras.applications`: in a file, or of KerasHub."""
    return is_network_file(backbone) or is_hub(backbone)


def find_backbone(name: str) -> Backbone:
    """Return the backbone called `name`.

    Parameters
    ----------
    name : str
        Name of a network of `keras.applications`, in any case and with or without dashes. MobileNet
        accepts a width multiplier, as in ``mobilenet:alpha=0.25``.

    Returns
    -------
    Backbone

    Raises
    ------
    RecipeError
        If there is no such backbone, or it has no such argument.

    Examples
    --------
    >>> find_backbone("VGG16").name
    'vgg16'
    >>> find_backbone("efficientnet-v2-b0").application
    'EfficientNetV2B0'
    >>> find_backbone("MobileNet:alpha=0.25").name
    'mobilenet:alpha=0.25'
    """
    if is_described(name):
        raise RecipeError(
            f"{name} is not a network of keras.applications, and only those can be fine-tuned or "
            "given other weights; choose one of those",
            setting="backbone",
        )
    if name == "auto":
        raise RecipeError(
            "only a classifier can choose a backbone: python -m classify --backbone auto; name one "
            "here",
            setting="backbone",
        )
    plain, _, argument = name.partition(":")
    key = plain.lower().replace("-", "").replace("_", "")
    if key not in BACKBONES:
        known = ", ".join(BACKBONES)
        hint = did_you_mean(key, BACKBONES)
        if os.path.isdir(name):  # noqa: PTH112 - no error if the name is too long for a path
            hint = f", but a folder; if it has a preset of KerasHub, choose {HUB}{name}"
        raise RecipeError(
            f"there is no backbone called {plain!r}{hint}; choose one of: {known}; a "
            "file (.onnx or .xml); or hub: and a preset of KerasHub",
            setting="backbone",
        )
    backbone = BACKBONES[key]
    return _with(backbone, argument) if argument else backbone


def _with(backbone: Backbone, argument: str) -> Backbone:
    """Return the backbone with an argument in the form ``alpha=0.25``."""
    key, _, value = argument.partition("=")
    if key.strip().lower() != "alpha" or backbone.alpha is None:
        known = "none" if backbone.alpha is None else "alpha, as in alpha=0.25"
        raise RecipeError(
            f"{backbone.family} has no argument {key!r}; its arguments are: {known}",
            setting="backbone",
        )
    try:
        alpha = float(value)
    except ValueError:
        alpha = 0.0
    if not 0 < alpha <= MAX_ALPHA:
        raise RecipeError(
            f"alpha must be a number above 0 and at most {MAX_ALPHA:g}, found {value!r}",
            setting="backbone",
        )
    return dataclasses.replace(backbone, alpha=alpha)


def construct(name: str, size: int, weights: str | None = None) -> keras.Model:
    """Build the frozen base called `name` for images of `size` x `size` pixels.

    Parameters
    ----------
    name : str
        See `find_backbone`.
    size : int
        Side of the input images in pixels.
    weights : {"imagenet", None}
        Keras's own weights, which Keras downloads if they are missing, or random ones.

    Returns
    -------
    keras.Model
        From ``(n, size, size, 3)`` to the base's last activations ``(n, height, width,
        channels)``; not trainable.

    Raises
    ------
    RecipeError
        If the base does not accept images of this size, or Keras has no such weights.
    """
    backbone = find_backbone(name)
    backbone.check_size(size)
    from toolkit.libraries import import_keras

    build: Any = getattr(import_keras().applications, backbone.application)
    arguments = {} if backbone.alpha is None else {"alpha": backbone.alpha}
    try:
        model = build(include_top=False, weights=weights, input_shape=(size, size, 3), **arguments)
    except ValueError as error:
        if backbone.alpha in (None, 1.0):
            raise
        raise RecipeError(f"Keras cannot build {backbone.name}: {error}") from error
    model.trainable = False
    return model


def preprocess(images: Any, mode: str) -> Any:
    """Scale RGB images in [0, 255] as the weights expect them.

    Parameters
    ----------
    images : tensor or numpy.ndarray of float32, shape (n, height, width, 3)
        RGB. Keras changes some arrays in place.
    mode : str
        See `extract.backbones.scaling.canonical`.

    Returns
    -------
    tensor or numpy.ndarray of float32, same shape
    """
    if mode == "identity":
        return images
    if mode not in ("caffe", "tf", "torch"):
        scaling = scaling_of(mode)
        channels = images[..., ::-1] if scaling.bgr else images
        return (channels - scaling.mean) / scaling.deviation
    from toolkit.libraries import import_keras

    utils = import_keras().applications.imagenet_utils
    return utils.preprocess_input(images, data_format="channels_last", mode=mode)
