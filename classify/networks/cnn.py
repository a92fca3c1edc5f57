"""The lesson's small convolutional network, trained from scratch on the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from classify.errors import ClassifierError
from classify.networks.network import Network, Shape
from extract.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import ClassWeight

FILTERS = (32, 64, 128, 128)
HIDDEN_UNITS = 512
# Four times a 3x3 convolution without padding and a halving must leave one pixel.
SMALLEST_SIZE = 46


class ScratchCNN(Network):
    """Four convolutions with pooling, then two dense layers, on images / 255.

    Conv 32, 64, 128, 128 (3x3, relu), each with MaxPool 2x2; Flatten; Dense 512 relu; Dense
    softmax. 3,453,634 parameters for images of 150x150 and two classes. See `Network` for the
    parameters and the attributes.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "images"
    title: ClassVar[str] = "CNN trained from scratch"

    def __init__(
        self,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float | Sequence[float] = 1e-3,
        class_weight: ClassWeight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(epochs, batch_size, learning_rate, class_weight, random_state)

    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as it is if it is uint8 ``(n_samples, height, width, 3)``."""
        images = np.asarray(X)
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ClassifierError(
                "the CNN takes uint8 images of shape (n_samples, size, size, 3), "
                f"found {images.dtype} of shape {images.shape}"
            )
        if not reset and images.shape[1:] != self.sample_shape_:
            raise ClassifierError(
                f"the CNN was trained on images of shape {self.sample_shape_}, "
                f"found {images.shape[1:]}; take the size of the training"
            )
        if min(images.shape[1:3]) < SMALLEST_SIZE:
            raise ClassifierError(
                f"images of {images.shape[2]}x{images.shape[1]} are too small for the four "
                f"convolutions of the CNN; take --size {SMALLEST_SIZE} or more"
            )
        return images

    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the network; the division by 255 is the first of them."""
        keras = import_keras()
        layers = [keras.Input(sample_shape, dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        for filters in FILTERS:
            layers += [
                keras.layers.Conv2D(filters, 3, activation="relu"),
                keras.layers.MaxPooling2D(2),
            ]
        return [
            *layers,
            keras.layers.Flatten(),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]

    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights.

        Examples
        --------
        >>> ScratchCNN().weight_shapes((150, 150, 3), 2)[-4:]
        [(6272, 512), (512,), (512, 2), (2,)]
        """
        height, width, channels = sample_shape
        shapes: list[Shape] = []
        for filters in FILTERS:
            shapes += [(3, 3, channels, filters), (filters,)]
            height, width, channels = (height - 2) // 2, (width - 2) // 2, filters
        flat = height * width * channels
        return [
            *shapes,
            (flat, HIDDEN_UNITS),
            (HIDDEN_UNITS,),
            (HIDDEN_UNITS, n_classes),
            (n_classes,),
        ]
