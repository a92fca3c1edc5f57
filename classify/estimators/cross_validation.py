"""Choosing parameters by cross-validation within the training samples."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state

from classify.errors import ClassifierError
from classify.estimators.groups import (
    deal_groups,
    divided_classes,
    draw_groups,
    separable_groups,
)
from classify.estimators.search import SearchPoint, SearchResult
from classify.parallel import in_this_process, parallel_starmap
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from toolkit.progress import Progress

log = logging.getLogger(__name__)

# With more samples, few folds measure the accuracy well enough, and the largest values of C, which
# take longest, are skipped: they gain less than they cost.
MANY = 10_000
FEW_FOLDS = 3
PATIENCE = 2

# Positions of the samples to train on, and of those that are held out.
Fold = tuple["NDArray[np.intp]", "NDArray[np.intp]"]


class PathStep(NamedTuple):
    """The models of one point of a regularisation path, one per fold.

    Attributes
    ----------
    scores : ndarray of float64, shape (n_samples, n_classes)
        Class scores of every sample, each by the model of the fold that holds it out; rows that no
        fold holds out are undefined.
    solution : object, optional
        Where the training on all samples may start.
    """

    scores: NDArray[np.float64]
    solution: Any = None


@dataclass(frozen=True)
class RegularisationPath:
    """Points of ascending C, trained in this order because each is near the one before it.

    Attributes
    ----------
    points : sequence of dict
        Parameters, each with a ``C``.
    score : callable
        Takes `samples` and folds, and yields a `PathStep` for one point after the other. It may be
        closed before the last point.
    samples : object
        What is trained on; large.
    """

    points: Sequence[dict[str, Any]]
    score: Callable[[Any, Sequence[Fold]], Generator[PathStep]]
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
        The best point's class scores of every sample, each by a model that was not trained on it.
    solution : object
        The best point's `PathStep.solution`; None if the folds were trained in other processes.
    divided : ndarray of int64
        Classes with samples of one group in several folds; see `stratified_folds`.
    """

    result: SearchResult
    chosen: dict[str, Any]
    scores: NDArray[np.float64]
    solution: Any
    divided: NDArray[np.int64]


def cross_validate(
    paths: Sequence[RegularisationPath],
    codes: NDArray[np.int64],
    *,
    folds: int,
    seed: int | np.random.RandomState | None,
    progress: Progress,
    stage: str,
    loss: Callable[[NDArray[np.float64], NDArray[np.int64]], float],
    groups: NDArray[np.int64] | None = None,
) -> Outcome:
    """Score every point on stratified folds, and choose the one with the lowest log loss.

    The accuracy counts a few dozen errors and fluctuates over a decade or two of C. The log loss
    takes the probabilities into account and has one minimum. Of equally good points, the one with
    the smallest C (the strongest regularisation) is chosen, and of these the first listed.

    With more than `MANY` samples there are at most `FEW_FOLDS` folds, and a path ends after
    `PATIENCE` values of C in a row that were worse than an earlier one.

    Parameters
    ----------
    paths : sequence of RegularisationPath
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample; every class has at least two.
    folds : int
        Number of folds.
    seed : int, RandomState or None
        Shuffles the samples before they are split.
    progress : Progress
        Called after every point.
    stage : str
        Passed to `progress`, and the phase of the training.
    loss : callable
        Takes class scores of held-out samples and their `codes`, and returns the log loss.
    groups : ndarray of int64, shape (n_samples,), optional
        Groups that are held out as a whole; see `stratified_folds`.

    Raises
    ------
    ClassifierError
        If `folds` is less than two.
    """
    splits = search_folds(codes, folds, seed, groups)
    total, finished = sum(len(path.points) for path in paths), 0
    progress(stage, 0, total)
    points: list[SearchPoint] = []
    best: tuple[float, SearchPoint, PathStep] | None = None
    for path, steps in zip(paths, _path_steps(paths, splits, len(codes)), strict=True):
        lowest, worse_in_a_row = np.inf, 0
        with closing(steps), phase(stage):
            for done, (point, step) in enumerate(zip(path.points, steps, strict=True), 1):
                found = loss(step.scores, codes)
                # Rounded, so that a negligible difference does not favour a larger C.
                rounded = round(found, 5)
                points.append(_search_point(point, step, codes, splits, found))
                # The scores of the other points are not kept: they may be large.
                if best is None or (rounded, point["C"]) < (best[0], best[1].params["C"]):
                    best = rounded, points[-1], step
                progress(stage, finished + done, total)
                worse_in_a_row = worse_in_a_row + 1 if rounded > lowest else 0
                lowest = min(lowest, rounded)
                if len(codes) > MANY and worse_in_a_row == PATIENCE:
                    log.info("%s: ended at C = %.4g, past the best", stage, point["C"])
                    progress(stage, finished + len(path.points), total)
                    break
        finished += len(path.points)
    if best is None:
        raise ValueError("there are no points to choose from")
    _, chosen, step = best
    result = SearchResult(
        folds=len(splits), scoring="accuracy", points=points, chosen=dict(chosen.params)
    )
    divided = divided_classes(codes, groups, fold_numbers(splits))
    return Outcome(result, dict(chosen.params), step.scores, step.solution, divided)


def _path_steps(
    paths: Sequence[RegularisationPath], splits: Sequence[Fold], n_samples: int
) -> Iterator[Generator[PathStep]]:
    """Return the steps of each path: all folds together here, or each fold as a task elsewhere.

    A task always trains its whole path; it does not know that other folds ran out of patience.
    """
    if in_this_process():
        for path in paths:
            yield path.score(path.samples, splits)
        return
    tasks = [(path.score, path.samples, split) for path in paths for split in splits]
    shared = {id(path.samples): path.samples for path in paths}
    # Closed here, not by a finalizer, in which Ctrl-C would be lost.
    with closing(
        parallel_starmap(_score_fold, tasks, shared=list(shared.values()))
    ) as held_out_scores:
        for _ in paths:
            yield _joined([next(held_out_scores) for _ in splits], splits, n_samples)


def _score_fold(
    score: Callable[[Any, Sequence[Fold]], Generator[PathStep]], samples: Any, split: Fold
) -> list[NDArray[np.float64]]:
    return [step.scores[split[1]] for step in score(samples, [split])]


def _joined(
    folds: Sequence[Sequence[NDArray[np.float64]]], splits: Sequence[Fold], n_samples: int
) -> Generator[PathStep]:
    for parts in zip(*folds, strict=True):
        scores = np.empty((n_samples, parts[0].shape[1]))
        for (_, held_out), part in zip(splits, parts, strict=True):
            scores[held_out] = part
        yield PathStep(scores)


def _search_point(
    params: dict[str, Any],
    step: PathStep,
    codes: NDArray[np.int64],
    splits: Sequence[Fold],
    loss: float,
) -> SearchPoint:
    correct = step.scores.argmax(axis=1) == codes
    accuracies = np.array([correct[held_out].mean() for _, held_out in splits])
    return SearchPoint(dict(params), float(accuracies.mean()), float(accuracies.std()), loss)


def search_folds(
    codes: NDArray[np.int64],
    folds: int,
    seed: int | np.random.RandomState | None,
    groups: NDArray[np.int64] | None = None,
) -> list[Fold]:
    """Return `stratified_folds`, as many as `number_of_folds` says."""
    number = number_of_folds(len(codes), folds)
    if number < folds:
        log.info("%d training images: %d folds instead of %d", len(codes), number, folds)
    return stratified_folds(codes, number, seed, groups)


def number_of_folds(n_samples: int, folds: int) -> int:
    """Return how many folds a search has: at most `FEW_FOLDS` for more than `MANY` samples.

    Examples
    --------
    >>> number_of_folds(2000, 5), number_of_folds(20_000, 5), number_of_folds(20_000, 2)
    (5, 3, 2)
    """
    return min(folds, FEW_FOLDS) if n_samples > MANY else folds


def stratified_folds(
    codes: NDArray[np.int64],
    folds: int,
    seed: int | np.random.RandomState | None,
    groups: NDArray[np.int64] | None = None,
) -> list[Fold]:
    """Divide samples into folds in which every class has about the same share.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample.
    folds : int
        Number of folds; at most one for each group. A class with fewer samples or groups is missing
        in some of the held-out parts.
    seed : int, RandomState or None
        Shuffles the samples.
    groups : ndarray of int64, shape (n_samples,), optional
        Groups that are held out as a whole, see `classify.estimators.groups`. A class that would
        then vanish from the training, usually because it is in one group only, is divided
        nevertheless; `divided_classes` returns those.

    Returns
    -------
    list of (ndarray of intp, ndarray of intp)
        Positions of the training and of the held-out samples of each fold.

    Raises
    ------
    ClassifierError
        If `folds` is less than two.

    Examples
    --------
    >>> codes = np.array([0] * 10 + [1] * 2)
    >>> [np.bincount(codes[held_out]).tolist() for _, held_out in stratified_folds(codes, 5, 0)]
    [[2, 1], [2, 1], [2], [2], [2]]

    Groups stay together:

    >>> codes, groups = np.arange(12) // 6, np.arange(12) // 2
    >>> [groups[held_out].tolist() for _, held_out in stratified_folds(codes, 3, 0, groups)]
    [[0, 0, 5, 5], [2, 2, 3, 3], [1, 1, 4, 4]]
    """
    if folds < 2:
        raise ClassifierError(f"cross-validation needs at least 2 folds, found {folds}")
    if groups is not None:
        separable = separable_groups(codes, groups)
        folds = min(folds, int(separable.max()) + 1)
        return _folds(deal_groups(codes, separable, folds, seed), folds)
    if int(np.bincount(codes).min()) >= folds:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(codes, codes))
    rng = check_random_state(seed)
    # Dealt class by class, so that the folds have about the same size, too.
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    fold_of = np.empty(len(codes), dtype=np.intp)
    fold_of[order] = np.arange(len(codes)) % folds
    return _folds(fold_of, folds)


def _folds(fold_of: NDArray[np.intp], folds: int) -> list[Fold]:
    parts = [(np.flatnonzero(fold_of != i), np.flatnonzero(fold_of == i)) for i in range(folds)]
    return [(train, held_out) for train, held_out in parts if len(held_out)]


def fold_numbers(splits: Sequence[Fold]) -> NDArray[np.intp]:
    """Return the number of the fold that holds each sample out, ``(n_samples,)``.

    Parameters
    ----------
    splits : sequence of (ndarray of intp, ndarray of intp)
        From `stratified_folds`, or one of them: then 0 is held out, and 1 is the rest.
    """
    numbers = np.full(sum(map(len, splits[0])), len(splits), dtype=np.intp)
    for number, (_, held_out) in enumerate(splits):
        numbers[held_out] = number
    return numbers


def held_out_part(
    codes: NDArray[np.int64],
    folds: int,
    seed: int | np.random.RandomState | None,
    groups: NDArray[np.int64] | None = None,
) -> Fold:
    """Hold out one in `folds` samples of every class.

    Parameters
    ----------
    codes : ndarray of int64, shape (n_samples,)
        Class of every sample.
    folds : int
    seed : int, RandomState or None
        Draws the samples.
    groups : ndarray of int64, shape (n_samples,), optional
        Whole groups are held out, at least one of every class where that is possible, and as nearly
        the share of every class as they allow. A class that is in one group only is divided.

    Returns
    -------
    tuple of (ndarray of intp, ndarray of intp)
        Positions of the training and of the held-out samples.

    Examples
    --------
    >>> codes, groups = np.repeat([0, 1], 4), np.repeat([0, 1, 2, 3], 2)
    >>> groups[held_out_part(codes, 5, 0, groups)[1]].tolist()
    [1, 1, 2, 2]
    """
    if groups is None:
        return stratified_folds(codes, folds, seed)[0]
    numbers = np.maximum(1, np.bincount(codes) // folds)
    held_out = draw_groups(codes, separable_groups(codes, groups), numbers, seed, leave=1)
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out
