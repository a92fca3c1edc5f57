"""What the classifiers of a run are trained and tested on."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ClassifierError
from classify.estimators.groups import encode_groups
from classify.estimators.rows import RowsOnDisk
from extract.datasets.dataset import counts
from extract.images.loading import load_images
from extract.prepare import reembed
from extract.stored import StoredEmbeddings, read_pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from classify.auditing.embedding_findings import GivenImages
    from classify.estimators.base import Classifier
    from extract.datasets.dataset import Dataset, Split
    from extract.frozen import FrozenBase
    from extract.options import Options
    from extract.prepare import Prepared
    from toolkit.progress import Progress


class Features(ABC):
    """Samples with a label and a split each; `ImageFeatures` or `ArrayFeatures`.

    Parameters
    ----------
    dataset : Dataset
        The samples, each with a split.

    Attributes
    ----------
    backbone : str or None
        The frozen base of the embeddings, if it is known.
    dask : str or None
        Address of the Dask cluster that trains on them; None is this process.
    memory_limit : float
        Bytes that the embeddings of a split may take in memory.
    """

    backbone: str | None = None
    dask: str | None = None
    memory_limit: float = math.inf

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return self.dataset.classes

    @property
    def bases(self) -> list[FrozenBase]:
        """What has computed the embeddings; empty if they were given."""
        return []

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over the samples' contents, labels, splits and groups."""

    def counts(self, split: Split) -> list[int]:
        """Return how many samples of each class a split has."""
        return counts(self.dataset.items, self.classes, split)

    def labels(self, split: Split) -> list[str]:
        """Return the labels of a split."""
        return [item.label for item in self.dataset.items if item.split == split]

    def groups(self, split: Split) -> np.ndarray | None:
        """Return the groups of a split as numbers, or None if no two samples share a group.

        Returns
        -------
        ndarray of int64, shape (n_samples,), or None
            A group has the same number in both splits.
        """
        if self._group_codes is None:
            return None
        return self._group_codes[[item.split == split for item in self.dataset.items]]

    @functools.cached_property
    def _group_codes(self) -> np.ndarray | None:
        items = self.dataset.items
        return encode_groups([item.group for item in items], len(items))

    @property
    def keeps_groups(self) -> bool:
        """Whether there are groups, none of which is in both splits."""
        train, test = self.groups("train"), self.groups("test")
        return train is not None and test is not None and not np.intersect1d(train, test).size

    def sample_names(self, split: Split) -> list[str]:
        """Return what a table calls the samples of a split: paths below the data's folder."""
        return [
            self.dataset.relative(item.path) for item in self.dataset.items if item.split == split
        ]

    @abstractmethod
    def __call__(self, estimator: Classifier, split: Split) -> np.ndarray | RowsOnDisk:
        """Return a split as `estimator` consumes it."""

    @abstractmethod
    def embeddings(self, split: Split) -> np.ndarray | RowsOnDisk:
        """Return the embeddings of a split, float32 ``(n_samples, n_features)``."""

    @abstractmethod
    def pooled(self, split: Split, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some embeddings of a split, averaged over height and width of the base's output.

        Parameters
        ----------
        split : {"train", "test"}
        rows : ndarray of int, shape (n,)
            Positions in the split.
        """

    @abstractmethod
    def nbytes(self, split: Split) -> int:
        """Return the bytes that the embeddings of a split take in memory."""

    def exceeds(self, split: Split) -> bool:
        """Return whether the embeddings of a split take more memory than they may."""
        return self.nbytes(split) > self.memory_limit

    def bind(self, estimator: Classifier) -> Classifier:
        """Return an estimator that trains a part of the base, with the parameters of this base."""
        return estimator


class ArrayFeatures(Features):
    """Embeddings that the caller has.

    Parameters
    ----------
    dataset : Dataset
        One item for each row of `X`, in the same order.
    X : ndarray of float32, shape (n_samples, n_features)
    """

    def __init__(self, dataset: Dataset, X: np.ndarray, dask: str | None = None) -> None:
        super().__init__(dataset)
        self.dask = dask
        self._rows = {
            split: X[[item.split == split for item in dataset.items]] for split in ("train", "test")
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the embeddings, labels, splits and, if there are any, groups."""
        found = hashlib.sha256()
        for split, rows in self._rows.items():
            found.update(rows.tobytes())
            found.update("\0".join([split, *self.labels(split)]).encode())  # type: ignore[arg-type]
        if self.dataset.has_groups:
            found.update("\0".join(item.group or "" for item in self.dataset.items).encode())
        return found.hexdigest()

    def __call__(self, estimator: Classifier, split: Split) -> np.ndarray:
        """Return the embeddings of a split.

        Raises
        ------
        ClassifierError
            If `estimator` is trained on something else.
        """
        if estimator.consumes != "embeddings":
            raise ClassifierError(
                f"{type(estimator).__name__} is trained on {estimator.consumes}, but the data are "
                "embeddings; leave it out, or give images"
            )
        return self.embeddings(split)

    def embeddings(self, split: Split) -> np.ndarray:
        """Return the embeddings of a split, float32 ``(n_samples, n_features)``."""
        return self._rows[split]

    def pooled(self, split: Split, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some embeddings of a split; they are not averaged, their layout is unknown."""
        return self._rows[split][rows]

    def nbytes(self, split: Split) -> int:
        """Return the bytes that the embeddings of a split take in memory."""
        return self._rows[split].nbytes


class FileFeatures(ArrayFeatures):
    """Embeddings from a file, with the paths of their images.

    Parameters
    ----------
    given : GivenImages
        With a split.
    dask : str, optional
        Address of the Dask cluster that trains.
    """

    def __init__(self, given: GivenImages, dask: str | None = None) -> None:
        super().__init__(given.dataset, given.embeddings.X, dask)
        self.given, self.source = given, given.embeddings.source

    def pooled(self, split: Split, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some embeddings of a split, averaged over height and width if these are known."""
        items = [item for item in self.dataset.items if item.split == split]
        return self.given.pooled([items[row] for row in rows])


@dataclass
class _Memo:
    """What `ImageFeatures` has read so far."""

    samples: dict[tuple[str, Split], np.ndarray | RowsOnDisk] = field(default_factory=dict)
    on_disk: dict[Split, RowsOnDisk] = field(default_factory=dict)
    lower: dict[bool, Prepared] = field(default_factory=dict)


class ImageFeatures(Features):
    """Images and what a frozen base computes from them; each kind is read once, when needed.

    Parameters
    ----------
    prepared : Prepared
        Data set with its embeddings.
    options : Options
        How they were computed.
    progress : Progress
        Called while images are read.
    memory_limit : float, default=math.inf
        Bytes that the embeddings of a split may take in memory. If they take more, they stay on
        disk. Images and activations, which the networks consume, are not limited.
    """

    def __init__(
        self,
        prepared: Prepared,
        options: Options,
        progress: Progress,
        memory_limit: float = math.inf,
    ) -> None:
        super().__init__(prepared.dataset)
        self.prepared, self.options, self.memory_limit = prepared, options, memory_limit
        self.backbone, self.dask = prepared.base.recipe.backbone, options.dask
        self._progress, self._memo = progress, _Memo()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the images' contents, labels, splits and groups."""
        return self.prepared.fingerprint

    @property
    def bases(self) -> list[FrozenBase]:
        """The frozen base, and every other one whose output was consumed so far."""
        return [self.prepared.base, *(prepared.base for prepared in self._memo.lower.values())]

    @property
    def lower(self) -> Prepared | None:
        """The base up to the layer from which a classifier trains the rest, if one does."""
        return self._memo.lower.get(False)

    def __call__(self, estimator: Classifier, split: Split) -> np.ndarray | RowsOnDisk:
        """Return a split as `estimator` consumes it."""
        if estimator.consumes == "embeddings":
            return self.embeddings(split)
        key = (estimator.consumes, split)
        if key not in self._memo.samples:
            self._memo.samples[key] = self._read(estimator, split)
        return self._memo.samples[key]

    def embeddings(self, split: Split) -> np.ndarray | RowsOnDisk:
        """Return the embeddings of a split, in memory unless they exceed the limit."""
        key = ("embeddings", split)
        if key not in self._memo.samples:
            self._memo.samples[key] = (
                self.on_disk(split) if self.exceeds(split) else self.prepared.embeddings(split)
            )
        return self._memo.samples[key]

    def on_disk(self, split: Split) -> RowsOnDisk:
        """Return the embeddings of a split without reading them."""
        if split not in self._memo.on_disk:
            base = self.prepared.base
            read = StoredEmbeddings(base.store.folder.absolute(), base.recipe.fingerprint)
            self._memo.on_disk[split] = RowsOnDisk(read, self.prepared.digests(split))
        return self._memo.on_disk[split]

    def pooled(self, split: Split, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some embeddings of a split, averaged over height and width."""
        digests = self.prepared.digests(split)
        return read_pooled(self.prepared.base, [digests[row] for row in rows])

    def nbytes(self, split: Split) -> int:
        """Return the bytes that the embeddings of a split take in memory."""
        return self.on_disk(split).nbytes

    def bind(self, estimator: Classifier) -> Classifier:
        """Return an estimator that trains a part of the base, with the parameters of this base.

        Raises
        ------
        ClassifierError
            If it names another backbone.
        """
        if estimator.consumes != "activations":
            return estimator
        base = self.options.base
        given, default = estimator.get_params(), type(estimator)().get_params()
        expected = {
            "backbone": self.backbone,
            "size": self.prepared.base.recipe.size,
            "weights": base.weights,
            "cache": None if base.cache is None else str(base.cache),
        }
        for name, value in expected.items():
            if given[name] not in (value, default[name]):
                raise ClassifierError(
                    f"{type(estimator).__name__} has {name}={given[name]!r}, but the embeddings "
                    f"are computed with {value!r}; leave the parameter out"
                )
        bound: Classifier = estimator.set_params(**expected)
        return bound

    def _read(self, estimator: Any, split: Split) -> np.ndarray:
        if estimator.consumes == "activations":
            lower = self._up_to(estimator.freeze_point.layer)
            if split == "train" and estimator.mirror:
                mirrored = self._up_to(estimator.freeze_point.layer, mirrored=True)
                return np.hstack([lower.embeddings(split), mirrored.embeddings(split)])
            return lower.embeddings(split)
        return load_images(
            self.prepared.paths(split),
            self.prepared.base.recipe.pixels,
            reading=self.options.reading,
            progress=self._progress,
        )

    def _up_to(self, layer: str, *, mirrored: bool = False) -> Prepared:
        """Put the output of a lower layer into the cache, too."""
        if mirrored not in self._memo.lower:
            base = dataclasses.replace(
                self.options.base, layer=layer, pooling="none", flip=False, mirrored=mirrored
            )
            options = dataclasses.replace(self.options, base=base)
            self._memo.lower[mirrored] = reembed(self.prepared, options, self._progress)
        return self._memo.lower[mirrored]
