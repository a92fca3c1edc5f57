"""Compute the embeddings of a data set, once it is decided what else they depend on."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract.engines.speeds import remember_speed
from extract.images.hashing import DEEP, DEPTH, hash_images, recall_digests
from extract.pipeline import ExtractionResult
from extract.value_range import describe, find_deep, with_value_range
from toolkit.phases import spent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from extract.cluster.workers import Workers
    from extract.datasets.dataset import Dataset
    from extract.frozen import FrozenBase
    from extract.options import Options
    from toolkit.progress import Progress

logger = logging.getLogger(__name__)

SAMPLE = 64
"""Files by which it is judged whether a cluster hashes new files before it embeds any."""


def embed_dataset(
    base: FrozenBase, dataset: Dataset, options: Options, progress: Progress
) -> tuple[FrozenBase, ExtractionResult, list[str]]:
    """Put the embedding of every image of a data set into the cache.

    Parameters
    ----------
    base : FrozenBase
        It may yet have to be calibrated.
    dataset : Dataset
        Its training images decide the calibration, and what is black and white in images of more
        than 8 bits. If it has no split, they are those of the one that is drawn later.
    options : Options
        How files are read, and where everything is computed.
    progress : Progress
        Called while files are hashed, decoded and computed.

    Returns
    -------
    base : FrozenBase
        What has computed the embeddings.
    extraction : ExtractionResult
    sentences : list of str
        What a reader should know about the values of the images.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with what is kept.
    """
    try:
        with _workers(options) as workers:
            return _Embedding(dataset, options, workers, progress)(base)
    except KeyboardInterrupt as stopped:
        note = "stopped: what was hashed is kept, and the same command goes on from there"
        raise KeyboardInterrupt(str(stopped) or note) from None


def _workers(options: Options) -> AbstractContextManager[Workers | None]:
    if options.dask is None:
        return contextlib.nullcontext()
    from extract.cluster.workers import Workers

    return Workers(options.dask)


@dataclass(frozen=True)
class _Embedding:
    """The work on one data set."""

    dataset: Dataset
    options: Options
    workers: Workers | None
    progress: Progress

    def __call__(self, base: FrozenBase) -> tuple[FrozenBase, ExtractionResult, list[str]]:
        surveyed, recipe = self._survey(base), base.recipe
        base, sentences = self._with_value_range(base)
        if base.needs_calibration:
            base = base.calibrated(
                self._training(base),
                name=self.dataset.name,
                reading=self.options.reading,
                progress=self.progress,
            )
        if surveyed is None:
            extraction = self._extract(base, self._paths)
        else:
            usable = [path for path in self._paths if path not in surveyed.quarantine]
            extraction = self._extract(base, usable, surveyed.digests)
            extraction = _joined(surveyed, extraction, same_recipe=base.recipe == recipe)
        reasons = extraction.quarantine
        in_order = {path: reasons[path] for path in self._paths if path in reasons}
        return base, dataclasses.replace(extraction, quarantine=in_order), sentences

    @functools.cached_property
    def _paths(self) -> list[Path]:
        return [item.path for item in self.dataset.items]

    def _extract(
        self,
        base: FrozenBase,
        paths: list[Path],
        known: Mapping[Path, str] | None = None,
        *,
        postpone_deep: bool = False,
    ) -> ExtractionResult:
        reading, workers, before = self.options.reading, self.workers, spent()
        extraction = base.extract(
            paths,
            batch_size=self.options.batch_size,
            reading=reading,
            loader=workers.embedder(base, reading, postpone_deep) if workers else None,
            known=known,
            progress=self.progress,
        )
        if workers is None:
            phases = {name: seconds - before.get(name, 0.0) for name, seconds in spent().items()}
            remember_speed(base.store.folder, base.recipe, extraction.computed, phases)
        return extraction

    def _survey(self, base: FrozenBase) -> ExtractionResult | None:
        """Let workers hash new files, and embed them if nothing is to be decided before."""
        if self.workers is None:
            return None
        known = recall_digests(self._paths, base.store)
        new = [path for path in self._paths if path not in known]
        if self._are_hashed_first(base, new, known):
            digests, quarantine = self._hash(base, new)
            surveyed = ExtractionResult(digests, quarantine, cached=0, computed=0, seconds=0.0)
        else:
            postpone = base.recipe.interpolation != "lanczos4"
            surveyed = self._extract(base, self._paths, known, postpone_deep=postpone)
        return dataclasses.replace(surveyed, digests=known | surveyed.digests)

    def _are_hashed_first(
        self, base: FrozenBase, paths: list[Path], known: Mapping[Path, str]
    ) -> bool:
        """Return whether to hash new files before any is embedded, judged by a sample of them.

        A base that is to be calibrated needs the SHA-256 of all images. Images of more than 8 bits
        decide together what is black and white, which becomes a part of the recipe of all. Images
        that the cache has, as other files, are not embedded again.
        """
        if base.needs_calibration:
            return True
        digests, _ = self._hash(base, paths[:: max(1, len(paths) // SAMPLE)])
        sample = [*dict.fromkeys(digests.values())]
        depths = base.store.notes.recall(DEPTH, [*sample, *known.values()])
        is_deep = DEEP in depths.values()
        return is_deep or len(base.store.missing(base.recipe.fingerprint, sample)) < len(sample)

    def _hash(self, base: FrozenBase, paths: list[Path]) -> tuple[dict[Path, str], dict[Path, str]]:
        hasher = self.workers.hash if self.workers else None
        return hash_images(
            paths, base.store, reading=self.options.reading, hasher=hasher, progress=self.progress
        )

    def _with_value_range(self, base: FrozenBase) -> tuple[FrozenBase, list[str]]:
        """Decide what is black and white in images of more than 8 bits, and say so."""
        if base.recipe.interpolation == "lanczos4":
            return base, []
        reading = self.options.reading
        deep = find_deep(self._paths, base.store, reading=reading, progress=self.progress)
        if not deep:
            return base, []
        training = self._training(base)
        chosen, origin = (
            {path: deep[path] for path in deep if path in training},
            "over the training images",
        )
        if not chosen:
            chosen, origin = deep, "over all of them, because no training image has"
        recipe = with_value_range(
            base.recipe, chosen, base.store, reading=reading, progress=self.progress
        )
        sentences = [describe(recipe, len(deep), origin)] if recipe != base.recipe else []
        for sentence in sentences:
            logger.info("%s", sentence)
        return base.with_range_of(recipe), sentences

    def _training(self, base: FrozenBase) -> dict[Path, str]:
        """Return the SHA-256 of the training images; the split may have to be assigned first."""
        dataset, options = self.dataset, self.options
        digests, _ = self._hash(base, self._paths)
        readable = dataclasses.replace(
            dataset, items=tuple(item for item in dataset.items if item.path in digests)
        )
        if not readable.has_split:
            readable = readable.with_hashed_split(
                [digests[item.path] for item in readable.items], options.test_size, options.seed
            )
        return {item.path: digests[item.path] for item in readable.items if item.split == "train"}


def _joined(
    surveyed: ExtractionResult, extraction: ExtractionResult, *, same_recipe: bool
) -> ExtractionResult:
    """Return the result of both, of which the second one has found what the first one computed."""
    computed = extraction.computed + (surveyed.computed if same_recipe else 0)
    return dataclasses.replace(
        extraction,
        quarantine=surveyed.quarantine | extraction.quarantine,
        computed=computed,
        cached=len(extraction.digests) - computed,
        seconds=surveyed.seconds + extraction.seconds,
    )
