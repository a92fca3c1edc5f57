"""Evidence maps: how much each place of an image adds to the score of a class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from classify.estimators.nearest import Nearest
from classify.explaining.covering import covered_shares
from classify.explaining.linear import LinearForm, linear_form
from classify.explaining.outputs import POOLINGS, computed_outputs, stored_outputs
from classify.explaining.places import unpooled_network
from classify.explaining.scores import class_scores
from classify.explaining.similarity import similarity_forms
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.explaining.outputs import Outputs, Side
    from classify.explaining.places import Network
    from extract.engines import Engine
    from extract.frozen import FrozenBase

STAGE = "finding evidence"
_AT_ONCE = 32
_ROWS = 256
"""Samples that a classifier predicts at a time."""


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
    extent : tuple of float
        Where the places begin and end, as shares of width and height of what the network sees: at
        some sizes, they leave out a margin.
    exact : bool
        Whether the score itself is a sum over places.

    Notes
    -----
    The score is the decision value of the class, or its log-odds if the classifier has none; of two
    classes, that of the second: what counts against it counts for the first. Logistic regression,
    linear SVMs, ridge classification and discriminant analysis add up features. If the features
    keep their places, or are the mean over them, each place has its share of the sum.

    The votes of nearest neighbours change in steps, so the score is how much more the image is like
    the training images of the class than those of other classes; see
    `classify.explaining.similarity.similarity_forms`. It is a sum over places, too.

    For other classifiers on embeddings, a place counts by what the score loses if the outputs of
    the network at that place are zero, which for the linear ones is their share. For networks that
    keep no places, and classifiers of images, it counts by what the score loses if the place is
    covered with the mean colour of the image. Both are approximations, because places act together.
    """

    maps: NDArray[np.float64]
    intercept: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.str_]
    extent: tuple[float, float]
    exact: bool


class Explainer:
    """Says where in images the evidence for a class lies; keeps the network it needs.

    Parameters
    ----------
    estimator : Classifier
        Trained on embeddings of `base`, or on images of its size.
    base : FrozenBase
    make_engine : callable, optional
        Returns the engine of the base; by default it is loaded.

    Raises
    ------
    ToolkitError
        When it is called, if the network cannot be loaded.
    """

    def __init__(
        self,
        estimator: Classifier,
        base: FrozenBase,
        make_engine: Callable[[], Engine] | None = None,
    ) -> None:
        self._estimator, self._base = estimator, base
        self._make_engine = make_engine or base.make_engine

    def __call__(
        self, pixels: NDArray[np.uint8], codes: NDArray[np.intp], progress: Progress = silent
    ) -> Evidence:
        """Explain images.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (n, size, size, 3)
            RGB, as the base takes them; at least one.
        codes : ndarray of intp, shape (n,)
            The class to explain, as a position in the estimator's classes. Of two classes, the
            second one is explained in any case.
        progress : Progress, optional
            Called with the stage "finding evidence".
        """
        parts = []
        for start in range(0, len(pixels), _AT_ONCE):
            progress(STAGE, start, len(pixels))
            part = slice(start, start + _AT_ONCE)
            parts.append(self._explain(pixels[part], codes[part]))
        progress(STAGE, len(pixels), len(pixels))
        return joined(parts)

    def of_embeddings(
        self, embeddings: NDArray[np.float32], codes: NDArray[np.intp]
    ) -> Evidence | None:
        """Explain images by their embeddings, without the network.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n, ...)
            Of the base; at least one.
        codes : ndarray of intp, shape (n,)
            As for pixels.

        Returns
        -------
        Evidence or None
            None if the embeddings do not hold every place, or the estimator takes something else.
        """
        if self._estimator.consumes != "embeddings":
            return None
        outputs = stored_outputs(embeddings, self._base.recipe)
        return None if outputs is None else self._of_outputs(outputs, codes)

    @property
    def adds_up_places(self) -> bool:
        """Whether features have the same weights in all images, so evidence is quickly found."""
        return self._form is not None

    @cached_property
    def _form(self) -> LinearForm | None:
        return linear_form(self._estimator)

    def _forms(self, outputs: Outputs, codes: NDArray[np.intp]) -> LinearForm | None:
        """Return the weights of the features for each image; None if they are not added up."""
        if outputs.pooling == "max":
            return None
        if isinstance(self._estimator, Nearest):
            return similarity_forms(self._estimator, outputs.features(), codes)
        if self._form is None:
            return None
        output_of = codes if len(self._form.coef) > 1 else np.zeros_like(codes)
        return LinearForm(self._form.coef[output_of], self._form.intercept[output_of])

    def _explain(self, pixels: NDArray[np.uint8], codes: NDArray[np.intp]) -> Evidence:
        if self._network is not None:
            return self._of_outputs(
                computed_outputs(self._network, pixels, self._base.recipe), codes
            )
        codes = self._explained(codes)
        maps, scores = covered_shares(self._estimator, self._features, pixels, codes)
        classes = self._names(codes)
        return Evidence(maps, scores - maps.sum(axis=(1, 2)), scores, classes, (0, 1), exact=False)

    def _of_outputs(self, outputs: Outputs, codes: NDArray[np.intp]) -> Evidence:
        codes = self._explained(codes)
        classes, extent, forms = self._names(codes), outputs.extent, self._forms(outputs, codes)
        if forms is None:
            scores = class_scores(self._estimator, outputs.features(), codes)
            maps = _without_each_place(self._estimator, outputs, codes, scores)
            rest = scores - maps.sum(axis=(1, 2))
            return Evidence(maps, rest, scores, classes, extent, exact=False)
        maps, rest = linear_shares(forms, outputs)
        return Evidence(maps, rest, maps.sum(axis=(1, 2)) + rest, classes, extent, exact=True)

    def _explained(self, codes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return which classes are explained: of two, the second."""
        return np.ones_like(codes) if len(self._estimator.classes_) == 2 else codes

    def _names(self, codes: NDArray[np.intp]) -> NDArray[np.str_]:
        names: NDArray[np.str_] = np.asarray(self._estimator.classes_).astype(str)[codes]
        return names

    @cached_property
    def _network(self) -> Network | None:
        """The network without pooling, if places of an image can be told from its outputs."""
        if self._estimator.consumes != "embeddings" or self._base.recipe.pooling not in POOLINGS:
            return None
        return unpooled_network(self._base, self._make_engine)

    @cached_property
    def _engine(self) -> Engine:
        return self._make_engine()

    def _features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.uint8]:
        if self._estimator.consumes == "images":
            return pixels
        return self._engine(pixels).reshape(len(pixels), -1)


def linear_shares(
    forms: LinearForm, outputs: Outputs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide decision values among the places of images.

    Parameters
    ----------
    forms : LinearForm
        With a row of weights and an intercept for each image.
    outputs : Outputs
        With the pooling "none" or "avg".

    Returns
    -------
    maps : ndarray of float64, shape (n, height, width)
    rest : ndarray of float64, shape (n,)
        The intercept, and what tokens add that have no place.
    """
    of_sides = [_shares_of(forms, side, outputs.pooling) for side in outputs.sides]
    maps: NDArray[np.float64] = np.mean([maps for maps, _ in of_sides], axis=0)
    rest: NDArray[np.float64] = np.mean([rest for _, rest in of_sides], axis=0)
    return maps, rest


def _shares_of(
    forms: LinearForm, side: Side, pooling: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    maps, rest = [], []
    for tokens, places, weights, intercept in zip(
        side.tokens, side.places, forms.coef, forms.intercept, strict=True
    ):
        height, width, channels = places.shape
        if pooling == "avg":
            maps.append(places @ (weights / (height * width)))
            rest.append(intercept)
        else:
            of_tokens, of_places = np.split(weights, [tokens.size])
            maps.append((places * of_places.reshape(height, width, channels)).sum(axis=2))
            rest.append(intercept + tokens.reshape(-1) @ of_tokens)
    shares = np.stack(maps)
    return shares[:, :, ::-1] if side.flipped else shares, np.array(rest)


def _without_each_place(
    estimator: Classifier,
    outputs: Outputs,
    codes: NDArray[np.intp],
    scores: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what the scores lose if the outputs of each place are zero."""
    places = list(np.ndindex(outputs.grid))
    at_once = max(1, _ROWS // len(scores))
    losses = []
    for start in range(0, len(places), at_once):
        block = places[start : start + at_once]
        X = np.concatenate([outputs.features(without=place) for place in block])
        without = class_scores(estimator, X, np.tile(codes, len(block)))
        losses.append(scores - without.reshape(len(block), len(scores)))
    return np.concatenate(losses).T.reshape(len(scores), *outputs.grid)


def joined(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence of several blocks of images as one."""
    names = ("maps", "intercept", "scores", "classes")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Evidence(**arrays, extent=parts[0].extent, exact=parts[0].exact)
