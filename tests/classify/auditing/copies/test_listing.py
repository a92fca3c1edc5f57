"""Copies within and across the splits, from image files to leaks, copies and groups."""

from __future__ import annotations

import hashlib
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from classify.auditing.copies.listing import list_copies
from extract.datasets.dataset import Dataset, Item
from reports.copy_groups import copy_groups
from tests.classify.auditing.copies.pictures import bordered, textured, turned

if TYPE_CHECKING:
    from pathlib import Path

    from classify.auditing.copies.listing import CopyFindings

N_OTHERS = 30


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Write pictures, of which some are copies; only what the function reads of a data set."""
    root = tmp_path_factory.mktemp("pictures")
    pictures = {f"train/{i:02}.png": textured(i) for i in range(N_OTHERS)}
    pictures |= {f"test/{i:02}.png": textured(100 + i) for i in range(10)}
    pictures["train/turned.png"] = turned(textured(3), 25)
    pictures["train/grey.png"] = np.repeat(textured(3).mean(axis=2, keepdims=True), 3, axis=2)
    pictures["test/mirrored.png"] = bordered(textured(5)[:, ::-1])
    pictures["test/cropped.png"] = textured(103)[20:160, 20:220]
    pictures["test/black.png"] = np.zeros((50, 60, 3), np.uint8)
    pictures["train/black.png"] = np.zeros((60, 50, 3), np.uint8)
    for name, image in pictures.items():
        (root / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(root / name), image)
    shutil.copy(root / "train" / "07.png", root / "test" / "same.png")
    (root / "train" / "gone.png").write_bytes(b"not an image any more")
    paths = sorted(root.rglob("*.png"))
    items = tuple(Item(path, label_of(path), path.parent.name) for path in paths)
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    dataset = Dataset("pictures", root, items)
    return SimpleNamespace(dataset=dataset, extraction=SimpleNamespace(digests=digests))


def label_of(path: Path) -> str:
    return "other" if path.name == "grey.png" else "picture"


def found(prepared: SimpleNamespace) -> CopyFindings:
    signatures = np.eye(len(prepared.dataset.items), 64, dtype=np.float32)
    return list_copies(prepared, signatures)


@pytest.fixture(scope="module")
def findings(prepared: SimpleNamespace) -> CopyFindings:
    """Search once; the embeddings propose no pair."""
    return found(prepared)


def test_leaks_are_test_images_that_are_copies_of_training_images(findings: CopyFindings) -> None:
    """The same file first, then what is proven; copies within a split are none."""
    assert [(leak.test, leak.train, leak.exact) for leak in findings.leaks] == [
        ("test/same.png", "train/07.png", True),
        ("test/mirrored.png", "train/05.png", False),
    ]
    same, mirrored = findings.leaks
    assert (same.relation, same.inliers, same.drawing) == ("the same file", 0, None)
    assert mirrored.relation.startswith("mirrored, ")
    assert mirrored.relation.endswith("% added")
    assert mirrored.inliers >= 12
    assert mirrored.drawing is not None


def test_copies_are_listed_within_and_across_the_splits(findings: CopyFindings) -> None:
    """Those with two labels first, each with how it was made of the other image."""
    listed = [(copy.path, copy.of) for copy in findings.copies]
    assert listed == [
        ("train/grey.png", "train/03.png"),
        ("test/cropped.png", "test/03.png"),
        ("train/05.png", "test/mirrored.png"),
        ("train/07.png", "test/same.png"),
        ("train/turned.png", "train/03.png"),
    ]
    relations = {copy.path: copy.relation for copy in findings.copies}
    assert relations["train/turned.png"].startswith("turned by 25°, ")
    assert relations["test/cropped.png"].startswith("cropped to 6")
    assert relations["train/07.png"] == "the same file"
    assert relations["train/grey.png"] == "edited or saved again"


def test_each_cluster_is_a_group(findings: CopyFindings) -> None:
    """Copies of one image are together."""
    groups = copy_groups(findings.copies)
    assert groups["train/03.png"] == groups["train/turned.png"] == groups["train/grey.png"]
    assert len(set(groups.values())) == 4
    assert len(groups) == 9


def test_the_same_pictures_give_the_same_findings(
    prepared: SimpleNamespace, findings: CopyFindings
) -> None:
    """In whatever order threads and decoders finish."""
    assert found(prepared) == findings
