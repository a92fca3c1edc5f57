"""The lesson's dense head on embeddings."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.estimators.rows import RowsOnDisk
from classify.estimators.solvers.gram import exact_products, unit_scale
from classify.networks import feeding
from classify.networks.network import Network, Shape
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.networks.samples import Samples
    from toolkit.progress import Progress

HIDDEN_UNITS = 256


class DenseHead(Network):
    """A dense layer of 256 units with ReLU, and a dense layer with softmax.

    It has 2,097,922 parameters for 8,192 features and two classes. It is trained by Keras, and
    predicts without it.

    Parameters
    ----------
    epochs : int, default=5
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
    classes_ : ndarray of shape (n_classes,)
    weights_ : list of ndarray of float32
        Kernel and bias of the first layer and of the second, for the features as they are.
    history_ : dict of str to list of float
        `loss` and `accuracy` on the training samples, one value per epoch.
    n_parameters_ : int
    learning_rate_ : float
        The chosen learning rate.
    n_passes_ : int
        How often rows on disk were read: once for their scale, and once per epoch.
    search_, sweep_
        The validation of several learning rates; see `classify.networks.network.Network`.

    See Also
    --------
    LogReg : Trained in less time, and usually as accurate.

    Notes
    -----
    The network is the lesson's. It is trained on features scaled to unit mean squared norm, as the
    SVM and the logistic regression are. On features as they are, whose norm is in the hundreds, the
    first steps of Adam are so long that the head becomes less accurate and far too confident
    (`benchmarks/dense.py`). The scale is then multiplied into the weights of the first layer.

    `fit` takes `classify.estimators.rows.RowsOnDisk`, too: they are read anew for every epoch, and
    shuffled as `classify.networks.feeding.DiskBatches` says. In memory are then 128 MB of them.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = DenseHead(epochs=50).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    title: ClassVar[str] = "Dense head on frozen features"

    def _fit(self, train: Samples, progress: Progress) -> None:
        if isinstance(train.X, RowsOnDisk):
            report = partial(progress, f"{self.title}: reading")
            scaled, scale = feeding.scaled_to_unit_norm(train.X, report)
        else:
            scale = unit_scale(train.X)
            scaled = train.X * np.float32(scale)
        super()._fit(train._replace(X=scaled), progress)
        kernel, *others = self.model_.get_weights()
        self.weights_: list[NDArray[np.float32]] = [kernel * np.float32(scale), *others]
        del self.model_
        if isinstance(train.X, RowsOnDisk):
            self.n_passes_ = 1 + self.epochs * np.size(self.learning_rate) + self.epochs_

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Converted to float32.
        """
        check_is_fitted(self)
        samples = self.check_samples(X, reset=False)
        kernel, bias, out_kernel, out_bias = self.weights_
        hidden = np.maximum(exact_products(samples, kernel.T) + bias, 0)
        probabilities: NDArray[np.float64] = softmax(hidden @ out_kernel + out_bias, axis=1)
        return probabilities

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Return `weights_`."""
        return self.weights_

    def _set_weights(self, sample_shape: Shape, weights: Sequence[NDArray[np.float32]]) -> None:
        self.weights_ = list(weights)
        self._note_shapes(sample_shape, sum(weight.size for weight in weights))

    def check_samples(self, X: ArrayLike | RowsOnDisk, *, reset: bool) -> Any:
        """Return `X` as float32 ``(n_samples, n_features)``, or rows on disk to train on."""
        if isinstance(X, RowsOnDisk) and reset:
            self.n_features_in_ = X.shape[1]
            return X
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
        return dense_shapes(n_features, HIDDEN_UNITS, n_classes)


def dense_shapes(*units: int) -> list[Shape]:
    """Return the shapes of the weights of consecutive dense layers.

    Examples
    --------
    >>> dense_shapes(10, 3, 2)
    [(10, 3), (3,), (3, 2), (2,)]
    """
    shapes: list[Shape] = []
    for n_inputs, n_outputs in pairwise(units):
        shapes += [(n_inputs, n_outputs), (n_outputs,)]
    return shapes
