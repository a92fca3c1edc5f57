"""Evidence maps: how much each place of an image adds to the score of a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.explaining.linear import linear_form
from classify.explaining.places import unpooled_network
from extract.backbones.described import first_patch
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.explaining.linear import LinearForm
    from extract.frozen import FrozenBase

GRID = 7
"""Rows and columns of places, where a network does not have places of its own."""
STAGE = "finding evidence"
_AT_ONCE = 32
_SMALLEST = 1e-12
"""A probability of zero has no log-odds."""


@dataclass(frozen=True)
class Evidence:
    """How much each place of some images adds to the scores of a class.

    Attributes
    ----------
    maps : ndarray of float64, shape (n_images, height, width)
        What each place adds to the score, in its place as a person sees the image.
    intercept : ndarray of float64, shape (n_images,)
        What no place adds: ``maps.sum(axis=(1, 2)) + intercept`` is `scores`.
    scores : ndarray of float64, shape (n_images,)
        Of the class that is explained.
    classes : ndarray of str, shape (n_images,)
        The class that is explained.
    exact : bool
        Whether the classifier itself adds up places.

    Notes
    -----
    The score is the decision value of the class, or its log-odds if the classifier has none; of two
    classes, that of the second: what speaks against it speaks for the first. Logistic regression,
    linear SVMs, ridge classification and discriminant analysis add up features. If the features
    keep their places, or are the mean over them, each place has its share of the sum.

    For other classifiers and poolings, a place counts by what the score loses if the place is
    covered with the mean colour of the image: an approximation, because places act together.
    """

    maps: NDArray[np.float64]
    intercept: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.str_]
    exact: bool


def linear_evidence(
    form: LinearForm,
    outputs: NDArray[np.intp],
    embeddings: NDArray[np.float32],
    *,
    pooled: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide scores among the places of embeddings.

    Parameters
    ----------
    form : LinearForm
        Of the classifier.
    outputs : ndarray of intp, shape (n,)
        Which decision value is explained, for each image.
    embeddings : ndarray of float32, shape (n, height, width, channels) or (n, tokens, channels)
        Before pooling.
    pooled : bool
        Whether the classifier takes the mean over places, of tokens those of the patches.

    Returns
    -------
    maps : ndarray of float64, shape (n, height, width)
    rest : ndarray of float64, shape (n,)
        The intercept, and what tokens add that have no place.

    Examples
    --------
    >>> from classify.explaining.linear import LinearForm
    >>> form = LinearForm(np.ones((1, 2)), np.array([0.5]))
    >>> embeddings = np.ones((1, 3, 3, 2), np.float32)
    >>> maps, rest = linear_evidence(form, np.array([0]), embeddings, pooled=True)
    >>> round(float(maps.sum()), 9), rest.tolist()
    (2.0, [0.5])
    """
    shape = (-1,) if pooled else embeddings.shape[1:]
    shares = np.stack(
        [
            (embedding.astype(np.float64) * form.coef[output].reshape(shape)).sum(axis=-1)
            for embedding, output in zip(embeddings, outputs, strict=True)
        ]
    )
    rest = form.intercept[outputs]
    if shares.ndim == 2:
        n_before = first_patch(shares.shape[1])
        before, shares = shares[:, :n_before], shares[:, n_before:]
        if not pooled:
            rest = rest + before.sum(axis=1)
        side = math.isqrt(shares.shape[1])
        shares = shares.reshape(len(shares), side, side)
    return (shares / shares[0].size if pooled else shares), rest


def explain_pixels(
    estimator: Classifier,
    base: FrozenBase,
    pixels: NDArray[np.uint8],
    codes: NDArray[np.intp],
    progress: Progress = silent,
) -> Evidence:
    """Say where in images the evidence for a class lies.

    Parameters
    ----------
    estimator : Classifier
        Trained on embeddings of `base`, or on images of its size.
    base : FrozenBase
    pixels : ndarray of uint8, shape (n, size, size, 3)
        RGB, as the base takes them; at least one.
    codes : ndarray of intp, shape (n,)
        The class to explain, as a position in the estimator's classes. Of two classes, the second
        one is explained in any case.
    progress : Progress, optional
        Called with the stage "finding evidence".

    Raises
    ------
    ToolkitError
        If the network cannot be loaded.
    """
    classes = np.asarray(estimator.classes_).astype(str)
    if len(classes) == 2:
        codes = np.ones_like(codes)
    form = linear_form(estimator)
    if form is not None and base.recipe.pooling in ("none", "avg"):
        found = _by_places(form, base, pixels, codes, progress)
        if found is not None:
            maps, rest = found
            return Evidence(maps, rest, maps.sum(axis=(1, 2)) + rest, classes[codes], exact=True)
    return _by_covering(estimator, base, pixels, codes, progress)


def _by_places(
    form: LinearForm,
    base: FrozenBase,
    pixels: NDArray[np.uint8],
    codes: NDArray[np.intp],
    progress: Progress,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return maps and the rest of the scores; None if the network returns no places."""
    outputs = codes if len(form.coef) > 1 else np.zeros_like(codes)
    network = unpooled_network(base)
    flips = [False, True] if base.recipe.flip else [base.recipe.mirrored]
    all_maps, all_rests = [], []
    for start in range(0, len(pixels), _AT_ONCE):
        progress(STAGE, start, len(pixels))
        part = slice(start, start + _AT_ONCE)
        of_sides = []
        for flipped in flips:
            images = pixels[part, :, ::-1] if flipped else pixels[part]
            embeddings = network(np.ascontiguousarray(images))
            if embeddings.ndim < 3:
                return None
            pooled = base.recipe.pooling == "avg"
            maps, rest = linear_evidence(form, outputs[part], embeddings, pooled=pooled)
            of_sides.append((maps[:, :, ::-1] if flipped else maps, rest))
        all_maps.append(np.mean([maps for maps, _ in of_sides], axis=0))
        all_rests.append(np.mean([rest for _, rest in of_sides], axis=0))
    progress(STAGE, len(pixels), len(pixels))
    return np.concatenate(all_maps), np.concatenate(all_rests)


def _by_covering(
    estimator: Classifier,
    base: FrozenBase,
    pixels: NDArray[np.uint8],
    codes: NDArray[np.intp],
    progress: Progress,
) -> Evidence:
    """Take as evidence what the score loses if a place is covered with the image's mean colour."""
    network = None if estimator.consumes == "images" else base.make_engine()

    def scores_of(images: NDArray[np.uint8], of: NDArray[np.intp]) -> NDArray[np.float64]:
        X = images if network is None else network(images).reshape(len(images), -1)
        return class_scores_of(estimator, X, of)

    size = pixels.shape[1]
    borders = np.linspace(0, size, GRID + 1).round().astype(int)
    maps, scores = np.empty((len(pixels), GRID, GRID)), np.empty(len(pixels))
    for i, (image, code) in enumerate(zip(pixels, codes, strict=True)):
        progress(STAGE, i, len(pixels))
        variants = np.repeat(image[np.newaxis], GRID**2 + 1, axis=0)
        colour = image.mean(axis=(0, 1)).round().astype(np.uint8)
        for place in range(GRID**2):
            row, column = divmod(place, GRID)
            rows = slice(borders[row], borders[row + 1])
            variants[place, rows, borders[column] : borders[column + 1]] = colour
        found = scores_of(variants, np.full(len(variants), code))
        scores[i] = found[-1]
        maps[i] = (found[-1] - found[:-1]).reshape(GRID, GRID)
    progress(STAGE, len(pixels), len(pixels))
    classes = np.asarray(estimator.classes_).astype(str)
    rest = scores - maps.sum(axis=(1, 2))
    return Evidence(maps, rest, scores, classes[codes], exact=False)


def class_scores_of(
    estimator: Classifier, X: NDArray[np.float32] | NDArray[np.uint8], codes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the score of a class of each sample: its decision value, else its log-odds.

    Parameters
    ----------
    estimator : Classifier
    X : ndarray
        What it takes.
    codes : ndarray of intp, shape (n,)
    """
    rows = np.arange(len(X))
    if hasattr(estimator, "decision_function"):
        decision = np.asarray(estimator.decision_function(X), dtype=np.float64)
        if decision.ndim == 1:
            return np.where(codes == 1, decision, -decision)
        return decision[rows, codes]
    probability = np.asarray(estimator.predict_proba(X), dtype=np.float64)[rows, codes]
    probability = probability.clip(_SMALLEST, 1 - _SMALLEST)
    return np.log(probability) - np.log1p(-probability)
