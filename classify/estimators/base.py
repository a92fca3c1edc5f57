"""Base classes of the classifiers: checks of the input, and scikit-learn's methods."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from classify.errors import ClassifierError
from classify.estimators.groups import encode_groups
from classify.estimators.rows import RowsOnDisk
from classify.estimators.solvers.gram import exact_products
from classify.estimators.solvers.probabilities import class_scores
from toolkit.progress import as_progress

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress


ClassWeight = Literal["balanced"] | dict[Any, float] | None
Consumes = Literal["embeddings", "images", "activations"]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn classifier with probabilities.

    Attributes
    ----------
    consumes : {"embeddings", "images", "activations"}
        What `X` holds: embeddings, float32 ``(n_samples, n_features)``; images, RGB uint8
        ``(n_samples, size, size, 3)``; or the output of a lower layer of the base, flattened.
    title : str
        Name in reports.
    min_image_size : int
        Smallest side, in pixels, of images that it can be trained on.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; the columns of `predict_proba`.
    divided_classes_ : ndarray of shape (n_divided,)
        Of a classifier that keeps held-out probabilities: the labels of classes of which samples of
        one group were both trained on and held out, because the class would have vanished from the
        training otherwise. Held-out probabilities are optimistic for them.
    """

    consumes: ClassVar[Consumes] = "embeddings"
    title: ClassVar[str]
    min_image_size: ClassVar[int] = 1
    classes_: NDArray[Any]
    divided_classes_: NDArray[Any]

    @abstractmethod
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        progress: bool | Progress = False,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train on `X` and the labels `y`; what is held out is held out by whole `groups`."""

    @abstractmethod
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``."""

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of every sample, ``(n_samples,)``."""
        codes = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def _encode(self, X: Any, y: ArrayLike, min_count: int = 1) -> NDArray[np.int64]:
        """Check the labels of `X`, set `classes_`, and return the class codes."""
        check_consistent_length(X, y)
        labels = column_or_1d(y, warn=True)
        with warnings.catch_warnings():
            # Many classes of two or three images are no sign of a regression.
            warnings.filterwarnings("ignore", message="The number of unique classes is greater")
            check_classification_targets(labels)
        self.classes_, codes = encode_labels(labels, min_count)
        return codes

    def _class_weights(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weight of one sample of each class in the training, ``(n_classes,)``."""
        return class_weights(self.get_params()["class_weight"], self.classes_, codes)


class FeatureClassifier(Classifier):
    """A classifier on embeddings: any float32 features.

    A subclass implements `_fit` and `_predict_proba` for checked arrays.
    """

    min_class_size: ClassVar[int] = 2
    """Training samples that every class needs."""

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        progress: bool | Progress = False,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the parameters that are open, and train on all samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Converted to float32.
        y : array-like of shape (n_samples,)
            Labels: text or integers.
        progress : bool or Progress, default=False
            Whether to show a progress bar, or a callback.
        groups : array-like of shape (n_samples,), default=None
            What each sample shows or where it is from, as the number of a patient: any hashable
            values. Samples of one group are never both trained on and held out when parameters are
            chosen. None, for all or for some samples, is a group for each.

        Returns
        -------
        self

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, a class has too few samples, or a parameter is
            out of range.

        Examples
        --------
        Two pictures each of four animals; there are four folds instead of five:

        >>> from classify.estimators.logreg import LogReg
        >>> X = np.array([[3, 0], [3, 1], [2, 0], [2, 1], [0, 3], [1, 3], [0, 2], [1, 2]])
        >>> y = ["cat"] * 4 + ["dog"] * 4
        >>> animals = ["Tom", "Tom", "Kit", "Kit", "Rex", "Rex", "Ace", "Ace"]
        >>> LogReg().fit(X, y, groups=animals).search_.folds
        4
        """
        features = self._check_features(X, reset=True)
        codes = self._encode(features, y, self.min_class_size)
        group_codes = encode_groups(groups, len(codes))
        with as_progress(progress) as report:
            self._fit(features, codes, group_codes, report)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Converted to float32.
        """
        check_is_fitted(self)
        return self._predict_proba(self._check_features(X))

    @abstractmethod
    def _fit(
        self,
        features: NDArray[np.float32],
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        """Train on features, class codes and group codes, if any; `classes_` is set."""

    @abstractmethod
    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``."""

    def _check_features(self, X: ArrayLike, *, reset: bool = False) -> NDArray[np.float32]:
        checked: NDArray[np.float32] = validate_data(
            self, X, dtype=np.float32, order="C", reset=reset
        )
        return checked


class DecisionClassifier(FeatureClassifier):
    """A classifier whose probabilities are the softmax of its scaled decision values.

    A subclass implements `_decide`.

    Attributes
    ----------
    temperature_ : float
        Factor on the decision values before the softmax.
    """

    temperature_: float = 1.0

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of float64, shape (n_samples,) or (n_samples, n_classes)
            For two classes one value, positive for the second class; else one per class.
        """
        check_is_fitted(self)
        return self._decide(self._check_features(X))

    @abstractmethod
    def _decide(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the decision values, shaped as `decision_function` does."""

    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = class_scores(self._decide(features))
        probabilities: NDArray[np.float64] = softmax(self.temperature_ * scores, axis=1)
        return probabilities


class LinearClassifier(DecisionClassifier):
    """A classifier whose decision values are linear in the features.

    Attributes
    ----------
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    """

    coef_: NDArray[np.float32]
    intercept_: NDArray[np.float64]

    def _decide(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        scores = exact_products(features, self.coef_) + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores


class RowsClassifier(LinearClassifier):
    """A linear classifier whose `fit` takes rows on disk as well as an array."""

    def _check_features(self, X: ArrayLike | RowsOnDisk, *, reset: bool = False) -> Any:
        if isinstance(X, RowsOnDisk) and reset:
            self.n_features_in_ = X.shape[1]
            return X
        return super()._check_features(cast("ArrayLike", X), reset=reset)


def class_weights(
    class_weight: ClassWeight, classes: NDArray[Any], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the weight of one sample of each class, ``(n_classes,)``.

    Parameters
    ----------
    class_weight : {"balanced", None} or dict
        As in scikit-learn. None gives all samples the same weight, ``"balanced"`` gives all classes
        the same total weight, and a dict gives the weight of each class. Probabilities are those
        of samples with these weights, so only None leaves them as frequent as in the data.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample, as a position in `classes`; no class is empty.

    Raises
    ------
    ClassifierError
        If `class_weight` is anything else.

    Examples
    --------
    >>> class_weights("balanced", np.array(["a", "b"]), np.array([0, 0, 0, 1])).round(3).tolist()
    [0.667, 2.0]
    """
    try:
        weights: NDArray[np.float64] = compute_class_weight(
            class_weight, classes=classes, y=classes[codes]
        )
    except ValueError as error:
        raise ClassifierError(
            f"class_weight cannot be {class_weight!r}: {error}", setting="class_weight"
        ) from error
    return weights


def encode_labels(y: ArrayLike, min_count: int = 1) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes, and the class of every label as a position among them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    min_count : int, default=1
        Samples that every class needs.

    Raises
    ------
    ClassifierError
        If there are fewer than two classes, or a class has fewer than `min_count` samples.

    Examples
    --------
    >>> encode_labels(["dogs", "cats", "dogs"])[1].tolist()
    [1, 0, 1]
    """
    classes, codes = np.unique(np.asarray(y), return_inverse=True)
    if len(classes) < 2:
        found = f"one class ({classes[0]!s})" if len(classes) else "none"
        raise ClassifierError(
            f"a classifier needs at least two classes, found {found}; "
            "add images of another class to the training split"
        )
    counts = np.bincount(codes)
    if counts.min() < min_count:
        rare = ", ".join(str(label) for label in classes[counts < min_count])
        raise ClassifierError(
            f"too few training images in: {rare}; cross-validation needs at least {min_count} "
            "of every class, so add images or leave the class out"
        )
    return classes, codes.astype(np.int64)
