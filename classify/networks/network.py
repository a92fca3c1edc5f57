"""Keras networks as scikit-learn classifiers: what all of them share."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from classify.errors import ClassifierError
from classify.estimators.base import Classifier, ClassWeight
from classify.estimators.cross_validation import fold_numbers, held_out_part
from classify.estimators.groups import divided_classes, encode_groups
from classify.estimators.search import SearchMethod, SearchMixin, SearchPoint, SearchResult
from classify.networks import feeding
from classify.networks.samples import Samples
from classify.networks.sweep import FinishedRate, Sweep
from toolkit.libraries import import_keras
from toolkit.progress import as_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray
    from sklearn.utils import Tags

    from toolkit.progress import Progress

# Affects speed and memory only: unlike that of the training, it does not change the result.
PREDICT_BATCH = 64
VALIDATION_FOLDS = 5
"""One in so many training samples is held out to choose the learning rate and the epochs."""

Shape = tuple[int, ...]


class _Choice(NamedTuple):
    """A learning rate and a number of epochs, and what they gave on held-out samples."""

    learning_rate: float
    epochs: int
    loss: float
    held_out: NDArray[np.intp]
    probabilities: NDArray[np.float64]


class Network(SearchMixin, Classifier):
    """A small Keras network, trained with Adam on the cross-entropy.

    A subclass says what its samples are and which layers it has.

    Parameters
    ----------
    epochs : int, default=5
        At most. A network is trained on four fifths of the samples and validated on the rest after
        every epoch; the number of epochs with the lowest log loss is chosen. Then the network is
        trained on all samples.
    batch_size : int, default=32
        Samples per training step.
    learning_rate : float or sequence of float, default=1e-3
        From several, the one with the lowest log loss is chosen in the same way.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples; see
        `classify.estimators.base.class_weights`.
    random_state : int, default=0
        Seed of the initial weights and of the order of the samples. The same seed, data and machine
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
        `loss` and `accuracy` on the training samples, one value per epoch.
    n_parameters_ : int
    learning_rate_ : float
        The chosen learning rate.
    epochs_ : int
        The chosen number of epochs.
    held_out_ : ndarray of intp, shape (n_held_out,)
        Positions of the samples that the choice was validated on.
    held_out_proba_ : ndarray of float64, shape (n_held_out, n_classes)
        Their probabilities, by the network that was not trained on them.
    search_ : SearchResult
        The validation of the learning rates, if there were several; `cv_results_` and
        `best_params_` are as in `GridSearchCV`.
    sweep_ : list of Sweep
        The histories of the learning rates, if there were several.
    """

    search_method: ClassVar[SearchMethod] = "hold-out"
    patience: int | None = None
    """Epochs without a lower log loss after which the choice ends; None never ends it."""
    finished_rates: Sequence[FinishedRate] = ()
    """Learning rates that were finished before `fit` was stopped. Set on a new network with the
    same parameters, they are not trained again by a `fit` on the same samples."""

    def __init__(
        self,
        epochs: int = 5,
        batch_size: int = 32,
        learning_rate: float | Sequence[float] = 1e-3,
        class_weight: ClassWeight = None,
        random_state: int = 0,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.class_weight = class_weight
        self.random_state = random_state

    @abstractmethod
    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as the array that the network takes.

        Unless `reset`, its samples must have the shape of the training samples.

        Raises
        ------
        ValueError
            If it cannot be converted.
        """

    @abstractmethod
    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the layers of the network, including its input."""

    @abstractmethod
    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights of `layers`, without creating them."""

    def before_training(self, samples: Samples) -> None:
        """Compute what `layers` needs to know of the training samples; by default nothing."""

    def training_samples(self, samples: Samples) -> Samples:
        """Return what the network is trained on, from what `fit` was given."""
        return samples

    def prediction_inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return what the network predicts for held-out samples, from what `fit` was given."""
        return X

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        progress: bool | Progress = False,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array-like
            Samples; see `consumes`.
        y : array-like of shape (n_samples,)
            Labels: text or integers.
        progress : bool or Progress, default=False
            Whether to show a progress bar, or a callback; called after every training step.
        groups : array-like of shape (n_samples,), default=None
            What each sample shows or where it is from: any hashable values. The epochs and the
            learning rate are chosen on whole groups. None, for all or for some samples, is a group
            for each.

        Returns
        -------
        self

        Raises
        ------
        ClassifierError
            If the network cannot take these samples, there are fewer than two classes, a parameter
            is out of range, or the training diverges.
        """
        self._check_parameters()
        self.finished_rates = list(self.finished_rates)
        samples = self.check_samples(X, reset=True)
        codes = self._encode(samples, y)
        with as_progress(progress) as report:
            self._fit(Samples(samples, codes, encode_groups(groups, len(codes))), report)
        del self.finished_rates
        return self

    def _fit(self, train: Samples, progress: Progress) -> None:
        weights = self._class_weights(train.codes)
        best = self._choose(train, weights, progress)
        self.learning_rate_, self.epochs_ = best.learning_rate, best.epochs
        self.held_out_, self.held_out_proba_ = best.held_out, best.probabilities
        report = partial(progress, f"{self.title}: training on all images")
        samples = self.training_samples(train)
        self.history_ = self._train(self.learning_rate_, self.epochs_, samples, weights, report)
        if not np.isfinite(self.history_["loss"]).all():
            raise ClassifierError(
                f"the training of {type(self).__name__} diverged: its loss is not finite; "
                f"try a learning rate below {self.learning_rate_:g}",
                setting="learning_rate",
            )

    def _choose(
        self, samples: Samples, weights: NDArray[np.float64], progress: Progress
    ) -> _Choice:
        """Choose the learning rate and the number of epochs by the log loss of held-out samples."""
        rates = [float(rate) for rate in np.atleast_1d(self.learning_rate)]
        _, codes, groups = samples
        rows, held_out = held_out_part(codes, VALIDATION_FOLDS, self.random_state, groups)
        parts = fold_numbers([(rows, held_out)])
        self.divided_classes_ = self.classes_[divided_classes(codes, groups, parts)]
        train = self.training_samples(samples.take(rows))
        validation = samples.take(held_out)
        validation = validation._replace(X=self.prediction_inputs(validation.X))
        self.sweep_: list[Sweep] = []
        points: list[SearchPoint] = []
        best: _Choice | None = None
        for i, rate in enumerate(rates):
            finished = self._finish(rate, i, len(rates), train, weights, validation, progress)
            history = finished.history
            losses = np.array(history["val_loss"])
            epoch = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
            loss = float(losses[epoch])
            self.sweep_.append(Sweep(rate, history))
            points.append(
                SearchPoint(
                    {"learning_rate": rate},
                    mean=history["val_accuracy"][epoch],
                    std=0.0,
                    log_loss=loss if np.isfinite(loss) else None,
                )
            )
            if np.isfinite(loss) and (best is None or loss < best.loss):
                best = _Choice(rate, epoch + 1, loss, held_out, finished.probabilities)
        if best is None:
            tried = "every learning rate" if len(rates) > 1 else "this learning rate"
            raise ClassifierError(
                f"the training of {type(self).__name__} diverged with {tried}: its loss is not "
                f"finite; try a learning rate below {min(rates):g}",
                setting="learning_rate",
            )
        if len(rates) == 1:
            self.sweep_ = []
        else:
            self.search_ = SearchResult(
                folds=1,
                scoring="accuracy",
                points=points,
                chosen={"learning_rate": best.learning_rate},
                method=self.search_method,
            )
        return best

    def _finish(
        self,
        rate: float,
        position: int,
        n_rates: int,
        train: Samples,
        weights: NDArray[np.float64],
        validation: Samples,
        progress: Progress,
    ) -> FinishedRate:
        """Train with one of the learning rates, unless that was finished before."""
        known = {finished.learning_rate: finished for finished in self.finished_rates}
        if rate in known:
            return known[rate]
        stage = f"{self.title}: choosing the epochs"
        if n_rates > 1:
            stage = f"{self.title}: choosing the learning rate and the epochs"

        def report(done: int, total: int) -> None:
            progress(stage, position * total + done, n_rates * total)

        history = self._train(rate, self.epochs, train, weights, report, validation)
        probabilities = feeding.predict(self.model_, validation.X, PREDICT_BATCH).astype(np.float64)
        finished = FinishedRate(rate, history, probabilities)
        self.finished_rates = [*self.finished_rates, finished]
        return finished

    def _train(
        self,
        rate: float,
        epochs: int,
        train: Samples,
        weights: NDArray[np.float64],
        report: Callable[[int, int], None],
        validation: Samples | None = None,
    ) -> dict[str, list[float]]:
        """Build a new network and train it; return its history.

        With validation samples, it keeps the weights of the best epoch.
        """
        keras = import_keras()
        self.before_training(train)
        keras.utils.set_random_seed(self.random_state)
        self._build(train.X.shape[1:], rate)
        callbacks = [feeding.reporter(report)]
        if validation is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    monitor="val_loss",
                    patience=epochs if self.patience is None else self.patience,
                    restore_best_weights=True,
                )
            )
        return feeding.fit(
            self.model_,
            train,
            validation,
            batch_size=self.batch_size,
            seed=self.random_state,
            epochs=epochs,
            class_weight=None if (weights == 1).all() else dict(enumerate(weights.tolist())),
            callbacks=callbacks,
        )

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of every class, float ``(n_samples, n_classes)``."""
        check_is_fitted(self)
        samples = self.check_samples(X, reset=False)
        return feeding.predict(self.model_, samples, PREDICT_BATCH)

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Return the trained weights, of the shapes that `weight_shapes` returns."""
        weights: list[NDArray[np.float32]] = self.model_.get_weights()
        return weights

    def restore(
        self,
        classes: NDArray[Any],
        sample_shape: Shape,
        weights: Sequence[NDArray[np.float32]],
        history: dict[str, list[float]],
    ) -> Self:
        """Make this a trained network, from the contents of a file.

        Parameters
        ----------
        classes, sample_shape, history
            The attributes of these names.
        weights : sequence of ndarray
            From `get_weights`.
        """
        self.classes_, self.history_ = classes, history
        self._set_weights(sample_shape, weights)
        return self

    def _set_weights(self, sample_shape: Shape, weights: Sequence[NDArray[np.float32]]) -> None:
        self._build(sample_shape, float(np.atleast_1d(self.learning_rate)[0]))
        self.model_.set_weights(weights)

    def _build(self, sample_shape: Shape, rate: float) -> None:
        keras = import_keras()
        model = keras.Sequential(self.layers(sample_shape, len(self.classes_)))
        model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        self.model_ = model
        self._note_shapes(sample_shape, int(model.count_params()))

    def _note_shapes(self, sample_shape: Shape, n_parameters: int) -> None:
        self.sample_shape_ = tuple(sample_shape)
        self.n_features_in_ = int(np.prod(sample_shape))
        self.n_parameters_ = n_parameters

    def _check_parameters(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not np.size(value) or not np.all(np.greater(value, 0)):
                raise ClassifierError(f"{name} must be positive, found {value!r}", setting=name)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.consumes == "embeddings"
        return tags
