"""Pairs of pictures that may be copies, because many of their local features are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing.copies.local_features import rooted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.auditing.copies.local_features import LocalFeatures

N_BITS = 28
ROTATIONS = 20
"""Rounds in which the directions of a code are fitted."""
N_DOUBTFUL = 3
"""Bits of a code that are tried both ways when it is looked up."""
MOST_ALIKE = 32
"""A code that more features have is of a common pattern, and says nothing about a picture."""
MIN_VOTES = 4
"""Local features that two pictures must have in common to be compared."""
MOST_OTHERS = 8
"""Pictures with which one is compared at most."""
TURN_STEPS, TURNS = 30, 12
"""Votes agree on a turn if they are within two steps of 30 degrees."""
GROWTHS = 16
"""Votes agree on a scale if they are within two octaves, of this number."""
PICTURES_AT_ONCE = 250
"""Pictures whose features are looked up together."""


@dataclass(frozen=True)
class Sketch:
    """The local features of a picture in a few bytes each.

    Parameters
    ----------
    codes : ndarray of uint32, shape (n,)
        What similar descriptors have in common.
    doubtful : ndarray of uint8, shape (n, N_DOUBTFUL)
        Bits of each code that are nearly as likely to be the other way round.
    angles : ndarray of float16, shape (n,)
        Directions in degrees.
    octaves : ndarray of float16, shape (n,)
        Logarithms of the sizes, to the base of 2.
    """

    codes: NDArray[np.uint32]
    doubtful: NDArray[np.uint8]
    angles: NDArray[np.float16]
    octaves: NDArray[np.float16]

    def lookups(self) -> NDArray[np.uint32]:
        """Return the codes with the doubtful bits both ways; shape (n, 2 ** N_DOUBTFUL)."""
        codes = self.codes[:, None]
        for bit in self.doubtful.T:
            codes = np.hstack([codes, codes ^ (np.uint32(1) << bit.astype(np.uint32))[:, None]])
        return codes


@dataclass(frozen=True)
class BinaryCode:
    """A code that similar descriptors have in common.

    Parameters
    ----------
    mean : ndarray of float32, shape (128,)
    directions : ndarray of float32, shape (128, n_bits)
        A bit says on which side of the mean a descriptor is in one direction.

    References
    ----------
    Y. Gong and S. Lazebnik, Iterative Quantization: A Procrustean Approach to Learning Binary
    Codes, CVPR 2011.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]

    @classmethod
    def fit(cls, descriptors: NDArray[np.uint8]) -> BinaryCode:
        """Choose the directions that lose least of the differences between descriptors.

        Parameters
        ----------
        descriptors : ndarray of uint8, shape (n, 128)
        """
        rows = rooted(descriptors)
        mean = rows.mean(axis=0)
        rows -= mean
        _, vectors = np.linalg.eigh(rows.T @ rows)
        main = vectors[:, -N_BITS:]
        projected = rows @ main
        rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(N_BITS, N_BITS)))
        for _ in range(ROTATIONS):
            signs = np.where(projected @ rotation > 0, 1.0, -1.0)
            left, _, right = np.linalg.svd(projected.T @ signs)
            rotation = left @ right
        return cls(mean, (main @ rotation).astype(np.float32))

    def sketch(self, features: LocalFeatures) -> Sketch:
        """Return the codes of the features of a picture."""
        values = (rooted(features.descriptors) - self.mean) @ self.directions
        weights = np.uint32(1) << np.arange(N_BITS, dtype=np.uint32)
        doubtful = np.argpartition(np.abs(values), N_DOUBTFUL, axis=1)[:, :N_DOUBTFUL]
        return Sketch(
            ((values > 0) @ weights).astype(np.uint32),
            doubtful.astype(np.uint8),
            features.angles.astype(np.float16),
            np.log2(features.sizes).astype(np.float16),
        )


def elect(queries: Sequence[Sketch], sketches: Sequence[Sketch]) -> NDArray[np.int64]:
    """Find the pairs of pictures that have local features in common, in a like arrangement.

    Parameters
    ----------
    queries : sequence of Sketch, length n_queries
        Of the pictures themselves, or of their mirror images.
    sketches : sequence of Sketch, length n
        Of the pictures. A query is not compared with the picture at the same position.

    Returns
    -------
    ndarray of int64, shape (n_pairs, 2)
        Positions of a query and of a picture: of those with at least `MIN_VOTES` votes, up to
        `MOST_OTHERS` with the most votes for each query. Each feature of the query has one vote.
        Those count that agree on how far the picture is turned and enlarged.

    References
    ----------
    H. Jegou, M. Douze and C. Schmid, Hamming Embedding and Weak Geometric Consistency for Large
    Scale Image Search, ECCV 2008.
    """
    index = _Index(sketches)
    starts = range(0, len(queries), PICTURES_AT_ONCE)
    return np.concatenate(
        [index.elected(queries[start : start + PICTURES_AT_ONCE], start) for start in starts]
    )


class _Index:
    """The features of all pictures, sorted by code."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self._n = len(sketches)
        codes, owners, angles, octaves = _flat(sketches)
        order = np.argsort(codes, kind="stable")
        self._codes, self._owners = codes[order], owners[order]
        self._angles, self._octaves = angles[order], octaves[order]

    def elected(self, queries: Sequence[Sketch], start: int) -> NDArray[np.int64]:
        """Return the pairs of some queries, of which the first is at position `start`."""
        _, owners, angles, octaves = _flat(queries)
        voters, hits = self._look_up(np.concatenate([query.lookups() for query in queries]))
        askers, others = start + owners[voters], self._owners[hits]
        pairs = askers * self._n + others
        # Most pairs have a feature or two in common by chance.
        _, inverse, n_hits = np.unique(pairs, return_inverse=True, return_counts=True)
        kept = (n_hits[inverse] >= MIN_VOTES) & (askers != others)
        voters, hits, pairs = voters[kept], hits[kept], pairs[kept]
        turns = ((self._angles[hits] - angles[voters]) % 360 // TURN_STEPS).astype(np.int64)
        growths = np.floor(self._octaves[hits] - octaves[voters]).astype(np.int64)
        windows = np.concatenate(
            [
                (pairs * TURNS + (turns - turn) % TURNS) * GROWTHS
                + np.clip(growths - growth + GROWTHS // 2, 0, GROWTHS - 1)
                for turn in (0, 1)  # each window overlaps the next one by half
                for growth in (0, 1)
            ]
        )
        ballots = np.unique(windows * len(owners) + np.tile(voters, 4))
        windows, votes = np.unique(ballots // len(owners), return_counts=True)
        return self._most_votes(windows // (TURNS * GROWTHS), votes)

    def _look_up(self, lookups: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which feature has a code in common with which feature of the index."""
        first = np.searchsorted(self._codes, lookups, "left")
        numbers = np.searchsorted(self._codes, lookups, "right") - first
        numbers[numbers.sum(axis=1) > MOST_ALIKE] = 0
        voters = np.repeat(np.arange(len(lookups)), numbers.sum(axis=1))
        numbers = numbers.ravel()
        before = np.cumsum(numbers) - numbers
        return voters, np.repeat(first.ravel() - before, numbers) + np.arange(len(voters))

    def _most_votes(self, pairs: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the pairs with the most votes in any window, up to `MOST_OTHERS` per query."""
        order = np.lexsort([-votes, pairs])
        _, best = np.unique(pairs[order], return_index=True)
        pairs, votes = pairs[order][best], votes[order][best]
        pairs, votes = pairs[votes >= MIN_VOTES], votes[votes >= MIN_VOTES]
        askers, others = np.divmod(pairs, self._n)
        order = np.lexsort([-votes, askers])
        ranks = np.arange(len(order)) - np.searchsorted(askers[order], askers[order], "left")
        chosen = order[ranks < MOST_OTHERS]
        return np.stack([askers[chosen], others[chosen]], axis=1)


def _flat(
    sketches: Sequence[Sketch],
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return codes, owners, angles and octaves of the features of all sketches together."""
    return (
        np.concatenate([sketch.codes for sketch in sketches]),
        np.repeat(np.arange(len(sketches)), [len(sketch.codes) for sketch in sketches]),
        np.concatenate([sketch.angles for sketch in sketches]).astype(np.float32),
        np.concatenate([sketch.octaves for sketch in sketches]).astype(np.float32),
    )
