"""What the classifiers of a run are fed: read once, or left on disk where it is too much."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from classify import registry
from classify.errors import ClassifierError
from classify.estimators.rows import RowsOnDisk
from extract.images.loading import load_images
from extract.prepare import embedded_otherwise
from reports.wording.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.estimators.base import Classifier
    from extract.datasets.dataset import Split
    from extract.options import Options
    from extract.prepare import Prepared
    from toolkit.progress import Progress


@dataclass
class Features:
    """What the classifiers are fed, each kind read once and only if one asks for it.

    Parameters
    ----------
    prepared : Prepared
        Data set with its embeddings.
    options : Options
        How these were made.
    progress : Progress
        Told of what is read.
    limit : float
        Bytes that the embeddings of a split may take in memory; those of a split that takes more
        stay on disk. What networks are fed besides, images and activations, is not judged by it.
    """

    prepared: Prepared
    options: Options
    progress: Progress
    limit: float = math.inf
    _kept: dict[tuple[str, Split], np.ndarray | RowsOnDisk] = field(default_factory=dict)
    _on_disk: dict[Split, RowsOnDisk] = field(default_factory=dict)
    _lower: dict[bool, Prepared] = field(default_factory=dict)

    @property
    def lower(self) -> Prepared | None:
        """The base up to the layer that it was cut at, if it was."""
        return self._lower.get(False)

    def __call__(self, estimator: Classifier, split: Split) -> np.ndarray | RowsOnDisk:
        """Return what a classifier consumes, of all images of a split."""
        if estimator.consumes == "embeddings":
            return self.embeddings(split)
        key = (estimator.consumes, split)
        if key not in self._kept:
            self._kept[key] = self._read(estimator, split)
        return self._kept[key]

    def embeddings(self, split: Split) -> np.ndarray | RowsOnDisk:
        """Return the embeddings of a split, which most classifiers consume."""
        key = ("embeddings", split)
        if key not in self._kept:
            rows = self.on_disk(split)
            self._kept[key] = rows if self.exceeds(split) else self.prepared.embeddings(split)
        return self._kept[key]

    def on_disk(self, split: Split) -> RowsOnDisk:
        """Return the embeddings of a split without reading them."""
        if split not in self._on_disk:
            keys = self.prepared.digests(split)
            self._on_disk[split] = RowsOnDisk(self.prepared.base.embeddings, keys)
        return self._on_disk[split]

    def exceeds(self, split: Split) -> bool:
        """Tell whether the embeddings of a split are more than the limit."""
        return self.on_disk(split).nbytes > self.limit

    def require_memory(self, names: Sequence[str], *, kernel: str, audit: bool) -> None:
        """Make sure that what must be in memory as a whole is not more than the limit.

        Parameters
        ----------
        names : sequence of str
            Classifiers, see `classify.registry`.
        kernel : str
            The SVM's: in one pass it can only be linear.
        audit : bool
            Whether all embeddings of both splits are looked through, see `classify.auditing.audit`.

        Raises
        ------
        ClassifierError
            If it is; the message says what can be done.
        """
        whole = [
            name
            for name in names
            if name not in registry.IN_ONE_PASS and registry.kind(name).consumes == "embeddings"
        ]
        if kernel == "rbf" and "svm" in names:
            whole.append("svm --kernel rbf")
        train = self.on_disk("train")
        if whole and train.nbytes > self.limit:
            verb = "needs" if len(whole) == 1 else "need"
            raise ClassifierError(
                f"the embeddings of the {len(train):,} training images do not fit in memory: "
                f"{self.excess(train.nbytes)}, and {listed(whole)} {verb} all of them at once; "
                f"take --clf {' or '.join(registry.IN_ONE_PASS)}, which go over them on disk, "
                f"or {self._advice}"
            )
        total = train.nbytes + self.on_disk("test").nbytes
        if audit and total > self.limit:
            raise ClassifierError(
                f"the embeddings of all images do not fit in memory: {self.excess(total)}, and "
                "--audit needs all of them at once; leave it out, "
                f"or take {self._advice}"
            )

    def excess(self, n_bytes: int) -> str:
        """Say how much embeddings take, and how much they may."""
        return f"{_size(n_bytes)} are more than the memory limit of {_size(self.limit)}"

    @property
    def _advice(self) -> str:
        pooling = "--pool avg or " if self.prepared.base.recipe.pooling == "none" else ""
        return f"{pooling}a higher --memory-limit"

    def _read(self, estimator: Classifier, split: Split) -> np.ndarray:
        if estimator.consumes == "activations":
            lower = self._up_to(estimator.cut.layer)
            if split == "train" and estimator.mirror:
                mirrored = self._up_to(estimator.cut.layer, mirrored=True)
                return np.hstack([lower.embeddings(split), mirrored.embeddings(split)])
            return lower.embeddings(split)
        return load_images(
            self.prepared.paths(split),
            self.prepared.base.recipe.size,
            reading=self.options.reading,
            progress=self.progress,
        )

    def _up_to(self, layer: str, *, mirrored: bool = False) -> Prepared:
        """Put the output of a layer further down into the cache too."""
        if mirrored not in self._lower:
            base = dataclasses.replace(
                self.options.base, layer=layer, pooling="none", flip=False, mirrored=mirrored
            )
            options = dataclasses.replace(self.options, base=base)
            self._lower[mirrored] = embedded_otherwise(self.prepared, options, self.progress)
        return self._lower[mirrored]


def _size(n_bytes: float) -> str:
    """Write a size as a person reads it.

    >>> _size(33 * 2**30), _size(10e6), _size(50_000)
    ('33.0 GiB', '9.5 MiB', '48.8 KiB')
    """
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes / 2**10:,.1f} KiB"
