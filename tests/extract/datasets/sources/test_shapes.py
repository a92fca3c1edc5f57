"""The drawn data set."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.datasets.sources import shapes
from extract.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes.draw_dataset(tmp_path_factory.mktemp("drawn") / "shapes")


def test_the_set_has_its_sizes_and_classes(drawn: Path) -> None:
    """400 training images and 200 test images, evenly over six classes."""
    counts = Counter(path.relative_to(drawn).parts[:2] for path in drawn.rglob("*.jpg"))
    assert {name for _, name in counts} == set(shapes.CLASSES)
    train = sorted(counts["train", name] for name in shapes.CLASSES)
    test = sorted(counts["test", name] for name in shapes.CLASSES)
    assert train == [66, 66, 67, 67, 67, 67]
    assert test == [33, 33, 33, 33, 34, 34]


def test_nothing_else_is_left(drawn: Path) -> None:
    """The set contains two folders, and there is nothing beside it."""
    assert sorted(path.name for path in drawn.iterdir()) == ["test", "train"]
    assert list(drawn.parent.iterdir()) == [drawn]


def test_every_file_is_a_picture_of_about_one_size(drawn: Path) -> None:
    """All can be decoded, and all sides are within the range."""
    pictures = list(drawn.rglob("*.jpg"))
    assert len(pictures) == 600
    for path in pictures:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert 150 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 200


def test_the_set_is_the_same_every_time(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawing again gives the same bytes in the same files, also in a smaller set."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 40, "test": 20})
    again = shapes.draw_dataset(tmp_path / "again")
    pictures = [path.relative_to(again) for path in again.rglob("*.jpg")]
    assert len(pictures) == 60
    for path in pictures:
        assert (again / path).read_bytes() == (drawn / path).read_bytes()


def test_no_two_pictures_are_alike(drawn: Path) -> None:
    """No test image is also a training image."""
    assert len({path.read_bytes() for path in drawn.rglob("*.jpg")}) == 600


def test_an_image_is_drawn_independently_of_others(drawn: Path) -> None:
    """An image drawn alone is identical to the one in the set."""
    alone = shapes.draw_image("test", 7)
    assert alone.dtype == np.uint8
    stored = drawn / "test" / shapes.class_of(7) / "007.jpg"
    assert stored.read_bytes() == shapes.encode_jpeg(alone)


@pytest.mark.parametrize("name", shapes.CLASSES)
def test_outlines_just_fit_the_unit_circle(name: str) -> None:
    """Every class is drawn at the same scale, around its centre."""
    corners = shapes._corners(name)
    np.testing.assert_allclose(np.hypot(*corners.T).max(), 1.0)
    np.testing.assert_allclose(corners.mean(axis=0), 0.0, atol=1e-12)


def test_progress_counts_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one step per image."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 8, "test": 4})
    seen: list[tuple[str, int, int]] = []
    shapes.draw_dataset(tmp_path / "s", progress=lambda *report: seen.append(report))
    assert seen == [("drawing shapes", i + 1, 12) for i in range(12)]


def test_a_stopped_run_leaves_no_partial_set(tmp_path: Path) -> None:
    """A set is complete or absent."""

    def stop(stage: str, done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shapes.draw_dataset(tmp_path / "s", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """The error of the system is reported with what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="another cache folder"):
        shapes.draw_dataset(tmp_path / "file" / "s")
