"""The convolutional bases: every network of `keras.applications`, frozen and without its top.

The table is kept here, not asked of Keras, so that a recipe can be written and a warm cache read
without importing TensorFlow; a test compares it with Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extract.errors import RecipeError

if TYPE_CHECKING:
    import keras

PREPROCESSINGS = ("caffe", "tf", "torch", "identity", "notebook")
"""What can be done to an RGB `uint8` image before the first convolution.

`caffe` subtracts the ImageNet means in BGR order, `tf` scales to [-1, 1], `torch` scales to [0, 1]
and normalises by ImageNet's RGB mean and standard deviation, `identity` leaves the network to do
it, and `notebook` is the lesson's BGR / 255, which no weights were trained with.
"""


MAX_SIZE = 4096
"""Largest side of an input image in pixels: a larger one takes gigabytes of memory."""


@dataclass(frozen=True)
class Backbone:
    """One network of `keras.applications`.

    Parameters
    ----------
    application : str
        Name of its function in `keras.applications`.
    preprocessing : str
        What its ImageNet weights were trained with, one of `PREPROCESSINGS`.
    min_size : int
        Smallest side of an input image, in pixels, that the base accepts.
    """

    application: str
    preprocessing: str
    min_size: int = 32

    @property
    def name(self) -> str:
        """The name that `--backbone` takes."""
        return self.application.lower()

    def check_size(self, size: int) -> None:
        """Make sure that the base takes images of `size` x `size` pixels.

        Raises
        ------
        RecipeError
            If it does not.
        """
        if not self.min_size <= size <= MAX_SIZE:
            raise RecipeError(
                f"{self.name} takes images of {self.min_size} to {MAX_SIZE} pixels a side, not "
                f"{size}; give another --size"
            )


def _family(preprocessing: str, names: str, min_size: int = 32) -> dict[str, Backbone]:
    backbones = [Backbone(name, preprocessing, min_size) for name in names.split()]
    return {backbone.name: backbone for backbone in backbones}


BACKBONES: dict[str, Backbone] = {
    **_family("caffe", "VGG16 VGG19 ResNet50 ResNet101 ResNet152"),
    **_family("tf", "ResNet50V2 ResNet101V2 ResNet152V2 MobileNet MobileNetV2"),
    **_family("tf", "NASNetMobile NASNetLarge"),
    **_family("tf", "Xception", min_size=71),
    **_family("tf", "InceptionV3 InceptionResNetV2", min_size=75),
    **_family("torch", "DenseNet121 DenseNet169 DenseNet201"),
    **_family("identity", "MobileNetV3Small MobileNetV3Large"),
    **_family("identity", "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge"),
    **_family("identity", " ".join(f"EfficientNetB{i}" for i in range(8))),
    **_family(
        "identity", " ".join(f"EfficientNetV2{i}" for i in ["B0", "B1", "B2", "B3", "S", "M", "L"])
    ),
}


def find(name: str) -> Backbone:
    """Return the backbone called `name`, in any case and with or without dashes.

    Raises
    ------
    RecipeError
        If there is no such backbone.

    Examples
    --------
    >>> find("VGG16").name
    'vgg16'
    >>> find("efficientnet-v2-b0").application
    'EfficientNetV2B0'
    """
    key = name.lower().replace("-", "").replace("_", "")
    try:
        return BACKBONES[key]
    except KeyError:
        known = ", ".join(BACKBONES)
        raise RecipeError(f"there is no backbone called {name!r}; choose one of: {known}") from None


def construct(name: str, size: int, weights: str | None = None) -> keras.Model:
    """Build the frozen base called `name` for images of `size` x `size` pixels.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`.
    size : int
        Side of the input images in pixels.
    weights : {"imagenet", None}
        Keras's own weights, downloaded by Keras if need be, or random ones.

    Returns
    -------
    keras.Model
        From `(n, size, size, 3)` to the base's last activations `(n, height, width, channels)`;
        nothing in it is trainable.

    Raises
    ------
    RecipeError
        If the base does not take images of this size.
    """
    backbone = find(name)
    backbone.check_size(size)
    from extract.quietly import import_keras

    build: Any = getattr(import_keras().applications, backbone.application)
    model = build(include_top=False, weights=weights, input_shape=(size, size, 3))
    model.trainable = False
    return model


def preprocess(images: Any, mode: str) -> Any:
    """Turn RGB images in [0, 255] into what the weights were trained with.

    Parameters
    ----------
    images : tensor or numpy.ndarray of float32, shape (n, height, width, 3)
        RGB. Arrays are changed in place where Keras does so.
    mode : str
        One of `PREPROCESSINGS`.

    Returns
    -------
    tensor or numpy.ndarray of float32, same shape
    """
    if mode == "identity":
        return images
    if mode == "notebook":
        return images[..., ::-1] / 255.0
    from extract.quietly import import_keras

    utils = import_keras().applications.imagenet_utils
    return utils.preprocess_input(images, data_format="channels_last", mode=mode)
