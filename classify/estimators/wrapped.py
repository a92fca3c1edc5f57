"""Any scikit-learn classifier on frozen features, named by the user as ``module:Class``."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.errors import ClassifierError
from classify.estimators.base import Classifier
from classify.estimators.search import class_scores
from classify.estimators.solvers.gram import unit_scale
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress


class WrappedClassifier(Classifier):
    """A scikit-learn classifier on features of unit mean squared norm.

    Parameters
    ----------
    estimator : classifier
        Untrained.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    estimator_ : classifier
        Trained.
    scale_ : float
        What the features are multiplied with.
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @property
    def title(self) -> str:  # type: ignore[override]  # the others know it before they are made
        """The name of the class, or of the classes of a pipeline's steps."""
        steps = [step for _, step in getattr(self.estimator, "steps", [("", self.estimator)])]
        names = [type(step).__name__ for step in steps if not isinstance(step, str)]
        return f"{' + '.join(names)} on frozen features"

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Train a copy of the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Used as float32.
        y : array-like of shape (n_samples,)
        progress : Progress
            Told of the beginning and the end.
        """
        features, codes = self._take(X, y, at_least=1)
        self.scale_ = unit_scale(features)
        progress(f"{self.title}: training", 0, 1)
        self.estimator_ = clone(self.estimator).fit(
            features * np.float32(self.scale_), self.classes_[codes]
        )
        progress(f"{self.title}: training", 1, 1)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probability of every class, ``(n_samples, n_classes)``.

        Of a classifier without any it is the softmax of the decision values.
        """
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        features = features * np.float32(self.scale_)
        if hasattr(self.estimator_, "predict_proba"):
            found: NDArray[Any] = self.estimator_.predict_proba(features)
            return found
        scores: NDArray[Any] = softmax(
            class_scores(self.estimator_.decision_function(features)), axis=1
        )
        return scores


def wrap_estimator(name: str, seed: int) -> WrappedClassifier:
    """Create the classifier that a user has named as ``module:Class``.

    Parameters
    ----------
    name : str
        It is imported, so this must never be a name that was read from a file.
    seed : int
        Its `random_state`, if it has one.

    Raises
    ------
    ClassifierError
        If it cannot be imported, is not a scikit-learn classifier, or needs parameters.
    """
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ClassifierError(f"there is no classifier {name}: {error}") from error
    if not (inspect.isclass(cls) and issubclass(cls, BaseEstimator)):
        raise ClassifierError(f"{name} is not the class of a scikit-learn classifier")
    try:
        estimator: Any = cls()
    except TypeError as error:
        raise ClassifierError(f"{name} cannot be created without parameters: {error}") from error
    wrapped = WrappedClassifier(check_estimator(estimator, name))
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=seed)
    return wrapped


def check_estimator(estimator: Any, name: str) -> Any:
    """Return a scikit-learn classifier if it gives probabilities or decision values.

    Parameters
    ----------
    estimator : object
        An instance.
    name : str
        What a message calls it.

    Raises
    ------
    ClassifierError
        If it is something else.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> check_estimator(SVC(), "SVC")
    SVC()
    """
    if inspect.isclass(estimator):
        raise ClassifierError(
            f"{name} is a class, expected an instance; write {estimator.__name__}()"
        )
    if not isinstance(estimator, BaseEstimator) or not is_classifier(estimator):
        raise ClassifierError(
            f"{name} is not a classifier: expected an estimator of scikit-learn or of this "
            f"package, found {type(estimator).__name__}"
        )
    if not (hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")):
        raise ClassifierError(
            f"{name} has neither predict_proba nor decision_function, one of which is needed for "
            "probabilities; choose another classifier, or wrap it in CalibratedClassifierCV"
        )
    return estimator
