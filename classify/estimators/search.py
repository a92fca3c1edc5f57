"""Choosing C (and the kernel) by cross-validation inside the training data."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold

from classify.errors import ClassifierError
from classify.parallel import each, in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from toolkit.progress import Progress

log = logging.getLogger(__name__)

# On VGG16's embeddings of the lesson's training images, scaled to unit mean squared norm, an SVM
# ceases to change below 0.005 (every image is a support vector at its bound) and above 15 (none
# is), and logistic regression gains nothing beyond 100. Near the top, a step of half a decade moves
# the cross-validated accuracy by less than its standard error.
C_GRID: tuple[float, ...] = tuple(10.0 ** (half / 2) for half in range(-6, 7))

# With so many samples an accuracy is known well enough from few folds, and what a large C costs
# in time is more than what it brings.
MANY = 10_000
FEW_FOLDS = 3
PATIENCE = 2


# One fold is the positions of the samples to train on, and of those to be judged by.
Fold = tuple["NDArray[np.intp]", "NDArray[np.intp]"]


SearchMethod = Literal["cross-validation", "leave-one-out", "hold-out"]


@dataclass(frozen=True)
class SearchPoint:
    """The scores of one combination of parameters.

    Attributes
    ----------
    params : dict
    mean : float
        Mean accuracy over the folds, in [0, 1].
    std : float
        Standard deviation of the accuracy over the folds; for leave-one-out, the standard error of
        the mean; 0 for a single held-out part.
    log_loss : float or None
        Over all held-out samples; None where it is not finite.
    """

    params: dict[str, Any]
    mean: float
    std: float
    log_loss: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """A search for the best parameters, made inside the training data.

    Attributes
    ----------
    folds : int
        Number of folds; for leave-one-out, the number of samples that were left out in turn; 1 for
        a single held-out part.
    scoring : str
        What `SearchPoint.mean` measures.
    points : list of SearchPoint
    chosen : dict
        Parameters of the best point.
    chosen_by : str
        The measure that decided.
    method : {"cross-validation", "leave-one-out", "hold-out"}
    """

    folds: int
    scoring: str
    points: list[SearchPoint]
    chosen: dict[str, Any]
    chosen_by: str = "log loss"
    method: SearchMethod = "cross-validation"


class SearchMixin:
    """Give an estimator that has a `search_` the attributes of scikit-learn's `GridSearchCV`."""

    search_method: ClassVar[SearchMethod] = "cross-validation"
    search_: SearchResult

    @property
    def best_params_(self) -> dict[str, Any]:
        """The chosen parameters."""
        return dict(self.search_.chosen)

    @property
    def cv_results_(self) -> dict[str, Any]:
        """The search as a dict of arrays, one entry per combination of parameters.

        The keys are those of scikit-learn's `GridSearchCV`: ``params``, ``param_<name>``,
        ``mean_test_score``, ``std_test_score`` and ``rank_test_score`` (accuracy), and
        ``mean_test_neg_log_loss`` and ``rank_test_neg_log_loss``. The log loss decides, not the
        accuracy, so the chosen parameters have the best rank by log loss.
        """
        points = self.search_.points
        losses = [np.inf if point.log_loss is None else point.log_loss for point in points]
        accuracies = np.array([point.mean for point in points])
        results: dict[str, Any] = {"params": [dict(point.params) for point in points]}
        for name in points[0].params:
            results[f"param_{name}"] = np.array([point.params[name] for point in points])
        return results | {
            "mean_test_score": accuracies,
            "std_test_score": np.array([point.std for point in points]),
            "rank_test_score": rankdata(-accuracies, method="min").astype(np.int32),
            "mean_test_neg_log_loss": -np.array(losses),
            "rank_test_neg_log_loss": rankdata(np.round(losses, 5), method="min").astype(np.int32),
        }


@dataclass(frozen=True)
class RegularisationPath:
    """Points of ascending C, each of which is trained most quickly after the one before it.

    Attributes
    ----------
    points : sequence of dict
        Parameters, each with a ``C``.
    score : callable
        Given the samples and the folds, yields for one point after another the class scores of
        every sample that is held out in one of the folds (the others' are not looked at), float64
        ``(n_samples, n_classes)``, by a model that has not seen it. It may be closed before the
        last.
    samples : object
        What is trained on; large.
    """

    points: Sequence[dict[str, Any]]
    score: Callable[[Any, Sequence[Fold]], Generator[NDArray[np.float64]]]
    samples: Any


@dataclass(frozen=True)
class Outcome:
    """What a cross-validated search found.

    Attributes
    ----------
    result : SearchResult
        Every point with its scores.
    chosen : dict
        The best point.
    scores : ndarray of float64, shape (n_samples, n_classes)
        The best point's class scores of every sample, each by a model that has not seen it.
    """

    result: SearchResult
    chosen: dict[str, Any]
    scores: NDArray[np.float64]


def c_grid(C: float | Sequence[float] | None) -> list[float]:
    """Return the values of C to try, ascending: `C_GRID`, one fixed value, or the given ones.

    Raises
    ------
    ClassifierError
        If a value is not a positive finite number, or there is none.

    Examples
    --------
    >>> c_grid(1), c_grid([10, 0.1])
    ([1.0], [0.1, 10.0])
    """
    values = sorted({float(value) for value in np.atleast_1d(C_GRID if C is None else C)})
    if not values or not all(0 < value < np.inf for value in values):
        raise ClassifierError(
            f"C must be a positive number or several of them, found {C!r}; "
            "leave it out to have it chosen by cross-validation"
        )
    return values


def class_scores(decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one column a class, whose softmax is the sigmoid of a binary `decision`.

    Examples
    --------
    >>> class_scores(np.array([3.0]))
    array([[-1.5,  1.5]])
    """
    if decision.ndim == 1:
        return np.stack([-decision / 2, decision / 2], axis=1)
    return decision


def log_loss(
    scores: NDArray[np.float64], codes: NDArray[np.int64], class_weights: NDArray[np.float64]
) -> float:
    """Return the mean negative log probability of the true classes, the softmax of `scores`.

    Each sample counts as much as `class_weights`, ``(n_classes,)``, has for its class.

    Examples
    --------
    >>> round(log_loss(np.array([[0.0, 0.0]]), np.array([1]), np.ones(2)), 4)
    0.6931
    """
    losses = -log_softmax(scores, axis=1)[np.arange(len(codes)), codes]
    return float(np.average(losses, weights=class_weights[codes]))


def cross_validate(
    paths: Sequence[RegularisationPath],
    codes: NDArray[np.int64],
    *,
    folds: int,
    seed: int | np.random.RandomState | None,
    progress: Progress,
    stage: str,
    loss: Callable[[NDArray[np.float64], NDArray[np.int64]], float],
) -> Outcome:
    """Score every point on stratified folds, and choose the one of least log loss.

    Accuracy counts a few dozen errors, and over a decade or two of C goes up and down by chance;
    the log loss weighs how sure every answer was, and has one minimum. Of equally good points the
    one with the smallest C (the strongest regularisation) is chosen, and of these the first listed.

    Of more than `MANY` samples there are at most `FEW_FOLDS` folds, and a path ends where
    `PATIENCE` values of C in a row were worse than an earlier one.

    Parameters
    ----------
    paths : sequence of RegularisationPath
    codes : ndarray of int64, shape (n_samples,)
        Position of the class of every sample; at least two samples a class.
    folds : int
        Fewer are made where a class has fewer samples than that.
    seed : int, RandomState or None
        Shuffles the samples before they are split.
    progress : Progress
        Told about every finished point.
    stage : str
        What `progress` calls the search.
    loss : callable
        Given the class scores of all samples, each by a model that has not seen it, and `codes`,
        returns their log loss.

    Raises
    ------
    ClassifierError
        If `folds` is less than two.
    """
    splits = _stratified_folds(codes, folds, seed)
    patience = PATIENCE if len(codes) > MANY else None
    total, passed = sum(len(path.points) for path in paths), 0
    progress(stage, 0, total)
    tried: list[tuple[float, SearchPoint, NDArray[np.float64]]] = []
    for path, scoring in zip(paths, _scored(paths, splits, len(codes)), strict=True):
        least, in_vain = np.inf, 0
        with closing(scoring) as scored:
            for done, (point, scores) in enumerate(zip(path.points, scored, strict=True), 1):
                found = loss(scores, codes)
                # Rounded, so that differences that mean nothing do not decide for a larger C.
                rounded = round(found, 5)
                tried.append((rounded, _judged(point, scores, codes, splits, found), scores))
                progress(stage, passed + done, total)
                in_vain = in_vain + 1 if rounded > least else 0
                least = min(least, rounded)
                if in_vain == patience:
                    log.info("%s: ended at C = %.4g, past the best", stage, point["C"])
                    progress(stage, passed + len(path.points), total)
                    break
        passed += len(path.points)
    _, best, scores = min(tried, key=lambda one: (one[0], one[1].params["C"]))
    result = SearchResult(
        folds=len(splits),
        scoring="accuracy",
        points=[point for _, point, _ in tried],
        chosen=dict(best.params),
    )
    return Outcome(result, dict(best.params), scores)


def _scored(
    paths: Sequence[RegularisationPath], splits: Sequence[Fold], n_samples: int
) -> Iterator[Generator[NDArray[np.float64]]]:
    """Return the scores of each path: all folds together here, or each fold as a task elsewhere.

    A task goes its path to the end; it cannot know that another fold has no patience left.
    """
    if in_this_process():
        for path in paths:
            yield path.score(path.samples, splits)
        return
    tasks = [(path.score, path.samples, split) for path in paths for split in splits]
    shared = {id(path.samples): path.samples for path in paths}
    held_out_scores = each(_of_one_fold, tasks, shared=list(shared.values()))
    for _ in paths:
        yield _joined([next(held_out_scores) for _ in splits], splits, n_samples)


def _of_one_fold(
    score: Callable[[Any, Sequence[Fold]], Generator[NDArray[np.float64]]],
    samples: Any,
    split: Fold,
) -> list[NDArray[np.float64]]:
    return [scores[split[1]] for scores in score(samples, [split])]


def _joined(
    folds: Sequence[Sequence[NDArray[np.float64]]], splits: Sequence[Fold], n_samples: int
) -> Generator[NDArray[np.float64]]:
    for parts in zip(*folds, strict=True):
        scores = np.empty((n_samples, parts[0].shape[1]))
        for (_, held_out), part in zip(splits, parts, strict=True):
            scores[held_out] = part
        yield scores


def _judged(
    point: dict[str, Any],
    scores: NDArray[np.float64],
    codes: NDArray[np.int64],
    splits: Sequence[Fold],
    loss: float,
) -> SearchPoint:
    """Return what the report says of a point: its accuracies over the folds, and its log loss."""
    right = scores.argmax(axis=1) == codes
    accuracies = np.array([right[held_out].mean() for _, held_out in splits])
    return SearchPoint(dict(point), float(accuracies.mean()), float(accuracies.std()), loss)


def _stratified_folds(
    codes: NDArray[np.int64], folds: int, seed: int | np.random.RandomState | None
) -> list[Fold]:
    """Fold into `folds` folds, or as few as there are many samples or few of a class."""
    if folds < 2:
        raise ClassifierError(f"cross-validation needs at least 2 folds, found {folds}")
    if len(codes) > MANY and folds > FEW_FOLDS:
        log.info("%d training images: %d folds instead of %d", len(codes), FEW_FOLDS, folds)
        folds = FEW_FOLDS
    smallest = int(np.bincount(codes).min())
    if smallest < folds:
        log.info(
            "the smallest class has %d training images: %d folds instead of %d",
            smallest,
            smallest,
            folds,
        )
    splitter = StratifiedKFold(min(folds, smallest), shuffle=True, random_state=seed)
    return list(splitter.split(codes, codes))
