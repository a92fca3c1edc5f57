"""Where the evidence for predictions of test images lies, as a run records it."""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.experiment.features import ImageFeatures
from classify.explaining.evidence import Explainer, joined
from classify.explaining.outputs import stored_outputs
from classify.explaining.records import evidence_row
from extract.engines import choose_for
from extract.engines.openvino import is_converted
from extract.images.loading import load_images
from reports.records import MANY_CLASSES
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from classify.experiment.features import Features
    from classify.explaining.evidence import Evidence
    from reports.records import EvidenceRow, PredictionRow
    from toolkit.progress import Progress

_AT_ONCE = 64
SUREST = 10
"""Correct predictions of each class that are explained, the most probable ones."""
AVERAGED, FEWEST_AVERAGED = 50, 5
"""Test images of each class whose evidence is averaged; of more, the first number is drawn, and of
fewer than the second, there is no mean."""
MISTAKES, OF_MANY_CLASSES = 400, 100
"""Mistakes that are explained, the most confident ones."""
MOST_OTHERS, MOST_AVERAGED = 300, 5_000
"""Correct predictions, and images to average, of all classes together; the second for classifiers
that add up places, and embeddings from the cache."""
MOST_COMPUTED, MOST_COVERED = 60, 20
"""Images of each kind, if the network has to be run on them again, or their places be covered."""
MOST_PREDICTED = 20_000
"""Predictions that a classifier makes that adds up no places: one without each place."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Chosen:
    """Positions of test images, and the class of each that is explained."""

    rows: NDArray[np.intp]
    codes: NDArray[np.intp]


def evidence_rows(
    estimator: Classifier,
    features: Features,
    predictions: Sequence[PredictionRow],
    *,
    seed: int,
    progress: Progress,
) -> list[EvidenceRow]:
    """Return where the evidence lies for mistakes and sure predictions, and its mean of each class.

    Parameters
    ----------
    estimator : Classifier
        Trained.
    features : Features
    predictions : sequence of PredictionRow
        Of the estimator, in the order of the test images.
    seed : int
        Draws the images to average.
    progress : Progress

    Returns
    -------
    list of EvidenceRow
        For every mistake the predicted class and, of more than two classes, the true one; for sure
        predictions the predicted class. Of two classes, what counts against one counts for the
        other. Empty if the embeddings have no places, or their images cannot be read any more.
    """
    if not isinstance(features, ImageFeatures):
        return []
    labelled = _Labelled.of(predictions, features.classes)
    try:
        explain = _Explain(estimator, features, progress)
        if not explain.is_possible:
            return []
        chosen = labelled.to_explain(explain.most)
        averaged = labelled.to_average(explain.most_averaged, seed)
        of_images = explain(chosen)
        of_classes = explain(averaged) if len(averaged.rows) else None
    except ToolkitError as error:
        logger.warning("no evidence is shown: %s", error)
        return []
    names, classifier = features.classes, predictions[0].classifier
    rows = [
        evidence_row(
            of_images, [i], names, names[code], classifier=classifier, path=predictions[row].path
        )
        for i, (row, code) in enumerate(zip(chosen.rows, chosen.codes, strict=True))
    ]
    if of_classes is not None:
        for code in np.unique(averaged.codes):
            members = np.flatnonzero(averaged.codes == code)
            row = evidence_row(of_classes, members, names, names[code], classifier=classifier)
            rows.append(row)
    return rows


class _Explain:
    """Explains test images, by the cache if it holds what the network returns at every place."""

    def __init__(self, estimator: Classifier, features: ImageFeatures, progress: Progress) -> None:
        self._features, self._progress = features, progress
        lower = features.lower if estimator.consumes == "activations" else None
        self._base = (lower or features.prepared).base
        self._digests = features.prepared.digests("test")
        self._explainer = Explainer(estimator, self._base)
        self._on_embeddings = estimator.consumes == "embeddings"
        self._places = self._stored_places() if self._on_embeddings else None

    @property
    def is_possible(self) -> bool:
        """Whether it needs neither TensorFlow alone for this, nor every place to be covered."""
        recipe = self._base.recipe
        if self._places is not None or not self._on_embeddings:
            return True
        if recipe.pooling not in ("avg", "max") and not recipe.flip:
            return False
        if "tensorflow" in sys.modules:
            return True
        is_openvino = choose_for(recipe, self._base.engine) == "openvino"
        return is_openvino and is_converted(recipe, self._base.models)

    @property
    def most(self) -> int:
        """How many images of each kind can be explained in a short time."""
        if self._places is None:
            return MOST_COMPUTED if self._on_embeddings else MOST_COVERED
        if self._explainer.adds_up_places:
            return MISTAKES
        return min(MISTAKES, MOST_PREDICTED // (self._places + 1) // 3)

    @property
    def most_averaged(self) -> int:
        """The same of images whose evidence is averaged."""
        if self._places is not None and self._explainer.adds_up_places:
            return MOST_AVERAGED
        return min(self.most, MOST_OTHERS)

    def __call__(self, chosen: _Chosen) -> Evidence:
        if self._places is not None:
            return joined(list(self._by_embeddings(chosen)))
        rows, inverse = np.unique(chosen.rows, return_inverse=True)
        paths = self._features.prepared.paths("test")
        pixels = load_images(
            [paths[row] for row in rows],
            self._base.recipe.pixels,
            reading=self._features.options.reading,
            progress=self._progress,
        )
        return self._explainer(pixels[inverse], chosen.codes, self._progress)

    def _by_embeddings(self, chosen: _Chosen) -> Iterator[Evidence]:
        for start in range(0, len(chosen.rows), _AT_ONCE):
            block = slice(start, start + _AT_ONCE)
            embeddings = self._stored(chosen.rows[block])
            evidence = self._explainer.of_embeddings(embeddings, chosen.codes[block])
            assert evidence is not None  # the first one has places
            yield evidence

    def _stored_places(self) -> int | None:
        """Return how many places the cached embeddings have; None if they do not hold them."""
        outputs = stored_outputs(self._stored([0]), self._base.recipe)
        return None if outputs is None else math.prod(outputs.grid)

    def _stored(self, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float32]:
        digests = [self._digests[row] for row in rows]
        return self._base.store.read(self._base.recipe.fingerprint, digests)


@dataclass(frozen=True)
class _Labelled:
    """Test images with their classes, those that are predicted, and how certainly."""

    n_classes: int
    true: NDArray[np.intp]
    predicted: NDArray[np.intp]
    by_confidence: NDArray[np.intp]
    """Positions of the images, the most certain prediction first."""

    @classmethod
    def of(cls, predictions: Sequence[PredictionRow], classes: Sequence[str]) -> _Labelled:
        names = np.array(classes)
        return cls(
            len(names),
            np.searchsorted(names, [row.true for row in predictions]),
            np.searchsorted(names, [row.predicted for row in predictions]),
            np.argsort([-row.probability for row in predictions], kind="stable"),
        )

    def to_explain(self, most: int) -> _Chosen:
        """Return the mistakes, for the predicted and the true class, and sure predictions."""
        is_wrong = (self.true != self.predicted)[self.by_confidence]
        n_mistakes = min(most, MISTAKES if self.n_classes <= MANY_CLASSES else OF_MANY_CLASSES)
        mistakes = self.by_confidence[is_wrong][:n_mistakes]
        correct = self.by_confidence[~is_wrong]
        sure = self._of_each(correct, min(most, MOST_OTHERS), SUREST)
        again = mistakes if self.n_classes > 2 else mistakes[:0]
        return _Chosen(
            np.concatenate([mistakes, again, sure]),
            np.concatenate([self.predicted[mistakes], self.true[again], self.predicted[sure]]),
        )

    def to_average(self, most: int, seed: int) -> _Chosen:
        """Return images of each class, drawn if there are more; none of those with too few."""
        drawn = np.random.default_rng(seed).permutation(len(self.true))
        rows = self._of_each(drawn, most, AVERAGED)
        numbers = np.bincount(self.true[rows], minlength=self.n_classes)
        rows = rows[numbers[self.true[rows]] >= FEWEST_AVERAGED]
        return _Chosen(rows, self.true[rows])

    def _of_each(self, rows: NDArray[np.intp], limit: int, most: int) -> NDArray[np.intp]:
        """Return the first of some images of each class, in their order and within a limit."""
        each = min(most, max(1, limit // self.n_classes))
        of_classes = [
            np.flatnonzero(self.true[rows] == code)[:each] for code in range(self.n_classes)
        ]
        return rows[np.sort(np.concatenate(of_classes))[:limit]]
