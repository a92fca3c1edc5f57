"""Whole lists of images are decoded into one array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cache import store as store_module
from cache.store import Store
from extract.errors import ImageError
from extract.images.hashing import hash_images, recall_digests
from extract.images.loading import ReadSettings, load_images, usable_images
from tests.extract.pipeline.stub import draw

if TYPE_CHECKING:
    from pathlib import Path


def test_load_images_keeps_the_order(tmp_path: Path) -> None:
    """One array for the whole list; a broken file is named."""
    paths = draw(tmp_path / "d", 0, 100)
    images = load_images(paths, 16)
    assert images.shape == (100, 16, 16, 3)
    assert images[:, 0, 0, 2].tolist() == list(range(100))
    paths[50].write_bytes(b"text")
    with pytest.raises(ImageError, match=r"0050\.png: not an image"):
        load_images(paths, 16)


def test_usable_images_are_the_first_that_can_be_used(tmp_path: Path) -> None:
    """And it says which: a network is calibrated on them, and a record names them."""
    paths = draw(tmp_path / "d", 0, 5)
    paths[1].write_bytes(b"text")
    used, images = usable_images(paths, 16, 3)
    assert used == [paths[0], paths[2], paths[3]]
    assert images[:, 0, 0, 2].tolist() == [0, 2, 3]
    assert usable_images(paths, 16, 9)[0] == [paths[0], *paths[2:]]
    with pytest.raises(ImageError, match="none of 1 image can be used"):
        usable_images(paths[1:2], 16, 1)


def test_load_images_takes_the_limit_of_pixels(tmp_path: Path) -> None:
    """The error names a larger image, its size and the limit."""
    paths = draw(tmp_path / "d", 0, 3)
    assert len(load_images(paths, 16, reading=ReadSettings(max_pixels=64))) == 3
    with pytest.raises(ImageError, match=r"0000\.png: 8 x 8 is more than 63 pixels"):
        load_images(paths, 16, reading=ReadSettings(max_pixels=63))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store that also remembers files that have just changed."""
    monkeypatch.setattr(store_module, "_SECONDS_UNTIL_SETTLED", -60.0)
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def test_no_thread_is_started_where_every_file_is_known(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm run then counts no cores, which takes a library a tenth of a second to import."""
    paths = draw(tmp_path / "pictures", 0, 3)
    first = hash_images(paths, store)

    def threads(*_: object) -> int:
        raise AssertionError

    monkeypatch.setattr(ReadSettings, "threads", threads)
    assert hash_images(paths, store) == first


def test_what_was_hashed_before_ctrl_c_is_remembered(store: Store, tmp_path: Path) -> None:
    """The next run reads only the other files."""
    paths = draw(tmp_path / "pictures", 0, 5)

    def press(_: str, done: int, __: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_images(paths, store, progress=press)
    assert list(recall_digests(paths, store)) == paths[:3]
