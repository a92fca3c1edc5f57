"""The lesson's dense head on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import validate_data

from classify.estimators.solvers.gram import unit_scale
from classify.networks.network import Network, Shape
from extract.libraries import import_keras
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress

HIDDEN_UNITS = 256


class DenseHead(Network):
    """Dense 256 relu, Dense softmax; 2,097,922 parameters on 8,192 features and two classes.

    See `Network` for the parameters and the attributes.

    Notes
    -----
    The network is the lesson's. It is trained on features scaled to unit mean squared norm, like
    the SVM and the logistic regression: on features as they are, whose norm is in the hundreds,
    adam's first steps are so long that the head ends less accurate and far too sure of itself
    (`benchmarks/dense.py`). The scale is then put into the first layer's weights, so that the
    trained network takes features as they are.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
    title: ClassVar[str] = "Dense head on frozen features"

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Train a new head; see `Network.fit`."""
        samples = self.check_samples(X, reset=True)
        scale = unit_scale(samples)
        super().fit(samples * np.float32(scale), y, progress)
        kernel, *others = self.model_.get_weights()
        self.model_.set_weights([kernel * np.float32(scale), *others])
        return self

    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as float32 ``(n_samples, n_features)``."""
        checked: NDArray[np.float32] = validate_data(self, X, dtype=np.float32, reset=reset)
        return checked

    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the head."""
        keras = import_keras()
        return [
            keras.Input(sample_shape),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]

    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights.

        Examples
        --------
        >>> DenseHead().weight_shapes((8192,), 2)
        [(8192, 256), (256,), (256, 2), (2,)]
        """
        (n_features,) = sample_shape
        return [
            (n_features, HIDDEN_UNITS),
            (HIDDEN_UNITS,),
            (HIDDEN_UNITS, n_classes),
            (n_classes,),
        ]
