"""The nearest class mean: a classifier for few samples per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import softmax

from classify.estimators.base import FeatureClassifier
from classify.estimators.groups import rows_of_groups, separable_groups
from classify.estimators.solvers.gram import exact_products
from classify.estimators.solvers.neighbours import unit_rows
from classify.estimators.solvers.probabilities import fit_temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Progress


class Centroid(FeatureClassifier):
    """Predict the class whose mean has the highest cosine similarity, if all are as frequent.

    It has no parameters to choose, so a few samples per class are enough. The probabilities take
    the frequency of the classes into account.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    centroids_ : ndarray of float32, shape (n_classes, n_features)
        Means of the samples, which are first scaled to unit norm, of each class; scaled likewise.
    temperature_ : float
        Factor on the cosines before the softmax.
    log_priors_ : ndarray of float64, shape (n_classes,)
        Logarithms of the classes' shares of the samples, which are added before the softmax.

    See Also
    --------
    Nearest : Needs more samples, but no class need be one compact cluster.

    Notes
    -----
    The probabilities come from temperature scaling (see
    `classify.estimators.solvers.probabilities`) of the cosines between each training sample and the
    means taken without it, or without its group. Means that are taken from the overall mean are no
    better: on the lesson's photographs and on the drawn shapes, both accuracy and log loss are
    worse.

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
        groups: NDArray[np.int64] | None,
        progress: Progress,  # noqa: ARG002 - it takes no time
    ) -> None:
        features = unit_rows(features)
        counts = np.bincount(codes)
        sums = np.stack([features[codes == code].sum(axis=0) for code in range(len(counts))])
        self.centroids_: NDArray[np.float32] = unit_rows(sums)
        self.log_priors_: NDArray[np.float64] = np.log(counts / counts.sum())
        cosines = (features @ self.centroids_.T).astype(np.float64)
        if groups is None:
            means_without = unit_rows(sums[codes] - features)
            cosines[np.arange(len(codes)), codes] = np.einsum("ij,ij->i", features, means_without)
        else:
            for rows in rows_of_groups(separable_groups(codes, groups)):
                own = features[rows]
                present, positions = np.unique(codes[rows], return_inverse=True)
                of_group = np.zeros((len(present), own.shape[1]), dtype=np.float32)
                np.add.at(of_group, positions, own)
                cosines[np.ix_(rows, present)] = own @ unit_rows(sums[present] - of_group).T
        equal = np.ones(len(counts))
        self.temperature_ = fit_temperature(cosines, codes, equal, self.log_priors_)

    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        cosines = exact_products(unit_rows(features), self.centroids_)
        scores = self.temperature_ * cosines + self.log_priors_
        probabilities: NDArray[np.float64] = softmax(scores, axis=1)
        return probabilities

    def upgrade(self) -> None:
        """Convert a model of an earlier version, for which all classes were as frequent."""
        if not hasattr(self, "log_priors_"):
            self.log_priors_ = np.zeros(len(self.classes_))
