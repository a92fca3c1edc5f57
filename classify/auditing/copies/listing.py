"""The leaks and copies of a data set, with what proves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from classify.auditing.copies.clusters import parents
from classify.auditing.copies.reading import FeatureReader
from classify.auditing.copies.relation import describe, draw
from classify.auditing.copies.search import find_copies
from classify.auditing.duplicates import near_duplicates
from extract.datasets.same_files import on_both_sides
from extract.images.loading import ReadSettings
from reports.records import SAME_FILE, Copy, Drawing, Leak
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from classify.auditing.copies.geometry import Alignment
    from extract.prepare import Prepared

DRAWN = 100
"""Pairs of each list of which a record holds a drawing, so that it stays small."""


@dataclass(frozen=True)
class CopyFindings:
    """Test images that are in the training split, and all copies."""

    leaks: list[Leak]
    copies: list[Copy]


def list_copies(
    prepared: Prepared,
    signatures: NDArray[np.float32],
    *,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> CopyFindings:
    """Find the images of a data set that are copies of others, within and across the splits.

    Parameters
    ----------
    prepared : Prepared
        The images.
    signatures : ndarray of float32, shape (n_images, n_directions)
        From `classify.auditing.duplicates.signatures`.
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress, optional
        Called while images are read and compared.

    Returns
    -------
    CopyFindings
        Leaks that are the same file come first, copies with two labels come first.
    """
    items = prepared.dataset.items
    alike: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        alike.setdefault(prepared.extraction.digests[item.path], []).append(i)
    files = list(alike.values())
    firsts = [positions[0] for positions in files]
    similar = [(i, j) for i, j, _ in near_duplicates(signatures[firsts])]
    with FeatureReader([items[i].path for i in firsts], reading) as reader:
        proven = [
            (pair.first, pair.second, pair.alignment)
            for pair in find_copies(reader, similar, progress)
        ]
    return CopyFindings(
        _leaks(prepared, signatures, files, proven),
        _copies(prepared, files, proven),
    )


def _leaks(
    prepared: Prepared,
    signatures: NDArray[np.float32],
    files: Sequence[Sequence[int]],
    proven: Sequence[tuple[int, int, Alignment]],
) -> list[Leak]:
    """Return the test images that are copies of training images, each with the surest one."""
    dataset = prepared.dataset
    leaks = [
        Leak(dataset.relative(item.path), dataset.relative(training.path), 1.0, True, SAME_FILE)
        for item, training in on_both_sides(dataset, prepared.extraction.digests)
    ]
    exact = {leak.test for leak in leaks}
    surest: dict[int, tuple[int, Alignment]] = {}
    both_ways = [
        *((second, first, alignment) for first, second, alignment in proven),
        *((first, second, alignment.reversed()) for first, second, alignment in proven),
    ]
    for copy, other, alignment in both_ways:
        training = next((i for i in files[other] if dataset.items[i].split == "train"), None)
        for i in files[copy]:
            if training is None or dataset.items[i].split != "test":
                continue
            if i not in surest or _sureness(alignment) > _sureness(surest[i][1]):
                surest[i] = training, alignment
    ranked = sorted(surest.items(), key=lambda entry: (-len(entry[1][1].points), entry[0]))
    for test, (training, alignment) in ranked:
        path = dataset.relative(dataset.items[test].path)
        if path not in exact:
            cosine = float(min(signatures[test] @ signatures[training], 1.0))
            of = dataset.relative(dataset.items[training].path)
            leaks.append(Leak(path, of, cosine, False, *_evidence(alignment, len(leaks))))
    return leaks


def _copies(
    prepared: Prepared,
    files: Sequence[Sequence[int]],
    proven: Sequence[tuple[int, int, Alignment]],
) -> list[Copy]:
    """Return for each copy one image that it is a copy of, those with two labels first."""
    items = prepared.dataset.items
    same = [(positions[0], i, None) for positions in files for i in positions[1:]]
    edited = [(files[one][0], files[other][0], known) for one, other, known in proven]
    links = sorted(
        parents([*same, *edited]).items(),
        key=lambda link: items[link[0]].label == items[link[1][0]].label,
    )
    copies: list[Copy] = []
    for i, (of, alignment) in links:
        evidence: tuple[str, int, Drawing | None] = (SAME_FILE, 0, None)
        if alignment is not None:
            evidence = _evidence(alignment if of < i else alignment.reversed(), len(copies))
        path, of_path = (prepared.dataset.relative(items[k].path) for k in (i, of))
        copies.append(
            Copy(
                path,
                str(items[i].split),
                items[i].label,
                of_path,
                items[of].label,
                *evidence,
                of_split=str(items[of].split),
            )
        )
    return copies


def _sureness(alignment: Alignment) -> tuple[int, float]:
    return len(alignment.points), alignment.agreement


def _evidence(alignment: Alignment, rank: int) -> tuple[str, int, Drawing | None]:
    """Return relation, number of points and drawing of a copy that has this place in its list."""
    drawing = draw(alignment) if rank < DRAWN else None
    return describe(alignment), len(alignment.points), drawing
