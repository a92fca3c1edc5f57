"""What all classifiers share: the interface that a run relies on, and the check of the labels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.errors import ClassifierError
from classify.estimators.solvers.gram import exact_products
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress


ClassWeight = Literal["balanced"] | dict[Any, float] | None


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn classifier that gives probabilities and says what it wants to be fed.

    Attributes
    ----------
    consumes : {"embeddings", "images", "activations"}
        `X` is float32 ``(n_samples, n_features)``, RGB uint8 ``(n_samples, size, size, 3)``, or
        what a layer further down in the base gives, flattened.
    title : str
        What a report calls it.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; the columns of `predict_proba`.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
    title: ClassVar[str]
    classes_: NDArray[Any]

    @abstractmethod
    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Train on `X` and the labels `y`, reporting to `progress`."""

    @abstractmethod
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``."""

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of every sample, ``(n_samples,)``."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def _class_weights(
        self, classes: NDArray[Any], codes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what one sample of each class counts in the training, ``(n_classes,)``."""
        return class_weights(self.get_params()["class_weight"], classes, codes)

    def _take(
        self, X: ArrayLike, y: ArrayLike, at_least: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Check embeddings and labels, note the classes, and return features and class codes."""
        features, labels = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(labels)
        self.classes_, codes = encode_labels(labels, at_least)
        return features, codes


class Linear(Classifier):
    """A classifier whose decision values are linear in the features.

    Attributes
    ----------
    coef_ : ndarray of float32, shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of float64, shape (1,) or (n_classes,)
    """

    coef_: NDArray[np.float32]
    intercept_: NDArray[np.float64]

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the decision values, ``(n_samples,)`` for two classes, else one a class."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        scores = exact_products(features, self.coef_) + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores


def class_weights(
    class_weight: ClassWeight, classes: NDArray[Any], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what one sample of each class counts, ``(n_classes,)``.

    Parameters
    ----------
    class_weight : {"balanced", None} or dict
        As in scikit-learn: all classes count the same whatever their number of samples, all samples
        do, or each sample counts what its class has here.
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int64, shape (n_samples,)
        Position of the class of every sample; every class has some.

    Raises
    ------
    ClassifierError
        If `class_weight` is something else.

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
        raise ClassifierError(f"class_weight cannot be {class_weight!r}: {error}") from error
    return weights


def encode_labels(y: ArrayLike, at_least: int = 1) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes, and for every label the position of its class among them.

    Raises
    ------
    ClassifierError
        If there are fewer than two classes, or a class has fewer than `at_least` samples.

    Examples
    --------
    >>> encode_labels(["dogs", "cats", "dogs"])[1].tolist()
    [1, 0, 1]
    """
    classes, codes = np.unique(np.asarray(y), return_inverse=True)
    if len(classes) < 2:
        found = f"one class ({classes[0]!s})" if len(classes) else "none"
        raise ClassifierError(
            f"a classifier needs at least two classes to tell apart, found {found}; "
            "add images of another class to the training split"
        )
    counts = np.bincount(codes)
    if counts.min() < at_least:
        rare = ", ".join(str(label) for label in classes[counts < at_least])
        raise ClassifierError(
            f"too few training images in: {rare}; cross-validation needs at least {at_least} "
            "of every class, so add images or leave the class out"
        )
    return classes, codes.astype(np.int64)
