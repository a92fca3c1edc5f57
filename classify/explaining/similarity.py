"""How much more an image looks like some training images than like others, as a weighted sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.solvers.gram import exact_products
from classify.estimators.solvers.neighbours import unit_rows
from classify.explaining.linear import LinearForm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.nearest import Nearest

_COPY = 1 - 1e-6
"""Cosine similarity from which a training image is the image itself, or a copy of it."""


def similarity_forms(
    estimator: Nearest, X: NDArray[np.float32], codes: NDArray[np.intp]
) -> LinearForm:
    """Return for each sample the weights of its features in its likeness to a class.

    The likeness is the mean cosine similarity to the k most similar training samples of the class,
    minus that to the k most similar of the other classes, in standard deviations of the
    similarities to all. The votes of neighbours change in steps, which no small change of a sample
    shows; the likeness is a sum over features. Training samples that are copies of the sample do
    not count.

    Parameters
    ----------
    estimator : Nearest
        Trained.
    X : ndarray of float32, shape (n, n_features)
    codes : ndarray of intp, shape (n,)
        The class for each sample, as a position in the estimator's classes.

    Returns
    -------
    LinearForm
        One row and an intercept of 0 for each sample.

    Examples
    --------
    >>> from classify.estimators.nearest import Nearest
    >>> model = Nearest(k=1).fit([[1.0, 0.2], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]], [0, 0, 1, 1])
    >>> X = np.array([[0.2, 2.0]], dtype=np.float32)
    >>> coef, intercept = similarity_forms(model, X, np.array([1]))
    >>> bool((X * coef).sum() > 0)
    True
    """
    samples = estimator.samples_
    units = unit_rows(X)
    cosines = exact_products(units, samples)
    coef = np.empty(X.shape)
    for row, (cosine, code) in enumerate(zip(cosines, codes, strict=True)):
        is_own = estimator.codes_ == code
        own, others = (
            samples[_most_similar(cosine, which, estimator.k_)].mean(axis=0, dtype=np.float64)
            for which in (is_own, ~is_own)
        )
        norm = np.linalg.norm(X[row].astype(np.float64))
        coef[row] = (own - others) / (norm or 1) / (cosine.std() or 1)
    return LinearForm(coef, np.zeros(len(X)))


def _most_similar(
    cosine: NDArray[np.float64], is_candidate: NDArray[np.bool_], number: int
) -> NDArray[np.intp]:
    """Return positions of the most similar candidates, without copies if there is anything else."""
    without_copies = np.flatnonzero(is_candidate & (cosine < _COPY))
    candidates = without_copies if len(without_copies) else np.flatnonzero(is_candidate)
    return candidates[np.argsort(-cosine[candidates], kind="stable")[:number]]
