"""Search embeddings from elsewhere for wrong data: everything that needs no pixels."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing import duplicates
from classify.auditing.embedding_map import STAGE, map_of, tsne_positions
from classify.auditing.findings import (
    accuracies_without,
    correct_of,
    outliers_of,
    suspects_of,
)
from classify.auditing.known_groups import known_groups
from classify.auditing.property_audit import examine
from classify.auditing.shortcuts import drawn_for_shortcuts, find_shortcuts
from extract.datasets.same_files import copies, on_both_sides
from extract.stored import pool_embeddings
from reports.records import Audit, Copy, Leak
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.embedding_files.load import Embeddings
    from reports.records import EmbeddingMap, PredictionRow, Shortcut

SAME_EMBEDDING = "the same embedding"
LEFT_OUT = (
    "The audit of embeddings leaves out what needs the pixels: edited copies, tiny and nearly "
    "uniform images, and properties of files and pictures, as size, camera and colours."
)


def describe_equal(dataset: Dataset, digests: Mapping[Path, str]) -> list[str]:
    """Say how many test images have the embedding of a training image.

    Parameters
    ----------
    dataset : Dataset
        With a split.
    digests : mapping of Path to str
        SHA-256 of each embedding.
    """
    pairs = on_both_sides(dataset, digests)
    if not pairs:
        return []
    test, training = (dataset.relative(item.path) for item in pairs[0])
    verb = "has" if len(pairs) == 1 else "have"
    return [
        f"{len(pairs):,} of {plural(len(dataset.test), 'test image')} {verb} the same embedding as "
        f"a training image, as {test} and {training}: the accuracy on the test split is too high."
    ]


class GivenImages:
    """Images of which only the embeddings are known.

    Parameters
    ----------
    embeddings : Embeddings
        With a split.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings, self.dataset = embeddings, embeddings.dataset
        self.digests = embeddings.digests()
        self._rows = {item.path: row for row, item in enumerate(self.dataset.items)}

    def pooled(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return embeddings of some images, averaged over height and width if these are known."""
        rows = self.embeddings.in_shape(np.array([self._rows[item.path] for item in items]))
        return pool_embeddings(rows)

    def find_wrong_data(
        self,
        predictions: Sequence[PredictionRow] = (),
        *,
        chosen: str | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Audit:
        """Search for wrong labels, equal embeddings, outliers, shortcuts and weak spots.

        Parameters
        ----------
        predictions, chosen, seed, progress
            As for `classify.auditing.findings.find_wrong_data`.
        """
        started, dataset = time.monotonic(), self.dataset
        name = dataset.relative
        everything = self.embeddings.in_shape(np.arange(len(dataset)))
        signatures = duplicates.signatures(everything)
        suspects, n_wrong, correct = suspects_of(dataset, self.embeddings.X, progress)
        if chosen is not None:
            correct = correct_of(dataset, predictions, chosen)
        shortcuts, weak_spots = examine(dataset, self.digests, self.pooled, {}, correct, seed=seed)
        leaks = [
            Leak(name(item.path), name(other.path), 1.0, False, SAME_EMBEDDING)
            for item, other in on_both_sides(dataset, self.digests)
        ]
        leaked = {leak.test for leak in leaks}
        groups, origin = known_groups(dataset)
        return Audit(
            leaks=leaks,
            suspects=suspects,
            outliers=outliers_of(dataset, signatures, [None] * len(dataset)),
            accuracies_without_leaks=accuracies_without(predictions, leaked) if leaked else {},
            seconds=time.monotonic() - started,
            copies=self._copies(),
            wrong_labels=n_wrong,
            judged_labels=len(dataset),
            shortcuts=shortcuts,
            weak_spots=weak_spots,
            known_groups=groups,
            groups_are_guessed=bool(groups) and not dataset.has_groups,
            groups_origin=origin,
        )

    def shortcuts(self, *, seed: int = 0) -> list[Shortcut]:
        """Return the properties that predict the label, of those that need no file."""
        train = drawn_for_shortcuts(self.dataset, self.digests)
        found = find_shortcuts(self.dataset, train, [None] * len(train), seed=seed)
        return [each for each in found if each.found]

    def map(self, *, seed: int = 0, progress: Progress = silent) -> EmbeddingMap | None:
        """Arrange the images in two dimensions; see `classify.auditing.embedding_map`."""

        def arrange(digests: list[str]) -> dict[str, tuple[float, float]]:
            progress(STAGE, 0, 1)
            items = {self.digests[item.path]: item for item in self.dataset.items}
            positions = tsne_positions(self.pooled([items[digest] for digest in digests]))
            progress(STAGE, 1, 1)
            return dict(zip(digests, map(tuple, positions.round(4).tolist()), strict=True))

        return map_of(self.dataset, self.digests, arrange, seed=seed)

    def _copies(self) -> list[Copy]:
        """Return the images with an embedding that an earlier one has, too."""
        name = self.dataset.relative
        found = [
            Copy(name(item.path), str(item.split), item.label, name(first.path), first.label,
                 SAME_EMBEDDING, of_split=str(first.split))
            for item, first in copies(self.dataset, self.digests)
        ]  # fmt: skip
        return sorted(found, key=lambda copy: copy.label == copy.of_label)
