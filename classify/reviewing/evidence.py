"""Where in an image of the run the evidence for its label lies, and for the class it may be of."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from classify.explaining.evidence import Explainer
from classify.explaining.records import evidence_row
from classify.serving.classifier import SavedClassifier
from classify.serving.model import Model
from extract.errors import ImageError
from toolkit.addresses import as_path
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from classify.explaining.evidence import Evidence
    from extract.frozen import FrozenBase
    from reports.records import EvidenceRow, PictureRecord

logger = logging.getLogger(__name__)


class ImageEvidence:
    """Explains images of a run by their embeddings, or by the network if these have no places.

    It may be called from any number of threads; it explains one image at a time.

    Parameters
    ----------
    folder : Path
        Of the run.
    classifier : str or None
        As for `classify.reviewing.review.Review`.
    base : FrozenBase
        Its cache has the embeddings.
    cache : str or None
        Cache folder; None is the default one.
    """

    def __init__(
        self, folder: Path, classifier: str | None, base: FrozenBase, cache: str | None
    ) -> None:
        self._folder, self._classifier = folder, classifier
        self._base, self._cache = base, cache
        self._one_at_a_time = threading.Lock()
        self._problem = ""

    def __call__(self, picture: PictureRecord, labels: Sequence[str]) -> list[EvidenceRow]:
        """Return the evidence for some classes; nothing if the image cannot be explained.

        Why not is logged; once, if that holds for all images.

        Parameters
        ----------
        picture : PictureRecord
        labels : sequence of str
            Of two classes, one is enough: what counts against it counts for the other.
        """
        with self._one_at_a_time:
            if self._problem:
                return []
            try:
                names = self._saved.classes_.tolist()
                explained = [label for label in labels if label in names]
                if len(names) == 2:
                    del explained[1:]
                if not explained:
                    return []
                evidence = self._explained(picture, explained)
                return [
                    evidence_row(
                        evidence,
                        [i],
                        names,
                        label,
                        classifier=self._saved.result.classifier,
                        path=picture.path,
                    )
                    for i, label in enumerate(explained)
                ]
            except ImageError as error:
                logger.warning("%s", error)
                return []
            except ToolkitError as error:
                self._problem = str(error)
                logger.warning("no evidence is shown: %s", error)
                return []

    @cached_property
    def _saved(self) -> SavedClassifier:
        return SavedClassifier(self._folder, self._classifier)

    @cached_property
    def _model(self) -> Model:
        return Model(self._folder, self._classifier, cache=self._cache)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._saved.estimator, self._base)

    def _explained(self, picture: PictureRecord, labels: Sequence[str]) -> Evidence:
        store, fingerprint = self._base.store, self._base.recipe.fingerprint
        if not store.missing(fingerprint, [picture.sha256]):
            embeddings = store.read(fingerprint, len(labels) * [picture.sha256])
            codes = np.searchsorted(self._saved.classes_, labels)
            evidence = self._explainer.of_embeddings(embeddings, codes)
            if evidence is not None:
                return evidence
        path = as_path(self._saved.run.data.root, picture.path)
        return self._model.explain(len(labels) * [path], labels)
