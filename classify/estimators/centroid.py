"""The nearest class mean on frozen features: a classifier for a handful of images per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted, validate_data

from classify.estimators.base import Classifier
from classify.estimators.solvers.gram import exact_products
from classify.estimators.solvers.neighbours import unit_rows
from classify.estimators.solvers.temperature import temperature
from toolkit.progress import silent

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from toolkit.progress import Progress


class Centroid(Classifier):
    """Answers with the class whose mean image points in the most similar direction.

    Nothing is searched for, so that very few images per class are enough, and all classes count the
    same whatever their number of images.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    centroids_ : ndarray of float32, shape (n_classes, n_features)
        Mean of each class's images, every image and then every mean scaled to norm one.
    temperature_ : float
        Factor on the cosines before the softmax.

    Notes
    -----
    The probabilities come from temperature scaling
    (see `classify.estimators.solvers.temperature`) of the cosines
    between each training image and the means that are taken without it.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> Centroid().fit(X, ["right", "right", "up", "up"]).predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "embeddings"
    title: ClassVar[str] = "Nearest class mean on frozen features"

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:  # noqa: ARG002 - it takes no time
        """Take the means of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Used as float32.
        y : array-like of shape (n_samples,)
        progress : Progress
            Not told of anything.

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, or fewer than two samples in one of them.
        """
        features, codes = self._take(X, y, at_least=2)
        features = unit_rows(features)
        counts = np.bincount(codes)
        sums = np.stack([features[codes == code].sum(axis=0) for code in range(len(counts))])
        self.centroids_: NDArray[np.float32] = unit_rows(sums)
        scores = (features @ self.centroids_.T).astype(np.float64)
        without = unit_rows(sums[codes] - features)
        scores[np.arange(len(codes)), codes] = np.einsum("ij,ij->i", features, without)
        self.temperature_ = temperature(scores, codes, len(codes) / (len(counts) * counts))
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of every class, float64 ``(n_samples, n_classes)``."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        cosines = exact_products(unit_rows(features), self.centroids_)
        probabilities: NDArray[np.float64] = softmax(self.temperature_ * cosines, axis=1)
        return probabilities
