"""Whether probabilities are true: of unbalanced classes, and of an SVM of many classes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from classify.estimators.logreg import LogReg
from classify.estimators.svm import SVM

UNSEEN = 20_000
DISTANCE = 2.4
"""Between the means of two classes, in standard deviations."""
ROWS, N_FEATURES = 20, 128
SVC_GRID = {"C": [0.1, 1.0, 10.0, 100.0, 1000.0], "kernel": ["linear", "rbf"]}
"""What scikit-learn's search chooses from."""


@dataclass(frozen=True)
class Rare:
    """What a classifier says of a class that one sample in ten is of, on unseen samples.

    `confidence` is the mean probability of its answers "rare", and `precision` the share of these
    that are right; `mean` is the mean probability of the class over all samples.
    """

    confidence: float
    precision: float
    mean: float
    accuracy: float


def of_a_rare_class(n_draws: int, n_samples: int = 1000, seed: int = 0) -> Rare:
    """Train logistic regression on classes of nine to one, and average over the draws."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_draws):
        X, codes = _two_classes(rng, n_samples)
        unseen, truth = _two_classes(rng, UNSEEN)
        given = LogReg().fit(X, codes).predict_proba(unseen)[:, 1]
        rare = given > 0.5
        correct = rare == (truth == 1)
        found.append([given[rare].mean(), correct[rare].mean(), given.mean(), correct.mean()])
    return Rare(*np.mean(found, axis=0).tolist())


def _two_classes(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    codes = (rng.random(number) < 0.1).astype(int)
    X = rng.normal(size=(number, 20)).astype(np.float32)
    X[:, 0] += DISTANCE * codes
    return X, codes


@dataclass(frozen=True)
class Losses:
    """Log losses of our SVM and of scikit-learn's calibrated `SVC`, one in each draw.

    `coupled` is `SVC(probability=True)`, which couples the sigmoids of all pairs; `sigmoid` is
    `CalibratedClassifierCV(SVC)`. Each of them has the C and the kernel with the lowest log loss of
    its own probabilities in cross-validation, on the same scaled features as ours.
    """

    ours: list[float]
    coupled: list[float]
    sigmoid: list[float]


def losses_of_svms(n_classes: int, n_draws: int, seed: int = 0) -> Losses:
    """Train on drawn clusters, and measure the log losses on unseen samples."""
    rng = np.random.default_rng(seed)
    ours, coupled, sigmoid = [], [], []
    for _ in range(n_draws):
        centres = rng.normal(size=(n_classes, N_FEATURES)) * 0.35
        X, codes = _clusters(rng, centres, max(ROWS * n_classes, 200))
        unseen, truth = _clusters(rng, centres, 4000)
        model = SVM().fit(X, codes)
        ours.append(log_loss(truth, model.predict_proba(unseen)))
        scaled, unseen_scaled = X * model.scale_, unseen * model.scale_
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            for found, svc, prefix in (
                (coupled, SVC(probability=True, random_state=0), ""),
                (sigmoid, CalibratedClassifierCV(SVC()), "estimator__"),
            ):
                grid = {f"{prefix}{name}": values for name, values in SVC_GRID.items()}
                search = GridSearchCV(svc, grid, scoring="neg_log_loss", n_jobs=-1)
                search.fit(scaled, codes)
                found.append(log_loss(truth, search.predict_proba(unseen_scaled)))
    return Losses(ours, coupled, sigmoid)


def _clusters(
    rng: np.random.Generator, centres: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    codes = np.arange(number) % len(centres)
    X = centres[codes] + rng.normal(size=(number, centres.shape[1]))
    return X.astype(np.float32), codes
