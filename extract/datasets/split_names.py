"""The words that name a split, in folders and in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extract.datasets.dataset import Split

TEST_NAMES = ("test", "val", "valid", "validation")
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(TEST_NAMES, "test"),
}
"""Each word, in lower case, with the split that it names."""
