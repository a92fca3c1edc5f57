"""Keras networks as scikit-learn classifiers: what the dense head and the CNN share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from classify.errors import ClassifierError
from classify.estimators.base import Classifier, ClassWeight, encode_labels
from classify.estimators.search import SearchMethod, SearchMixin, SearchPoint, SearchResult
from extract.libraries import import_keras
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress

# A matter of speed and memory alone: unlike that of the training it does not change the result.
PREDICT_BATCH = 64
VALIDATION = 0.2
"""Share of the training samples that a learning rate is chosen by."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """The training history of one of several learning rates.

    Attributes
    ----------
    learning_rate : float
    history : dict of str to list of float
        `loss` and `accuracy` on the samples that were trained on, `val_loss` and `val_accuracy` on
        those that were held out; one value per epoch.
    """

    learning_rate: float
    history: dict[str, list[float]]


class Network(SearchMixin, Classifier):
    """A small Keras network, trained with adam on sparse categorical cross-entropy.

    Parameters
    ----------
    epochs : int
    batch_size : int
        Samples in one step of the training.
    learning_rate : float or sequence of float
        Of several, the best is chosen: each trains a network on four fifths of the samples, and the
        log loss of the others after the last epoch decides. Then all samples are trained on.
    class_weight : {"balanced", None} or dict
        Whether all classes count the same, or all samples; see `class_weights`.
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
    learning_rate_ : float
    search_ : SearchResult
        How the learning rate was chosen; only if there were several.
    sweep_ : list of Sweep
        Every learning rate with the history of its network, if there were several.
    """

    search_method: ClassVar[SearchMethod] = "hold-out"

    def __init__(
        self,
        epochs: int = 5,
        batch_size: int = 32,
        learning_rate: float | Sequence[float] = 1e-3,
        class_weight: ClassWeight = "balanced",
        random_state: int = 0,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.class_weight = class_weight
        self.random_state = random_state

    @abstractmethod
    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as the array that the network takes; raise `ValueError` if it cannot be.

        Unless `reset`, its samples must be of the shape that the network was trained on.
        """

    @abstractmethod
    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the network, its input included."""

    @abstractmethod
    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights of `layers`, found without making any."""

    def callbacks(self) -> list[Any]:
        """Return Keras callbacks that the training is to have."""
        return []

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
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        classes, codes = encode_labels(labels)
        weights = self._class_weights(classes, codes)
        rates = [float(rate) for rate in np.atleast_1d(self.learning_rate)]
        self.sweep_: list[Sweep] = []
        if len(rates) > 1:
            rates = [self._best_of(rates, samples, codes, classes, weights, progress)]
        (self.learning_rate_,) = rates
        self.history_ = self._train(
            self.learning_rate_,
            (samples, codes),
            classes,
            weights,
            partial(progress, f"{self.title}: training"),
        )
        if not np.isfinite(self.history_["loss"]).all():
            raise ClassifierError(
                f"the training of {type(self).__name__} diverged: its loss is not finite; "
                f"try a learning rate below {self.learning_rate_:g}"
            )
        return self

    def _best_of(
        self,
        rates: Sequence[float],
        samples: NDArray[Any],
        codes: NDArray[np.int64],
        classes: NDArray[Any],
        weights: NDArray[np.float64],
        progress: Progress,
    ) -> float:
        """Return the learning rate of least log loss on a part that was not trained on."""
        part, validation = validation_split((samples, codes), self.random_state)
        points = []
        for i, rate in enumerate(rates, 1):
            history = self._train(
                rate,
                part,
                classes,
                weights,
                partial(progress, f"{self.title}: learning rate {rate:g}, {i} of {len(rates)}"),
                validation=validation,
            )
            self.sweep_.append(Sweep(rate, history))
            loss = history["val_loss"][-1]
            points.append(
                SearchPoint(
                    {"learning_rate": rate},
                    history["val_accuracy"][-1],
                    0.0,
                    loss if np.isfinite(loss) else None,
                )
            )
        finite = [point for point in points if point.log_loss is not None]
        if not finite:
            raise ClassifierError(
                f"the training of {type(self).__name__} diverged with every learning rate; try "
                f"some below {min(rates):g}"
            )
        best = min(finite, key=lambda point: (point.log_loss, point.params["learning_rate"]))
        self.search_ = SearchResult(
            1, "accuracy", points, dict(best.params), method=self.search_method
        )
        return float(best.params["learning_rate"])

    def _train(
        self,
        rate: float,
        data: tuple[NDArray[Any], NDArray[np.int64]],
        classes: NDArray[Any],
        weights: NDArray[np.float64],
        progress: Callable[[int, int], None],
        validation: tuple[NDArray[Any], NDArray[np.int32]] | None = None,
    ) -> dict[str, list[float]]:
        """Build a new network and train it; return its history."""
        samples, codes = data
        keras = import_keras()
        keras.utils.set_random_seed(self.random_state)
        self._build(classes, samples.shape[1:], rate)
        history = self.model_.fit(
            samples,
            codes.astype(np.int32),
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            validation_data=validation,
            class_weight=None if (weights == 1).all() else dict(enumerate(weights.tolist())),
            callbacks=[_reporter(keras, progress), *self.callbacks()],
        ).history
        return {name: [float(value) for value in history[name]] for name in sorted(history)}

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
        self._build(classes, sample_shape, float(np.atleast_1d(self.learning_rate)[0]))
        self.model_.set_weights(weights)
        self.history_ = history
        return self

    def _build(self, classes: NDArray[Any], sample_shape: Shape, rate: float) -> None:
        keras = import_keras()
        model = keras.Sequential(self.layers(sample_shape, len(classes)))
        model.compile(
            optimizer=keras.optimizers.Adam(rate),
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
            if not np.size(value) or not np.all(np.greater(value, 0)):
                raise ClassifierError(f"{name} must be positive, found {value!r}")


def validation_split(
    data: tuple[NDArray[Any], NDArray[np.int64]], seed: int
) -> tuple[tuple[NDArray[Any], NDArray[np.int64]], tuple[NDArray[Any], NDArray[np.int32]]]:
    """Divide samples and class codes into a part to train on and one to judge by.

    Every class is divided in the same proportion.
    """
    samples, codes = data
    splitter = StratifiedShuffleSplit(1, test_size=VALIDATION, random_state=seed)
    train, held_out = next(splitter.split(codes, codes))
    validation = samples[held_out], codes[held_out].astype(np.int32)
    return (samples[train], codes[train]), validation


def _reporter(keras: Any, progress: Callable[[int, int], None]) -> Any:
    """Return a Keras callback that tells `progress` about every step."""

    class Reporter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        done = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.done += 1
            progress(self.done, self.params["epochs"] * self.params["steps"])

    return Reporter()
