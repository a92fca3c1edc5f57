"""What a run starts from: images and frozen bases, or embeddings that the caller has."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from classify.auditing.embedding_findings import LEFT_OUT, GivenImages, describe_equal
from classify.errors import ClassifierError
from classify.experiment.features import ArrayFeatures, FileFeatures, ImageFeatures
from classify.experiment.memory import (
    check_products,
    computed_sizes,
    expected_sizes,
    limit_of,
    require_memory,
)
from classify.experiment.settings import recorded
from classify.image_data import GIVEN_GROUPS
from extract.datasets.dataset import MINIMUM, Dataset, Item
from extract.datasets.grouping.checks import require_groups
from extract.datasets.grouping.missing import without_missing
from extract.datasets.labels import require_images
from extract.prepare import prepare
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from classify.experiment.candidates import Candidate
    from classify.experiment.settings import RunSettings
    from extract.embedding_files.load import Embeddings
    from extract.options import Options
    from extract.prepare import Prepared
    from reports.records import BackboneChoice
    from toolkit.progress import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageInputs:
    """Images, and the frozen bases that compute their embeddings.

    Parameters
    ----------
    dataset : Dataset
    options : sequence of Options
        One for each base.
    choice : reports.records.BackboneChoice, optional
        How the base was chosen, if it was.
    """

    dataset: Dataset
    options: Sequence[Options]
    choice: BackboneChoice | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the data and of the bases that a record holds."""
        return recorded(self.options)

    def check(self, candidates: Sequence[Candidate], settings: RunSettings) -> None:
        """Check what can be checked before anything is computed.

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, too few images of one, images are too small for a
            classifier, or embeddings do not fit in memory that must be there, as far as their
            number and size are known.
        """
        check_dataset(self.dataset)
        limit = limit_of(settings)
        for i, options in enumerate(self.options):
            check_products(self.dataset, options, candidates, limit)
            sizes = expected_sizes(self.dataset, options, limit)
            if sizes is not None:
                require_memory(sizes, candidates, audit=settings.audit and i == 0)
        _require_size(candidates, self.options[0])

    def features(
        self, candidates: Sequence[Candidate], settings: RunSettings, progress: Progress
    ) -> list[ImageFeatures]:
        """Compute the embeddings that are not in the cache; return the features of each base.

        Raises
        ------
        ToolkitError
            If the weights or the cache cannot be used, or embeddings do not fit in memory that must
            be there.
        """
        bases = [prepare(self.dataset, options, progress) for options in self.options]
        check_same_images(bases)
        features = [
            ImageFeatures(prepared, options, progress, limit_of(settings))
            for prepared, options in zip(bases, self.options, strict=True)
        ]
        for of_base in features:
            audit = settings.audit and of_base is features[0]
            require_memory(computed_sizes(of_base), candidates, audit=audit)
        return features


@dataclass(frozen=True)
class ArrayInputs:
    """Embeddings with labels.

    Parameters
    ----------
    X : ndarray of float32, shape (n_samples, n_features)
    labels : sequence of str, length n_samples
    test_size : float, default=0.2
        Share of every class that becomes the test split. It is drawn by the content of the rows, so
        that two equal rows are always in the same split.
    dask : str, optional
        Address of the Dask cluster that trains.
    groups : sequence of str or None, length n_samples, optional
        Rows of one group are in the same split; None is a group of its own.
    """

    X: np.ndarray
    labels: Sequence[str]
    test_size: float = 0.2
    dask: str | None = None
    groups: Sequence[str | None] | None = None
    choice: ClassVar[None] = None

    @property
    def dataset(self) -> Dataset:
        """The rows as a data set without a split; row 5 has the path ``row-5``."""
        width = len(str(len(self.labels) - 1))
        groups = self.groups or [None] * len(self.labels)
        items = (
            Item(Path(f"row-{row:0{width}}"), label, None, group)
            for row, (label, group) in enumerate(zip(self.labels, groups, strict=True))
        )
        origin = None if self.groups is None else GIVEN_GROUPS
        dataset = Dataset(
            "embeddings", Path(), tuple(items), group_origin=origin, group_setting="groups"
        )
        return without_missing(dataset)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the data that a record holds."""
        return {"test_size": self.test_size, "dask": self.dask}

    def check(self, candidates: Sequence[Candidate], settings: RunSettings) -> None:
        """Check what can be checked before anything is computed.

        Raises
        ------
        ClassifierError
            If there are fewer than two classes, too few samples of one, or something needs images.
        """
        _require_embeddings(candidates)
        if settings.audit:
            raise ClassifierError(
                "the audit looks at images, but the data are embeddings; leave it out, or give "
                "images"
            )
        check_dataset(self.dataset)

    def features(
        self,
        candidates: Sequence[Candidate],  # noqa: ARG002 - as of ImageInputs
        settings: RunSettings,
        progress: Progress,  # noqa: ARG002 - as of ImageInputs
    ) -> list[ArrayFeatures]:
        """Draw the test split."""
        digests = [hashlib.sha256(row.tobytes()).hexdigest() for row in self.X]
        dataset = self.dataset.with_hashed_split(digests, self.test_size, settings.seed)
        return [ArrayFeatures(dataset, self.X, self.dask)]


@dataclass(frozen=True)
class EmbeddingInputs:
    """Embeddings from a file, with labels, paths and perhaps a split.

    Parameters
    ----------
    embeddings : Embeddings
    test_size : float, default=0.2
        Share of every class that becomes the test split, where the file has none. It is drawn by
        the content of the embeddings, or by the names of groups.
    dask : str, optional
        Address of the Dask cluster that trains.
    asked : dict, default={}
        How the file was read, for the record.
    """

    embeddings: Embeddings
    test_size: float = 0.2
    dask: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    choice: ClassVar[None] = None

    @property
    def dataset(self) -> Dataset:
        """The rows of the file, with a split if it has one."""
        return self.embeddings.dataset

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the data that a record holds."""
        return {"test_size": self.test_size, "dask": self.dask, **self.asked}

    def check(self, candidates: Sequence[Candidate], settings: RunSettings) -> None:  # noqa: ARG002
        """Check what can be checked before anything is computed.

        Raises
        ------
        ClassifierError, DataError
            If there are fewer than two classes, too few samples of one, or a classifier needs
            images.
        """
        _require_embeddings(candidates)
        check_dataset(self.dataset)

    def features(
        self,
        candidates: Sequence[Candidate],  # noqa: ARG002 - as of ImageInputs
        settings: RunSettings,
        progress: Progress,  # noqa: ARG002 - as of ImageInputs
    ) -> list[FileFeatures]:
        """Draw the test split, where the file has none."""
        embeddings = self.embeddings.with_split(self.test_size, settings.seed)
        remarks = describe_equal(embeddings.dataset, embeddings.digests())
        if settings.audit:
            remarks.append(LEFT_OUT)
        for remark in remarks:
            logger.warning("%s", remark)
        dataset = embeddings.dataset.with_remarks(remarks)
        given = GivenImages(dataclasses.replace(embeddings, dataset=dataset))
        return [FileFeatures(given, self.dask)]


def _require_embeddings(candidates: Sequence[Candidate]) -> None:
    """Raise an error if a classifier is trained on something else."""
    for candidate in candidates:
        if candidate.consumes != "embeddings":
            raise ClassifierError(
                f"{candidate.name} is trained on images, but the data are embeddings; leave it "
                "out, or give images"
            )


def _require_size(candidates: Sequence[Candidate], options: Options) -> None:
    """Raise an error if images are too small for a classifier that is trained on them."""
    for candidate in candidates:
        smallest = candidate.estimator.min_image_size
        if smallest > 1 and (size := options.base.size_in_pixels) < smallest:
            raise ClassifierError(
                f"images of {size} pixels are too small for {candidate.name}; use a size of "
                f"{smallest} or more, or leave {candidate.name} out",
                setting="size",
            )


def check_dataset(dataset: Dataset) -> None:
    """Check that there are several classes, each with enough images.

    Raises
    ------
    ClassifierError, DataError
        If there are fewer than two classes, a class has too few images in a split, or the groups of
        one cannot be divided.
    """
    classes = dataset.classes
    if len(classes) < 2:
        raise ClassifierError(
            f"a classifier needs at least two classes to tell apart, found one: {classes[0]!r}; "
            "add images or rows of another class"
        )
    require_images(dataset)
    require_groups(dataset)
    if not dataset.has_split:
        return
    numbers = dataset.class_counts()
    for split, minimum in MINIMUM.items():
        small = [name for name in classes if numbers[name][split] < minimum]
        if small:
            listed = ", ".join(f"{name!r} ({numbers[name][split]:,})" for name in small)
            raise ClassifierError(
                f"{plural(len(small), 'class has', 'classes have')} too few images in the {split} "
                f"split: {listed}; expected at least {minimum}; add images, leave the class out, "
                "or correct the label if it is a typing error"
            )


def check_same_images(bases: Sequence[Prepared]) -> None:
    """Check that all bases have embedded the same usable images, and enough of them.

    Raises
    ------
    ClassifierError
        If they have not.
    """
    check_dataset(bases[0].dataset)
    for other in bases[1:]:
        if other.dataset != bases[0].dataset:
            raise ClassifierError(
                "some files changed while they were read, so that the backbones do not have the "
                "same images; run the command again"
            )
