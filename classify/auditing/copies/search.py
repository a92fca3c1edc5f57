"""Find the pictures that are copies of others: turned, cropped, mirrored or edited."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.copies.geometry import Alignment, prove
from classify.auditing.copies.votes import BinaryCode, elect
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from classify.auditing.copies.local_features import LocalFeatures
    from classify.auditing.copies.reading import FeatureReader
    from classify.auditing.copies.votes import Sketch

SAMPLE = 100
"""Pictures, drawn at random, that the code of local features is fitted to."""
PAIRS_AT_ONCE = 250
"""Pairs whose pictures are in memory together."""


@dataclass(frozen=True)
class ProvenPair:
    """Two pictures of which one is a copy of the other.

    Parameters
    ----------
    first, second : int
        Positions of the pictures, the smaller one first.
    alignment : Alignment
        Where the second is in the first.
    """

    first: int
    second: int
    alignment: Alignment


def find_copies(
    reader: FeatureReader,
    similar: Sequence[tuple[int, int]] = (),
    progress: Progress = silent,
) -> list[ProvenPair]:
    """Find pairs of pictures of which one is a copy of the other.

    Parameters
    ----------
    reader : FeatureReader
        Of files with different contents.
    similar : sequence of (int, int), optional
        Positions of pictures that may be copies for other reasons, such as their embeddings.
    progress : Progress, optional
        Called while pictures are read and compared.

    Returns
    -------
    list of ProvenPair
        Sorted. What `prove` cannot prove is not in it.

    Notes
    -----
    Pairs are proposed that have local features in common, also with one of them mirrored. Their
    number, and the time, grows with the number of pictures and not with that of all pairs. The
    codes of features take 22 bytes each. The features of proposed pairs are found again, unless
    their pictures are among the first ones, whose features are kept.
    """
    pairs = {(min(pair), max(pair)) for pair in similar}
    pairs |= {(min(pair), max(pair)) for pair in _elected(reader, progress).tolist()}
    return list(_proven(reader, sorted(pairs), progress))


def _elected(reader: FeatureReader, progress: Progress) -> NDArray[np.int64]:
    """Return pairs of pictures with local features in common; shape (n_pairs, 2)."""
    n = len(reader)
    order = np.random.default_rng(0).permutation(n).tolist()
    stream = reader.read(order)
    sample = list(itertools.islice(stream, SAMPLE))
    code = BinaryCode.fit(np.concatenate([features.descriptors for features in sample]))
    sketches: dict[int, tuple[Sketch, Sketch]] = {}
    for i, features in zip(order, itertools.chain(sample, stream), strict=True):
        sketches[i] = code.sketch(features), code.sketch(features.mirrored())
        progress("auditing: reading local features", len(sketches), n)
    upright, mirrored = zip(*(sketches[i] for i in range(n)), strict=True)
    return np.concatenate([elect(upright, upright), elect(mirrored, upright)])


def _proven(
    reader: FeatureReader, pairs: Sequence[tuple[int, int]], progress: Progress
) -> Iterator[ProvenPair]:
    """Compare pairs, those with the same first picture together."""
    features: dict[int, LocalFeatures] = {}

    def compare(pair: tuple[int, int]) -> Alignment | None:
        return prove(features[pair[1]], features[pair[0]])

    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        block = pairs[start : start + PAIRS_AT_ONCE]
        needed = sorted(set(itertools.chain(*block)))
        features = dict(zip(needed, reader.read(needed), strict=True))
        for pair, alignment in zip(block, reader.map(compare, block), strict=True):
            if alignment is not None:
                yield ProvenPair(*pair, alignment)
        progress("auditing: comparing likely copies", start + len(block), len(pairs))
