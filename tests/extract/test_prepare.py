"""The identity of prepared data: contents, labels, splits and groups."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from extract.datasets.dataset import Dataset, Item
from extract.prepare import Prepared

ITEMS = (
    Item(Path("/d/1.png"), "cat", "train"),
    Item(Path("/d/2.png"), "dog", "train"),
    Item(Path("/d/3.png"), "dog", "test"),
)


def prepared(*groups: str | None) -> Prepared:
    items = tuple(
        dataclasses.replace(item, group=group) for item, group in zip(ITEMS, groups, strict=True)
    )
    extraction: Any = SimpleNamespace(digests={item.path: item.path.stem * 64 for item in items})
    base: Any = None
    return Prepared(Dataset("d", Path("/d"), items), base, extraction, None)


def test_without_groups_the_fingerprint_is_that_of_earlier_versions() -> None:
    lines = [f"{'1' * 64} train cat\n", f"{'2' * 64} train dog\n", f"{'3' * 64} test dog\n"]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert prepared(None, None, None).fingerprint == expected


def test_other_groups_are_other_data_with_the_same_images_and_labels() -> None:
    found = [
        prepared(*groups)
        for groups in [
            (None, None, None),
            ("a", "a", "b"),
            ("a", "b", "b"),
            ("a", None, "b"),
            ("\udcff", None, None),
        ]
    ]
    assert len({each.fingerprint for each in found}) == 5
    assert len({each.label_fingerprint for each in found}) == 1
    assert len({each.image_fingerprint for each in found}) == 1
