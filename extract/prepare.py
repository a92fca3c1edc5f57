"""From what a user asks for to a data set whose every image has its embedding in the cache."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cache.errors import CacheError
from extract.datasets.load import load_unsplit
from extract.errors import DataError
from extract.frozen import FrozenBase
from extract.pipeline import hash_images
from toolkit.csv_cells import write_quarantine
from toolkit.progress import Progress, silent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        The usable images, each with a split.
    base : FrozenBase
        What turned them into embeddings, and keeps these.
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
        """SHA-256 over the images' contents, labels and splits: the identity of the data."""
        lines = sorted(
            f"{self.extraction.digests[item.path]} {item.split} {item.label}\n"
            for item in self.dataset.items
        )
        text = "".join(lines).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints of an extraction."""
        done = self.extraction
        return {
            "data": self.dataset.name,
            "images": len(done.digests) + len(done.quarantine),
            "cached": done.cached,
            "computed": done.computed,
            "quarantined": len(done.quarantine),
            "quarantine": str(self.quarantine_csv) if self.quarantine_csv else None,
            "seconds": round(done.seconds, 3),
            "recipe": self.base.to_dict(),
        }


def find_dataset(options: Options, progress: Progress = silent) -> Dataset:
    """Find the data set that the options name, downloading, unpacking or drawing it if need be.

    Raises
    ------
    ToolkitError
        If there is no such data set, or it cannot be had.
    """
    return load_unsplit(
        options.data,
        labels=options.labels,
        cache=options.base.cache,
        mirror_url=options.mirror_url,
        progress=progress,
    )


def prepare(dataset: Dataset, options: Options, progress: Progress = silent) -> Prepared:
    """Find the weights, and put the embedding of every image of a data set into the cache.

    Parameters
    ----------
    dataset : Dataset
        See `find_dataset`.
    options : Options
        Which base to use, and how.
    progress : Progress
        Told of downloading, hashing and computing.

    Returns
    -------
    Prepared

    Raises
    ------
    ToolkitError
        If the weights or the cache cannot be used, or a class has no usable image.
    """
    base, done = _embed(dataset, options, progress)
    usable = _without_quarantined(dataset, done)
    _note_contradictions(usable, done)
    if not usable.has_split:
        digests = [done.digests[item.path] for item in usable.items]
        usable = usable.with_hashed_split(digests, options.test_size, options.seed)
    listed = _list_quarantined(base.store.folder, dataset, done.quarantine)
    return Prepared(usable, base, done, listed)


def reembed(prepared: Prepared, options: Options, progress: Progress = silent) -> Prepared:
    """Put other embeddings of the same images into the cache too.

    Parameters
    ----------
    prepared : Prepared
        Its usable images and their splits stay as they are.
    options : Options
        Another base, or another layer of it.
    progress : Progress
        Told of computing.

    Returns
    -------
    Prepared
        The same data set with those embeddings.

    Raises
    ------
    ToolkitError
        If the weights or the cache cannot be used.
    """
    base, done = _embed(prepared.dataset, options, progress)
    return dataclasses.replace(prepared, base=base, extraction=done)


def copies(dataset: Dataset, digests: Mapping[Path, str]) -> list[tuple[Item, Item]]:
    """Return every image that is the same file as one before it, with the first of them.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping of Path to str
        SHA-256 of the bytes of each image.
    """
    firsts: dict[str, Item] = {}
    pairs = [(item, firsts.setdefault(digests[item.path], item)) for item in dataset.items]
    return [(item, first) for item, first in pairs if first is not item]


def _embed(
    dataset: Dataset, options: Options, progress: Progress
) -> tuple[FrozenBase, ExtractionResult]:
    """Choose the base, calibrate it if need be, and extract."""
    base = FrozenBase.choose(options.base, progress=progress)
    if base.needs_calibration:
        base = _calibrate(base, dataset, options, progress)
    open_loader = None
    if options.dask is not None:
        from extract.cluster.extraction import loading

        open_loader = functools.partial(loading, options.dask, base, options.reading)
    done = base.extract(
        [item.path for item in dataset.items],
        batch_size=options.batch_size,
        reading=options.reading,
        open_loader=open_loader,
        progress=progress,
    )
    return base, done


def _calibrate(
    base: FrozenBase, dataset: Dataset, options: Options, progress: Progress
) -> FrozenBase:
    """Quantise the base on images of the training split, which may have to be drawn first."""
    paths = [item.path for item in dataset.items]
    digests, _ = hash_images(paths, base.store, reading=options.reading, progress=progress)
    readable = dataclasses.replace(
        dataset, items=tuple(item for item in dataset.items if item.path in digests)
    )
    if not readable.has_split:
        readable = readable.with_hashed_split(
            [digests[item.path] for item in readable.items], options.test_size, options.seed
        )
    return base.calibrated(
        {item.path: digests[item.path] for item in readable.items if item.split == "train"},
        name=dataset.name,
        reading=options.reading,
        progress=progress,
    )


def _without_quarantined(dataset: Dataset, done: ExtractionResult) -> Dataset:
    usable = tuple(item for item in dataset.items if item.path in done.digests)
    left = dataclasses.replace(dataset, items=usable)
    for label in dataset.classes:
        if label not in left.classes:
            path = next(item.path for item in dataset.items if item.label == label)
            raise DataError(
                f"no usable image in class {label!r}; {path} for one: {done.quarantine[path]}; "
                "replace these files or leave the class out"
            )
    return left


def _note_contradictions(dataset: Dataset, done: ExtractionResult) -> None:
    """Log that images are in two classes: no classifier can be right about both labels."""
    twice = {
        first.path: other.path
        for other, first in copies(dataset, done.digests)
        if other.label != first.label
    }
    if twice:
        first, second = next(iter(twice.items()))
        logger.info(
            "%s in more than one class, for example %s and %s, which are the same file; an audit "
            "lists them",
            plural(len(twice), "image is", "images are"),
            dataset.relative(first),
            dataset.relative(second),
        )


def _list_quarantined(folder: Path, dataset: Dataset, quarantine: dict[Path, str]) -> Path | None:
    """Write the data set's quarantine.csv, or remove the one of an earlier run."""
    root = hashlib.sha256(str(dataset.root).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    listed = folder / "quarantine" / f"{dataset.name}-{root}" / "quarantine.csv"
    if not quarantine:
        listed.unlink(missing_ok=True)
        return None
    try:
        listed.parent.mkdir(parents=True, exist_ok=True)
        write_quarantine(listed, ((str(path), reason) for path, reason in quarantine.items()))
    except OSError as error:
        raise CacheError(f"cannot write {listed}: {error.strerror or error}") from error
    return listed
