"""Keras networks as scikit-learn classifiers: what the dense head and the CNN share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from cache.console import silent
from classify.base import Classifier, encode_labels
from classify.errors import ClassifierError
from extract.quietly import import_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cache.console import Progress

# A matter of speed and memory alone: unlike that of the training it does not change the result.
PREDICT_BATCH = 64

Shape = tuple[int, ...]


class Network(Classifier):
    """A small Keras network, trained with adam on sparse categorical cross-entropy.

    Parameters
    ----------
    epochs : int
    batch_size : int
        Samples in one step of the training.
    learning_rate : float
    random_state : int
        Seed of the first weights and of the order of the samples. The same seed, data and machine
        give the same network.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Numbers in one sample.
    sample_shape_ : tuple of int
        Shape of one sample.
    model_ : keras.Model
    history_ : dict of str to list of float
        `loss` and `accuracy` on the training data, one value an epoch.
    n_parameters_ : int
    """

    def __init__(
        self,
        epochs: int = 5,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        random_state: int = 0,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    @abstractmethod
    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as the array that the network takes; raise `ValueError` if it cannot be.

        Unless `reset`, its samples must be of the shape that the network was trained on.
        """

    @staticmethod
    @abstractmethod
    def layers(sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the network, its input included."""

    @staticmethod
    @abstractmethod
    def weight_shapes(sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights of `layers`, found without making any."""

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array-like
            Samples, as `consumes` says.
        y : array-like of shape (n_samples,)
        progress : Progress
            Told about every step.

        Raises
        ------
        ClassifierError
            If the samples are not what the network takes, there are fewer than two classes, a
            parameter makes no sense, or the training diverges.
        """
        self._check_parameters()
        samples = self.check_samples(X, reset=True)
        check_consistent_length(samples, y)
        check_classification_targets(y)
        classes, codes = encode_labels(y)
        keras = import_keras()
        keras.utils.set_random_seed(self.random_state)
        self._build(classes, samples.shape[1:])
        history = self.model_.fit(
            samples,
            codes.astype(np.int32),
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            callbacks=[_reporter(keras, progress, f"{self.title}: training")],
        ).history
        self.history_ = {
            name: [float(value) for value in history[name]] for name in sorted(history)
        }
        if not np.isfinite(self.history_["loss"]).all():
            raise ClassifierError(
                f"the training of {type(self).__name__} diverged: its loss is not finite; "
                f"try a learning rate below {self.learning_rate:g}"
            )
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class, float32 ``(n_samples, n_classes)``."""
        check_is_fitted(self)
        samples = self.check_samples(X, reset=False)
        found: NDArray[np.float32] = self.model_.predict(
            samples, batch_size=PREDICT_BATCH, verbose=0
        )
        return found

    def restore(
        self,
        classes: NDArray[Any],
        sample_shape: Shape,
        weights: Sequence[NDArray[np.float32]],
        history: dict[str, list[float]],
    ) -> Self:
        """Make this a trained network again, from what was read of a file.

        Parameters
        ----------
        classes, sample_shape, history
            The attributes of these names.
        weights : sequence of ndarray
            Of the shapes that `weight_shapes` names.
        """
        self._build(classes, sample_shape)
        self.model_.set_weights(weights)
        self.history_ = history
        return self

    def _build(self, classes: NDArray[Any], sample_shape: Shape) -> None:
        keras = import_keras()
        model = keras.Sequential(self.layers(sample_shape, len(classes)))
        model.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        self.classes_ = classes
        self.sample_shape_ = tuple(sample_shape)
        self.n_features_in_ = int(np.prod(sample_shape))
        self.model_ = model
        self.n_parameters_ = int(model.count_params())

    def _check_parameters(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0:
                raise ClassifierError(f"{name} must be positive, found {value!r}")


def _reporter(keras: Any, progress: Progress, stage: str) -> Any:
    """Return a Keras callback that tells `progress` about every step."""

    class Reporter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        done = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.done += 1
            progress(stage, self.done, self.params["epochs"] * self.params["steps"])

    return Reporter()
