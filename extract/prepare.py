"""From the options of a command to a data set whose embeddings are all in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.errors import CacheError
from extract.datasets.grouping.checks import groups_summary
from extract.datasets.labels import require_images, require_usable
from extract.datasets.load import load_unsplit
from extract.datasets.same_files import describe_copies, require_different_images
from extract.embedding import embed_dataset
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from extract.images.pixels import describe
from extract.images.rendering import missing_extras
from toolkit.csv_cells import write_quarantine
from toolkit.phases import phase
from toolkit.progress import Progress, silent
from toolkit.wording import plural, set_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from extract.datasets.dataset import Dataset, Item, Split
    from extract.options import Options
    from extract.pipeline import ExtractionResult


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A data set with its embeddings.

    Parameters
    ----------
    dataset : Dataset
        The usable images, each assigned to a split.
    base : FrozenBase
        What computes and stores the embeddings.
    extraction : ExtractionResult
        Digests, quarantined files and counts.
    quarantine_csv : Path or None
        List of the quarantined files; None if there are none.
    """

    dataset: Dataset
    base: FrozenBase
    extraction: ExtractionResult
    quarantine_csv: Path | None

    def paths(self, split: Split) -> list[Path]:
        """Return the image files of one split, in the data set's order."""
        return [item.path for item in self.dataset.items if item.split == split]

    def labels(self, split: Split) -> list[str]:
        """Return the class names of one split's images, in the same order."""
        return [item.label for item in self.dataset.items if item.split == split]

    def digests(self, split: Split) -> list[str]:
        """Return the SHA-256 of one split's files, in the same order."""
        return [self.extraction.digests[path] for path in self.paths(split)]

    def embeddings(self, split: Split) -> np.ndarray:
        """Read one split's embeddings, in the same order.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples, n_features)
            Flattened in C order: height, width, channel.
        """
        return self.base.embeddings(self.digests(split))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the images' contents, labels, splits and groups: the identity of the data.

        Where there are no groups, it is that of contents, labels and splits.
        """
        return self._fingerprint(
            lambda item: (
                f" {item.split} {item.label}" + ("" if item.group is None else f"\0{item.group}")
            )
        )

    @property
    def image_fingerprint(self) -> str:
        """SHA-256 over the images' contents alone."""
        return self._fingerprint(lambda _: "")

    @property
    def label_fingerprint(self) -> str:
        """SHA-256 over the images' contents and labels."""
        return self._fingerprint(lambda item: f" {item.label}")

    def _fingerprint(self, about: Callable[[Item], str]) -> str:
        digests = self.extraction.digests
        lines = sorted(f"{digests[item.path]}{about(item)}\n" for item in self.dataset.items)
        text = "".join(lines).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()

    def summary(self) -> dict[str, Any]:
        """Return a summary of the extraction that can be written as JSON."""
        extraction = self.extraction
        return {
            "data": self.dataset.name,
            "layout": self.dataset.layout.name,
            "classes": self.dataset.class_counts(),
            "groups": groups_summary(self.dataset),
            "passed_over": self.dataset.layout.passed_over,
            "remarks": list(self.dataset.layout.remarks),
            "images": len(extraction.digests) + len(extraction.quarantine),
            "cached": extraction.cached,
            "computed": extraction.computed,
            "quarantined": len(extraction.quarantine),
            "quarantine": str(self.quarantine_csv) if self.quarantine_csv else None,
            "seconds": round(extraction.seconds, 3),
            "recipe": self.recipe(),
        }

    def recipe(self) -> dict[str, Any]:
        """Return the recipe for records; see `extract.frozen.FrozenBase.to_dict`.

        With int8, ``calibration`` also says how many of its images are in this training split. All
        are, unless it was made for an earlier state or another split of the data set, or unusable
        files have moved the border of the split.
        """
        fields, calibration = self.base.to_dict(), self.base.calibration
        if calibration is not None:
            n_training = len(set(calibration.images).intersection(self.digests("train")))
            fields["calibration"]["in_training_split"] = n_training
        return fields


def find_dataset(
    options: Options,
    progress: Progress = silent,
    *,
    to_split: bool = True,
    advise: Callable[[str, str], str] = set_to,
) -> Dataset:
    """Find the data set that the options name; download, unpack or draw it if necessary.

    Parameters
    ----------
    options : Options
        What names it, and how its files become classes and splits.
    progress : Progress, optional
        Called while files are downloaded.
    to_split : bool, default=True
        Whether a class too small to be split is an error.
    advise : callable, optional
        See `extract.datasets.grouping.sources.with_groups`.

    Raises
    ------
    ToolkitError
        If there is no such data set, or it cannot be downloaded or read.
    """
    return load_unsplit(
        options.data,
        labels=options.labels,
        settings=options.data_settings,
        cache=options.base.cache,
        mirror_url=options.mirror_url,
        progress=progress,
        to_split=to_split,
        advise=advise,
    )


@phase("checking images and splits")
def prepare(dataset: Dataset, options: Options, progress: Progress = silent) -> Prepared:
    """Find the weights, and put the embedding of every image of a data set into the cache.

    Parameters
    ----------
    dataset : Dataset
        See `find_dataset`.
    options : Options
        Which base to use, and how.
    progress : Progress
        Called while files are downloaded, hashed and computed.

    Returns
    -------
    Prepared

    Raises
    ------
    ToolkitError
        If the weights or the cache cannot be used, or a class has too few images.
    """
    require_images(dataset)
    base = FrozenBase.choose(options.base, progress=progress)
    require_different_images(
        dataset,
        lambda paths: hash_images(paths, base.store, reading=options.reading, progress=progress)[0],
    )
    base, extraction, sentences = embed_dataset(base, dataset, options, progress)
    sentences += _note_pixels(dataset, extraction)
    usable = _without_quarantined(dataset, extraction)
    if not usable.has_split:
        digests = [extraction.digests[item.path] for item in usable.items]
        usable = usable.with_hashed_split(digests, options.test_size, options.seed)
    about_copies = describe_copies(usable, extraction.digests)
    for sentence in about_copies:
        logger.warning("%s", sentence)
    usable = usable.with_remarks(sentences + about_copies + _note_test_labels(usable))
    quarantine_csv = _write_quarantine_csv(base.store.folder, dataset, extraction.quarantine)
    return Prepared(usable, base, extraction, quarantine_csv)


@phase("checking images and splits")
def reembed(prepared: Prepared, options: Options, progress: Progress = silent) -> Prepared:
    """Put embeddings of the same images by another base into the cache.

    Parameters
    ----------
    prepared : Prepared
        Its usable images and their splits stay as they are.
    options : Options
        The other base, or another layer of the same one.
    progress : Progress
        Called while embeddings are computed.

    Returns
    -------
    Prepared
        The same data set with these embeddings.

    Raises
    ------
    ToolkitError
        If the weights or the cache cannot be used.
    """
    base = FrozenBase.choose(options.base, progress=progress)
    base = base.with_range_of(prepared.base.recipe)
    base, extraction, _ = embed_dataset(base, prepared.dataset, options, progress)
    return dataclasses.replace(prepared, base=base, extraction=extraction)


def _note_pixels(dataset: Dataset, extraction: ExtractionResult) -> list[str]:
    """Log what a reader should know about pixels, and which extras are missing."""
    remarks = {dataset.relative(path): remark for path, remark in extraction.remarks.items()}
    sentences = [*describe(remarks), *missing_extras(extraction.quarantine)]
    for sentence in sentences:
        logger.warning("%s", sentence)
    return sentences


def _note_test_labels(dataset: Dataset) -> list[str]:
    """Log how many labels of test images were changed, because that changes what is measured."""
    changed = [path for path in dataset.test.paths if path in dataset.relabelled]
    if not changed:
        return []
    sentence = (
        f"the labels of {len(changed):,} of {plural(len(dataset.test), 'test image')} were changed "
        f"(for example {dataset.relative(changed[0])}), so the figures are measured against "
        "other labels; do not compare them with those of earlier runs"
    )
    logger.warning("%s", sentence)
    return [sentence]


def _without_quarantined(dataset: Dataset, extraction: ExtractionResult) -> Dataset:
    usable = tuple(item for item in dataset.items if item.path in extraction.digests)
    require_usable(dataset, extraction.quarantine)
    return dataclasses.replace(dataset, items=usable)


def _write_quarantine_csv(
    folder: Path, dataset: Dataset, quarantine: dict[Path, str]
) -> Path | None:
    """Write the data set's quarantine.csv, or remove the one of an earlier run."""
    root = hashlib.sha256(str(dataset.root).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    quarantine_csv = folder / "quarantine" / f"{dataset.name}-{root}" / "quarantine.csv"
    if not quarantine:
        quarantine_csv.unlink(missing_ok=True)
        return None
    try:
        quarantine_csv.parent.mkdir(parents=True, exist_ok=True)
        write_quarantine(
            quarantine_csv, ((str(path), reason) for path, reason in quarantine.items())
        )
    except OSError as error:
        raise CacheError(f"cannot write {quarantine_csv}: {error.strerror or error}") from error
    return quarantine_csv
