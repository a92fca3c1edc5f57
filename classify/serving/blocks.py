"""Image files in blocks: memory does not grow with their number."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from extract.errors import ImageError
from extract.images.pixels import describe
from extract.images.rendering import missing_extras
from extract.value_range import adapted, find_deep
from toolkit.addresses import as_path
from toolkit.progress import Progress, as_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.serving.samples import SampleReader, Samples
    from extract.images.pixels import Remark
    from extract.pipeline import ExtractionResult
    from extract.recipe import Recipe

FILES_PER_BLOCK = 2048
"""Files that are hashed and embedded together: enough to keep decoders and network busy."""
BYTES_PER_READ = 128 * 2**20
"""Memory for the samples that a classifier gets at once."""
_FEWEST_PER_READ = 32

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """Some of the files, in their order, as a classifier takes them.

    Parameters
    ----------
    files : list of Path
        All files of the block.
    usable : list of Path
        Those that are images, in the order of `samples`.
    samples : Samples or None
        None if no file is usable.
    unusable : dict from Path to str
        The other files, each with the reason.
    """

    files: list[Path]
    usable: list[Path]
    samples: Samples | None
    unusable: dict[Path, str]


def recipe_for(reader: SampleReader, files: Sequence[Path | str]) -> Recipe:
    """Return the recipe for files, which says what is black and white in deep ones.

    What the recipe of the training does not say is decided over all these files together, and
    logged.

    Parameters
    ----------
    reader : SampleReader
    files : sequence of Path or str
        Image files or their addresses.
    """
    base = reader.base
    if base.recipe.interpolation == "lanczos4":
        return base.recipe
    deep: list[Path] = []
    with as_progress(reader.progress) as report:
        for start in range(0, len(files), FILES_PER_BLOCK):
            deep += find_deep(
                _paths(files, start),
                base.store,
                reading=reader.reading,
                progress=_shifted(report, "hashing images", start, len(files)),
            )
        return adapted(base.recipe, deep, base.store, reading=reader.reading, progress=report)


def embed_files(reader: SampleReader, files: Sequence[Path]) -> tuple[Recipe, ExtractionResult]:
    """Embed all files at once; log what a reader should know about them.

    Parameters
    ----------
    reader : SampleReader
    files : sequence of Path
    """
    recipe = recipe_for(reader, files)
    with as_progress(reader.progress) as report:
        done = reader.extract(files, recipe, report)
    for sentence in describe({str(path): remark for path, remark in done.remarks.items()}):
        logger.warning("%s", sentence)
    return recipe, done


def read_blocks(
    reader: SampleReader, files: Sequence[Path | str], recipe: Recipe, *, pooled: bool
) -> Iterator[Block]:
    """Embed files block by block, and yield their samples.

    What a reader should know about the images is logged once, after the last block.

    Parameters
    ----------
    reader : SampleReader
    files : sequence of Path or str
        Image files or their addresses; texts take less memory.
    recipe : Recipe
        From `recipe_for`, over all files of the same job.
    pooled : bool
        Whether the averaged embeddings are needed.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, with a message that says how far it got.
    """
    remarks: dict[str, Remark] = {}
    unusable: dict[Path, str] = {}
    for start in range(0, len(files), FILES_PER_BLOCK):
        block = _paths(files, start)
        done = _embed(reader, block, recipe, start, len(files))
        remarks |= {str(path): remark for path, remark in done.remarks.items()}
        unusable |= done.quarantine
        n_files = _files_per_read(reader, recipe, done)
        for first in range(0, len(block), n_files):
            yield _read(reader, block[first : first + n_files], recipe, done, pooled=pooled)
    for sentence in [*missing_extras(unusable), *describe(remarks)]:
        logger.warning("%s", sentence)


def read_rows(
    reader: SampleReader, rows: Sequence[Path | NDArray[np.uint8]], *, pooled: bool
) -> Iterator[tuple[list[int], Samples]]:
    """Yield the samples of files and of images in memory, with their positions in `rows`.

    Parameters
    ----------
    reader : SampleReader
    rows : sequence of Path or ndarray of uint8, shape (height, width, 3)
    pooled : bool
        Whether the averaged embeddings are needed.

    Raises
    ------
    ImageError
        If a file cannot be used; the message names its row.
    """
    arrays = {i: row for i, row in enumerate(rows) if isinstance(row, np.ndarray)}
    files = {i: row for i, row in enumerate(rows) if not isinstance(row, np.ndarray)}
    paths, positions = list(files.values()), iter(files)
    blocks = read_blocks(reader, paths, recipe_for(reader, paths), pooled=pooled) if files else ()
    for block in blocks:
        chosen = list(itertools.islice(positions, len(block.files)))
        for row, file in zip(chosen, block.files, strict=True):
            if file in block.unusable:
                raise ImageError(
                    f"row {row}: {file} cannot be used as an image: {block.unusable[file]}"
                )
        if block.samples is not None:
            yield chosen, block.samples
    if arrays:
        yield list(arrays), reader.of_arrays(list(arrays.values()), pooled=pooled)


def _paths(files: Sequence[Path | str], start: int) -> list[Path]:
    return [as_path(str(file)) for file in files[start : start + FILES_PER_BLOCK]]


def _embed(
    reader: SampleReader, block: list[Path], recipe: Recipe, start: int, total: int
) -> ExtractionResult:
    """Embed one block, and report how many of all files are done."""
    stage = "computing embeddings"
    with as_progress(reader.progress) as report:
        try:
            done = reader.extract(block, recipe, _shifted(report, stage, start, total))
        except KeyboardInterrupt as stopped:
            if total <= FILES_PER_BLOCK:
                raise
            raise KeyboardInterrupt(
                f"stopped after {start:,} of {total:,} images; all embeddings are kept, and the "
                "same command goes on from there"
            ) from stopped
        report(stage, start + len(block), total)
    return done


def _shifted(report: Progress, stage: str, start: int, n_files: int) -> Progress:
    """Return what reports one stage of a block as a part of all files, and no other stage."""
    of_all = stage

    def shifted(stage: str, done: int, total: int) -> None:
        if n_files <= FILES_PER_BLOCK:
            report(stage, done, total)
        elif stage == of_all:
            report(stage, start + done, n_files)

    return shifted


def _files_per_read(reader: SampleReader, recipe: Recipe, done: ExtractionResult) -> int:
    """Return how many files fit in `BYTES_PER_READ`."""
    digest = next(iter(done.digests.values()), None)
    if digest is None:
        return FILES_PER_BLOCK
    return max(_FEWEST_PER_READ, BYTES_PER_READ // reader.row_bytes(recipe, digest))


def _read(
    reader: SampleReader,
    files: list[Path],
    recipe: Recipe,
    done: ExtractionResult,
    *,
    pooled: bool,
) -> Block:
    usable = [file for file in files if file in done.digests]
    samples = reader.of_files(usable, done.digests, recipe, pooled=pooled) if usable else None
    unusable = {file: done.quarantine[file] for file in files if file not in done.digests}
    return Block(files, usable, samples, unusable)
