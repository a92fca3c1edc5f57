"""Shortcuts and weak spots of small real image files."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cache.store import Store
from classify.auditing import property_audit
from classify.auditing.findings import correct_of
from classify.auditing.property_audit import examine_properties, shortcuts_in_headers
from extract.datasets.dataset import Dataset, Item
from extract.datasets.further import FurtherColumns
from extract.images import collecting
from reports.records import PredictionRow

if TYPE_CHECKING:
    from extract.images.properties.record import ImageProperties
    from extract.prepare import Prepared

N_TRAIN, N_TEST = 120, 120


def no_decoder(*_: object) -> None:
    raise AssertionError("an image is decoded")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Save noise: cats at quality 60 and dogs at 90, every third one from Bonn."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    items, digests, rows = [], {}, []
    for i in range(N_TRAIN + N_TEST):
        label, split = ("cat", "dog")[i % 2], "train" if i < N_TRAIN else "test"
        path = root / split / f"{i:03}.jpg"
        path.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (int(rng.integers(30, 60)), 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=60 if label == "cat" else 90)
        items.append(Item(path, label, split))  # type: ignore[arg-type]
        digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append((path, ["Bonn" if i // 2 % 3 == 0 else "Köln"]))
    column = FurtherColumns(root / "table.csv", {"site": 0}, rows)
    dataset = Dataset("noise", root, tuple(items), columns=(column,))
    prepared: Any = SimpleNamespace(
        dataset=dataset,
        extraction=SimpleNamespace(digests=digests),
        base=SimpleNamespace(store=Store(root / "cache")),
        paths=lambda split: [item.path for item in items if item.split == split],
    )
    return prepared


@pytest.fixture(autouse=True)
def _embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let embeddings be noise, so that there is no cluster of interest."""

    def noise(_: object, digests: list[str]) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(len(digests), 4)).astype(np.float32)

    monkeypatch.setattr(property_audit, "read_pooled", noise)


def measured(images: Prepared) -> dict[str, ImageProperties]:
    return collecting.collect_properties(images.extraction.digests, images.base.store)


def failing_in_bonn() -> np.ndarray:
    correct = np.ones(N_TEST, dtype=bool)
    bonn = [i for i in range(N_TEST) if (N_TRAIN + i) // 2 % 3 == 0]
    correct[[i for k, i in enumerate(bonn) if k // 2 % 2]] = False  # of both classes
    return correct


def test_planted_faults_are_found_and_nothing_is_measured_twice(
    images: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quality of one class, and the site where half of the answers are wrong."""
    shortcuts, spots = examine_properties(images, measured(images), failing_in_bonn())
    found = [each.property for each in shortcuts if each.found]
    assert "JPEG quality" in found
    assert "site" not in found
    assert [(spot.name, spot.value) for spot in spots if spot.found] == [("site", "Bonn")]
    assert all(path.startswith("test/") for spot in spots for path in spot.paths)
    monkeypatch.setattr(collecting, "DecoderPool", no_decoder)
    again = examine_properties(images, measured(images), failing_in_bonn())
    assert again == (shortcuts, spots)


def test_headers_tell_the_quality_without_decoding(
    images: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is found is returned."""
    monkeypatch.setattr(collecting, "DecoderPool", no_decoder)
    found = shortcuts_in_headers(images)
    assert found[0].property == "JPEG quality"
    assert all(each.found and each.origin in ("file", "all") for each in found)


def test_at_most_so_many_test_images_are_judged(
    images: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own answer and path."""
    monkeypatch.setattr(property_audit, "MOST_TEST_IMAGES", 90)
    correct = failing_in_bonn()
    _, spots = examine_properties(images, measured(images), correct)
    (bonn,) = (spot for spot in spots if spot.value == "Bonn")
    (koeln,) = (spot for spot in spots if spot.value == "Köln")
    assert bonn.n_test + koeln.n_test == 90
    assert (koeln.accuracy, bonn.accuracy) == (1, pytest.approx(0.5, abs=0.15))


def test_the_answers_are_those_of_the_chosen_classifier(images: Prepared) -> None:
    """In the order of the test images, whatever the order of the predictions."""
    dataset = images.dataset
    tests = [item for item in dataset.items if item.split == "test"]
    rows = [
        PredictionRow(name, dataset.relative(item.path), item.label, answer, 0.9)
        for name in ("svm", "logreg")
        for i, item in reversed(list(enumerate(tests)))
        for answer in [item.label if name == "svm" or i else "other"]
    ]
    assert correct_of(images.dataset, rows, "svm").all()
    assert correct_of(images.dataset, rows, "logreg").tolist() == [False] + [True] * (N_TEST - 1)
