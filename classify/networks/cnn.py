"""The lesson's small convolutional network, trained from scratch on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from classify.errors import ClassifierError
from classify.networks.dense import dense_shapes
from classify.networks.network import Network, Shape
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import ClassWeight, Consumes

FILTERS = (32, 64, 128, 128)
HIDDEN_UNITS = 512
# Four 3x3 convolutions without padding, each with a halving, must leave at least one pixel.
SMALLEST_SIZE = 46


class ScratchCNN(Network):
    """Four convolutions with pooling and two dense layers, trained on images divided by 255.

    The layers: convolutions with 32, 64, 128 and 128 filters (3x3, ReLU), each with max pooling
    (2x2); a dense layer of 512 units with ReLU; a dense layer with softmax. It has 3,453,634
    parameters for images of 150x150 and two classes.

    Parameters
    ----------
    epochs : int, default=10
    batch_size : int, default=32
        Samples per training step.
    learning_rate : float or sequence of float, default=1e-3
        From several, the one with the lowest log loss on a fifth of the samples is chosen.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples.
    random_state : int, default=0
        Seed of the initial weights and of the order of the samples.

    Attributes
    ----------
    classes_, model_, history_, n_parameters_, learning_rate_, search_, sweep_
        See `classify.networks.network.Network`.

    Examples
    --------
    It is trained on images, uint8 ``(n_samples, height, width, 3)``:

    >>> images = np.repeat(np.uint8([0, 255] * 4), 48 * 48 * 3).reshape(8, 48, 48, 3)
    >>> model = ScratchCNN(epochs=40).fit(images, ["dark", "light"] * 4)
    >>> model.predict(images[:2]).tolist()
    ['dark', 'light']
    """

    consumes: ClassVar[Consumes] = "images"
    title: ClassVar[str] = "CNN trained from scratch"
    min_image_size: ClassVar[int] = SMALLEST_SIZE

    def __init__(
        self,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float | Sequence[float] = 1e-3,
        class_weight: ClassWeight = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(epochs, batch_size, learning_rate, class_weight, random_state)

    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` if it is uint8 ``(n_samples, height, width, 3)``."""
        images = np.asarray(X)
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ClassifierError(
                "the CNN takes uint8 images of shape (n_samples, size, size, 3), "
                f"found {images.dtype} of shape {images.shape}"
            )
        if not reset and images.shape[1:] != self.sample_shape_:
            raise ClassifierError(
                f"the CNN was trained on images of shape {self.sample_shape_}, "
                f"found {images.shape[1:]}; use images of the same size"
            )
        if min(images.shape[1:3]) < SMALLEST_SIZE:
            raise ClassifierError(
                f"images of {images.shape[2]}x{images.shape[1]} are too small for the four "
                f"convolutions of the CNN; use a size of {SMALLEST_SIZE} or more",
                setting="size",
            )
        return images

    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the network, of which the first divides by 255."""
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
        return shapes + dense_shapes(height * width * channels, HIDDEN_UNITS, n_classes)
