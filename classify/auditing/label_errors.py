"""How many labels are wrong, and which ones.

Every label is judged by a model that did not see it. The judgement has two steps, which are
repeated with corrected targets: a ridge regression gives every sample a score for each class, and a
mixture with a noise matrix says how probable each class is, given the score and the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln, logsumexp, softmax

from classify.errors import ClassifierError
from classify.estimators.base import encode_labels
from classify.estimators.groups import encode_groups, rows_of_groups, separable_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PENALTIES = np.logspace(-4, 2, 19)
"""Penalties that are tried, as multiples of the mean variance of a sample."""
DEGREES = (4.0, 8.0, 16.0, 64.0, 1024.0)
"""Degrees of freedom that are tried: how often scores are far from their class."""
ROUNDS = 2
"""How often the model is trained: first on the labels, then on the corrected targets."""
PRIOR_SAMPLES = 5.0
"""Samples of every class that are assumed to be mislabelled evenly, at the rate of all classes."""
FIRST_RATE = 0.05
"""Share of wrong labels from which the search starts."""
STEPS, TOLERANCE = 100, 1e-6
"""Largest number of steps of the search, and the gain per sample at which it ends."""
NEGLIGIBLE = 1e-9
"""A direction with a smaller share of the largest variance is a rounding error."""
AT_ONCE = 2**24
"""Numbers in memory together while groups are left out: 128 MB."""


@dataclass(frozen=True)
class LabelErrors:
    """What is known about labels.

    Attributes
    ----------
    wrong : ndarray of float64, shape (n_samples,)
        Probability that the label is wrong. Their sum estimates the number of wrong labels.
    likely : ndarray of int64, shape (n_samples,)
        The most probable class that is not the label.
    by_features : ndarray of float64, shape (n_samples, 2)
        Probability of the label's class and of that class, without regard to the label.
    doubtful : ndarray of bool, shape (n_samples,)
        Whether the second is more probable than the first.
    """

    wrong: Floats
    likely: NDArray[np.int64]
    by_features: Floats
    doubtful: NDArray[np.bool_]

    @property
    def number(self) -> int:
        """The estimated number of wrong labels."""
        return round(float(self.wrong.sum()))

    def first(self) -> NDArray[np.intp]:
        """Return the positions of the `number` most suspect samples, the most suspect first."""
        return np.argsort(-self.wrong, kind="stable")[: self.number]


def find_label_errors(
    X: ArrayLike,
    y: ArrayLike,
    X_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    groups_test: ArrayLike | None = None,
) -> tuple[LabelErrors, LabelErrors | None]:
    """Estimate which labels are wrong.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features of the training split.
    y : array-like of shape (n_samples,)
        Their labels. Each is judged by a model of all other samples, or of all other groups.
    X_test, y_test : array-like, optional
        Test split, with labels that occur in `y`. It is judged by the model of the training split,
        and has no influence on what is said about `y`.
    groups, groups_test : array-like, optional
        Groups of the training and of the test samples: any hashable values. The model that judges a
        sample was not trained on its group. A class that is in one group only is an exception: its
        samples are left out one by one.

    Returns
    -------
    tuple of LabelErrors
        Of the training split, and of the test split, or None without one.

    Raises
    ------
    ClassifierError
        If all samples have the same features.

    Notes
    -----
    The scores are those of a ridge regression onto the classes, left out one at a time [1]_, or a
    group at a time: the residuals of a group without it are ``inv(I - H) @ r``, with its residuals
    `r` and its part `H` of the hat matrix. The
    scores of a class have a multivariate t distribution around its mean, with the same covariance
    in all classes. The labels are the classes seen through a noise matrix, as in confident
    learning [2]_, which counts the noise instead; here both are fitted together by expectation
    maximisation. A label is therefore wrong where another class is more probable, after it was
    taken into account how much the classes overlap. The number of degrees of freedom is the one
    with the highest likelihood. Then the regression is trained again on the probabilities of the
    classes, as wrong labels mislead it.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning, 2nd ed.
       (2009), section 7.10.
    .. [2] C. Northcutt, L. Jiang and I. Chuang, Confident Learning: Estimating Uncertainty in
       Dataset Labels, JAIR 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> X = rng.normal(size=(200, 8)) + 5 * y[:, None]
    >>> y[[3, 14]] = 1 - y[[3, 14]]
    >>> errors, _ = find_label_errors(X, y)
    >>> errors.number, sorted(errors.first().tolist())
    (2, [3, 14])
    """
    classes, codes = encode_labels(y)
    ridge = _Ridge(np.asarray(X))
    of_train, of_test = _split_groups(groups, groups_test, len(codes))
    separable = None if of_train is None else separable_groups(codes, of_train)
    targets = np.eye(len(classes))[codes]
    degrees: tuple[float, ...] = DEGREES
    for _ in range(ROUNDS):
        scores, penalty = ridge.leave_one_out(targets, separable)
        fits = [_Mixture.fit(scores, codes, targets, number) for number in degrees]
        best = max(fits, key=lambda mixture: mixture.log_likelihood)
        trained_on, targets, degrees = targets, best.posterior(scores, codes), (best.degrees,)
    errors = best.judge(scores, codes)
    if X_test is None or y_test is None:
        return errors, None
    test_codes = np.searchsorted(classes, np.asarray(y_test))
    test_scores = ridge.predict(np.asarray(X_test), trained_on, penalty)
    if of_train is not None and of_test is not None and separable is not None:
        alone = np.bincount(separable)[separable] < np.bincount(of_train)[of_train]
        for group in np.intersect1d(of_test, of_train[~alone]):
            rows, own = np.flatnonzero((of_train == group) & ~alone), of_test == group
            change = (scores - trained_on)[rows]
            test_scores[own] += ridge.hat(np.asarray(X_test)[own], rows, penalty) @ change
    return errors, best.judge(test_scores, test_codes)


def _split_groups(
    groups: ArrayLike | None, groups_test: ArrayLike | None, n_train: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return the groups of both splits as numbers, the same number for the same group."""
    if groups is None:
        return None, None
    of_test = [] if groups_test is None else list(groups_test)  # type: ignore[arg-type]
    everything = [*groups, *of_test]  # type: ignore[misc]
    codes = encode_groups(everything, n_train + len(of_test))
    return (None, None) if codes is None else (codes[:n_train], codes[n_train:])


class _Ridge:
    """Ridge regression with an intercept onto any targets, from one decomposition.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    """

    def __init__(self, X: NDArray[Any]) -> None:
        self._mean = X.mean(axis=0, dtype=np.float64)
        self._X = X - self._mean.astype(X.dtype)
        wide = X.shape[0] <= X.shape[1]
        products = self._X @ self._X.T if wide else self._X.T @ self._X
        values, vectors = np.linalg.eigh(products.astype(np.float64))
        keep = values > max(NEGLIGIBLE * values[-1], np.finfo(float).tiny)
        if not keep.any():
            raise ClassifierError(
                "all training images have the same features, so their labels cannot be judged; "
                "check that the images differ and that the backbone's weights are right"
            )
        self._variances, vectors = values[keep], vectors[:, keep]
        self._directions = (
            vectors if wide else (self._X @ vectors) / np.sqrt(self._variances)
        )  # orthonormal columns, one row for each sample
        self._unit = float(self._variances.sum()) / len(X)

    def leave_one_out(
        self, targets: Floats, groups: NDArray[np.int64] | None = None
    ) -> tuple[Floats, float]:
        """Return the scores of all samples, each without itself or its group, and the penalty.

        It is the penalty with the smallest sum of squared errors of these scores.
        """
        along = self._directions.T @ targets
        squares = self._directions**2
        mean = targets.mean(axis=0)
        best: tuple[float, Floats, float] | None = None
        for multiple in PENALTIES:
            penalty = float(multiple) * self._unit
            shrink = self._variances / (self._variances + penalty)
            fitted = self._directions @ (shrink[:, None] * along) + mean
            if groups is None:
                leverage = (squares @ shrink + 1 / len(targets))[:, None]
                scores = (fitted - leverage * targets) / np.maximum(1 - leverage, NEGLIGIBLE)
            else:
                scores = targets - self._residuals(targets - fitted, shrink, groups)
            error = float(((scores - targets) ** 2).sum())
            if best is None or error < best[0]:
                best = error, scores, penalty
        assert best is not None
        return best[1], best[2]

    def _residuals(self, residuals: Floats, shrink: Floats, groups: NDArray[np.int64]) -> Floats:
        """Return what the residuals of each group are by a model without the group."""
        found = np.empty_like(residuals)
        intercept = 1 / np.sqrt(len(residuals))
        roots = np.sqrt(shrink)
        for rows in _of_equal_size(groups, len(shrink)):
            factor = np.concatenate(
                [self._directions[rows] * roots, np.full((*rows.shape, 1), intercept)], axis=2
            )  # times its transpose, it is the group's part of the hat matrix
            transposed = factor.transpose(0, 2, 1)
            if factor.shape[1] <= factor.shape[2]:
                found[rows] = _solve(factor @ transposed, residuals[rows])
            else:  # Woodbury's identity
                inner = _solve(transposed @ factor, transposed @ residuals[rows])
                found[rows] = residuals[rows] + factor @ inner
        return found

    def hat(self, X: NDArray[Any], rows: NDArray[np.intp], penalty: float) -> Floats:
        """Return how the scores of other samples depend on the targets of some training samples.

        The shape is ``(len(X), len(rows))``.
        """
        centred = X - self._mean.astype(X.dtype)
        along = (centred @ self._X.T) @ self._directions / (self._variances + penalty)
        weights: Floats = along @ self._directions[rows].T + 1 / len(self._X)
        return weights

    def predict(self, X: NDArray[Any], targets: Floats, penalty: float) -> Floats:
        """Return the scores of other samples by the model of all samples with these targets."""
        along = (self._directions.T @ targets) / (self._variances + penalty)[:, None]
        coef = self._X.T @ (self._directions @ along)
        centred = X - self._mean.astype(X.dtype)
        scores: Floats = centred @ coef + targets.mean(axis=0)
        return scores


def _of_equal_size(groups: NDArray[np.int64], n_features: int) -> Iterator[NDArray[np.intp]]:
    """Yield the positions of the samples of groups, ``(n_groups, size)``, in blocks."""
    of_group = rows_of_groups(groups)
    sizes = np.array([len(rows) for rows in of_group])
    for size in np.unique(sizes):
        rows = np.stack([of_group[group] for group in np.flatnonzero(sizes == size)])
        at_once = max(1, AT_ONCE // (size * (n_features + size)))
        yield from (rows[start : start + at_once] for start in range(0, len(rows), at_once))


def _solve(hat: Floats, residuals: Floats) -> Floats:
    """Return ``inv(I - hat) @ residuals`` for stacked matrices."""
    identity = (1 + NEGLIGIBLE) * np.eye(hat.shape[-1])
    return np.asarray(np.linalg.solve(identity - hat, residuals), dtype=np.float64)


@dataclass(frozen=True)
class _Mixture:
    """Scores of each class around its mean, and the probability of each label in each class.

    Attributes
    ----------
    means : ndarray of shape (n_classes, n_classes - 1)
        The scores of all classes add up to 1, so the last one is left out.
    root : ndarray of shape (n_classes - 1, n_classes - 1)
        Cholesky factor of the common scale matrix.
    shares : ndarray of shape (n_classes,)
    noise : ndarray of shape (n_classes, n_classes)
        Row: true class; column: label.
    """

    means: Floats
    root: Floats
    shares: Floats
    noise: Floats
    degrees: float
    log_likelihood: float = -np.inf

    @classmethod
    def fit(
        cls, scores: Floats, codes: NDArray[np.int64], targets: Floats, degrees: float
    ) -> _Mixture:
        """Fit by expectation maximisation, from the classes' probabilities `targets`."""
        n_samples, n_classes = targets.shape
        kept = scores[:, : n_classes - 1]
        given = np.eye(n_classes)[codes]
        anchors = (given.T @ kept) / given.sum(axis=0)[:, None]
        noise = _even_noise(FIRST_RATE, n_classes)
        posterior, weights = targets, np.ones(n_samples)
        before, mixture = -np.inf, None
        for _ in range(STEPS):
            weighted = posterior * weights[:, None]
            # One sample at the mean of the label, so that no class vanishes.
            sizes = weighted.sum(axis=0)
            means = (weighted.T @ kept + anchors) / (sizes + 1)[:, None]
            spread = (kept * weighted.sum(axis=1)[:, None]).T @ kept
            cross = (weighted.T @ kept).T @ means
            spread += (means * sizes[:, None]).T @ means - cross - cross.T
            ridge = NEGLIGIBLE + 1e-6 * float(kept.var())
            root = np.linalg.cholesky(spread / n_samples + ridge * np.eye(n_classes - 1))
            shares = (posterior.sum(axis=0) + 1) / (n_samples + n_classes)
            mixture = cls(means, root, shares, noise, degrees)
            joint, distances = mixture._log_joint(scores, codes)
            evidence = logsumexp(joint, axis=1)
            posterior = np.exp(joint - evidence[:, None])
            n_features = n_classes - 1
            weights = (posterior * (degrees + n_features) / (degrees + distances)).sum(axis=1)
            noise = _noise(posterior.T @ given)
            after = float(evidence.sum())
            if after - before < TOLERANCE * n_samples:
                break
            before = after
        assert mixture is not None
        return cls(means, root, shares, noise, degrees, after)

    def posterior(self, scores: Floats, codes: NDArray[np.int64]) -> Floats:
        """Return the probability of every class, given the scores and the labels."""
        joint, _ = self._log_joint(scores, codes)
        return np.asarray(softmax(joint, axis=1))

    def judge(self, scores: Floats, codes: NDArray[np.int64]) -> LabelErrors:
        """Return how probable it is that each label is wrong, and which class is likely instead."""
        rows = np.arange(len(codes))
        right = self.posterior(scores, codes)[rows, codes]
        log_density, _ = self._log_density(scores)
        by_features = softmax(log_density, axis=1)
        of_label = log_density[rows, codes]
        log_density[rows, codes] = -np.inf
        likely = log_density.argmax(axis=1)
        return LabelErrors(
            wrong=1 - right,
            likely=likely,
            by_features=np.stack([by_features[rows, codes], by_features[rows, likely]], axis=1),
            doubtful=log_density[rows, likely] > of_label,
        )

    def _log_joint(self, scores: Floats, codes: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the log density of every class with the score and the label; the distances."""
        log_density, distances = self._log_density(scores)
        return log_density + np.log(self.noise[:, codes].T), distances

    def _log_density(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return the log density of every class with the score, and the squared distances."""
        n_features = len(self.root)
        white = np.linalg.solve(self.root, scores[:, :n_features].T).T
        centres = np.linalg.solve(self.root, self.means.T).T
        distances = (white**2).sum(axis=1)[:, None] - 2 * white @ centres.T
        distances = np.maximum(distances + (centres**2).sum(axis=1), 0)
        half = (self.degrees + n_features) / 2
        constant = gammaln(half) - gammaln(self.degrees / 2)
        constant -= n_features / 2 * np.log(self.degrees * np.pi)
        constant -= np.log(np.diag(self.root)).sum()
        log_density = np.log(self.shares) + constant - half * np.log1p(distances / self.degrees)
        return log_density, distances


def _even_noise(rate: float, n_classes: int) -> Floats:
    noise = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(noise, 1 - rate)
    return noise


def _noise(counts: Floats) -> Floats:
    """Return the noise matrix for expected numbers of samples by class and label.

    Classes with few samples are drawn towards the rate of all classes.
    """
    rate = max(1 - float(np.trace(counts)) / float(counts.sum()), np.finfo(float).tiny)
    noise = counts + PRIOR_SAMPLES * _even_noise(rate, len(counts))
    smallest = np.finfo(float).tiny
    kept: Floats = np.maximum(noise / noise.sum(axis=1, keepdims=True), smallest)
    return kept
