"""What the index says of shards, rows and recipes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShardEntry:
    """A shard as the index describes it; recipes with identical embeddings share a shard.

    Parameters
    ----------
    name : str
        SHA-256 of the file's bytes.
    shape : tuple of int
        (n_rows, ...).
    dtype : str
        As NumPy writes it, for example ``"<f4"``.
    bytes : int
        Size of the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int

    def has_rows(self, *positions: object) -> bool:
        """Tell whether these are positions of rows; those of a damaged index may be anything."""
        return all(
            type(position) is int and 0 <= position < self.shape[0] for position in positions
        )


@dataclass(frozen=True)
class RowEntry:
    """Where an embedding is: its shard, its position there, and its `checksum`."""

    shard: ShardEntry
    position: int
    checksum: bytes


@dataclass(frozen=True)
class NamedRow:
    """A row of a shard with its recipe and image."""

    fingerprint: str
    digest: str
    position: int
    checksum: bytes


@dataclass(frozen=True)
class RecipeEntry:
    """What the cache contains of a recipe; times are in seconds since 1970."""

    fingerprint: str
    canonical: str
    rows: int
    shards: int
    bytes: int
    first: float
    last: float
    used: float
