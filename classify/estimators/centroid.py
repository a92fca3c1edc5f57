"""The nearest class mean: a classifier for few samples per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import softmax

from classify.estimators.base import FeatureClassifier
from classify.estimators.solvers.gram import exact_products
from classify.estimators.solvers.neighbours import unit_rows
from classify.estimators.solvers.probabilities import fit_temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Progress


class Centroid(FeatureClassifier):
    """Predict the class whose mean has the highest cosine similarity, seen from the overall mean.

    It has no parameters to choose, so a few samples per class are enough. All classes have the same
    weight, whatever their number of samples.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    mean_ : ndarray of float32, shape (n_features,)
        Mean of the classes' means; every sample is first scaled to unit norm.
    centroids_ : ndarray of float32, shape (n_classes, n_features)
        Directions of the classes' means from `mean_`, scaled to unit norm.
    temperature_ : float
        Factor on the cosines before the softmax.

    See Also
    --------
    Nearest : Needs more samples, but no class need be one compact cluster.

    Notes
    -----
    The probabilities come from temperature scaling (see
    `classify.estimators.solvers.probabilities`) of the cosines between each training sample and the
    means taken without it.

    Examples
    --------
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> Centroid().fit(X, ["right", "right", "up", "up"]).predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    title: ClassVar[str] = "Nearest class mean on frozen features"
    min_class_size: ClassVar[int] = 1

    def _fit(
        self,
        features: NDArray[np.float32],
        codes: NDArray[np.int64],
        progress: Progress,  # noqa: ARG002 - it takes no time
    ) -> None:
        features = unit_rows(features)
        counts = np.bincount(codes)
        sums = np.stack([features[codes == code].sum(axis=0) for code in range(len(counts))])
        self.mean_: NDArray[np.float32] = (sums / counts[:, None]).mean(axis=0).astype(np.float32)
        features = unit_rows(features - self.mean_)
        sums = np.stack([features[codes == code].sum(axis=0) for code in range(len(counts))])
        self.centroids_: NDArray[np.float32] = unit_rows(sums)
        cosines = (features @ self.centroids_.T).astype(np.float64)
        means_without = unit_rows(sums[codes] - features)
        own = np.einsum("ij,ij->i", features, means_without)
        cosines[np.arange(len(codes)), codes] = own
        class_weights = len(codes) / (len(counts) * counts)
        self.temperature_ = fit_temperature(cosines, codes, class_weights)

    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        directions = unit_rows(unit_rows(features) - self.mean_)
        cosines = exact_products(directions, self.centroids_)
        probabilities: NDArray[np.float64] = softmax(self.temperature_ * cosines, axis=1)
        return probabilities

    def upgrade(self) -> None:
        """Convert a model of an earlier version, which took the cosines from the origin."""
        if not hasattr(self, "mean_"):
            self.mean_ = np.zeros(self.n_features_in_, dtype=np.float32)
