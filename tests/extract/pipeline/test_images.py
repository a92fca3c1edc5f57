"""Which images are computed, and what becomes of the others; a stub is in place of the engine."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from extract.images.hashing import DEPTH, SHALLOW
from extract.images.loading import ReadSettings
from extract.images.pixels import Remark
from extract.pipeline import extract
from tests.extract.pipeline.stub import RECIPE, StubEngine, colours, draw, no_engine
from toolkit.addresses import file_state

if TYPE_CHECKING:
    from cache import Store


def test_every_image_gets_its_own_embedding(store: Store, tmp_path: Path) -> None:
    """Batches, shards and processes do not mix up rows and images."""
    paths = draw(tmp_path / "d", 0, 150)
    engine = StubEngine()
    done = extract(paths, RECIPE, store, lambda: engine, batch_size=16, reading=ReadSettings(3))
    assert (done.computed, done.cached, done.quarantine) == (150, 0, {})
    assert colours(store, [done.digests[p] for p in paths]) == list(range(150))
    assert engine.batches == [16] * 9 + [6]


def test_a_second_run_computes_nothing(store: Store, tmp_path: Path) -> None:
    """The engine is not created."""
    paths = draw(tmp_path / "d", 0, 10)
    extract(paths, RECIPE, store, StubEngine)
    again = extract(paths, RECIPE, store, no_engine)
    assert (again.computed, again.cached) == (0, 10)


def test_moved_and_renamed_images_are_still_known(store: Store, tmp_path: Path) -> None:
    """An image is identified by its bytes; its path does not matter."""
    extract(draw(tmp_path / "d", 0, 10), RECIPE, store, StubEngine)
    shutil.copytree(tmp_path / "d", tmp_path / "e")
    paths = sorted((tmp_path / "e").iterdir())
    assert extract(paths, RECIPE, store, no_engine).cached == 10


def test_adding_ten_images_computes_ten(store: Store, tmp_path: Path) -> None:
    """Only new images are computed."""
    extract(draw(tmp_path / "d", 0, 30), RECIPE, store, StubEngine)
    engine = StubEngine()
    done = extract(draw(tmp_path / "d", 0, 40), RECIPE, store, lambda: engine)
    assert (done.computed, done.cached, sum(engine.batches)) == (10, 30, 10)


def test_an_image_changed_in_place_is_computed_again(store: Store, tmp_path: Path) -> None:
    """Remembered digests never hide a change."""
    paths = draw(tmp_path / "d", 0, 3)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    extract(paths, RECIPE, store, StubEngine)
    cv2.imwrite(str(paths[1]), np.full((8, 8, 3), (200, 0, 77), np.uint8))
    done = extract(paths, RECIPE, store, StubEngine)
    assert (done.computed, done.cached) == (1, 2)
    assert colours(store, [done.digests[p] for p in paths]) == [0, 200, 2]


def test_an_unchanged_file_is_not_read_again(store: Store, tmp_path: Path) -> None:
    """A file with the same path, size, times and inode is remembered."""
    paths = draw(tmp_path / "d", 0, 3)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    done = extract(paths, RECIPE, store, StubEngine)
    assert store.digests(paths) == done.digests
    assert extract(paths, RECIPE, store, no_engine).cached == 3


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_computed_again(
    store: Store, tmp_path: Path
) -> None:
    """As by ``cp --preserve`` or a program that sets the time back; the change time reveals it."""
    path, other = tmp_path / "a.bmp", tmp_path / "b.bmp"
    for file, colour in ((path, 10), (other, 200)):
        cv2.imwrite(str(file), np.full((8, 8, 3), (colour, 0, 0), np.uint8))
        os.utime(file, (1e9, 1e9))
    extract([path], RECIPE, store, StubEngine)
    before = path.stat()
    path.write_bytes(other.read_bytes())
    os.utime(path, (1e9, 1e9))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert extract([path], RECIPE, store, StubEngine).computed == 1


def test_copies_are_computed_once(store: Store, tmp_path: Path) -> None:
    """Two files with the same bytes share one row."""
    paths = draw(tmp_path / "d", 0, 5)
    shutil.copy(paths[2], tmp_path / "d" / "copy.png")
    engine = StubEngine()
    done = extract([*paths, tmp_path / "d" / "copy.png"], RECIPE, store, lambda: engine)
    assert sum(engine.batches) == 5
    assert done.computed == 6
    assert done.digests[paths[2]] == done.digests[tmp_path / "d" / "copy.png"]


def test_a_path_that_is_named_twice_is_one_image(store: Store, tmp_path: Path) -> None:
    """Whether its embedding is in the store or not."""
    paths = draw(tmp_path / "images", 0, 3)
    for computed in (3, 0):
        done = extract([*paths, paths[1], paths[1]], RECIPE, store, StubEngine)
        assert list(done.digests) == paths
        assert (done.computed, done.cached) == (computed, 3 - computed)


def test_what_is_no_image_is_set_aside_with_its_reason(store: Store, tmp_path: Path) -> None:
    """Text, an empty file, a FIFO and a dangling link affect no other row."""
    paths = draw(tmp_path / "d", 0, 40)
    odd = [tmp_path / "d" / name for name in ("text.jpg", "empty.jpg", "fifo.jpg", "link.jpg")]
    odd[0].write_bytes(b"no image at all")
    odd[1].write_bytes(b"")
    os.mkfifo(odd[2])
    odd[3].symlink_to(tmp_path / "absent.jpg")
    mixed = [*paths[:20], *odd, *paths[20:]]
    done = extract(mixed, RECIPE, store, StubEngine, batch_size=8)
    assert "a link to" in done.quarantine[odd[3]]
    assert {path.name: reason.split(":")[0] for path, reason in done.quarantine.items()} == {
        "text.jpg": "not an image, or not in one of the formats "
        "JPEG, PNG, BMP, WEBP, GIF, TIFF, PPM, JPEG2000, DICOM, HEIF, AVIF",
        "empty.jpg": "empty file",
        "fifo.jpg": "not a regular file",
        "link.jpg": "cannot be read",
    }
    assert colours(store, [done.digests[p] for p in paths]) == list(range(40))
    assert (done.computed, done.cached) == (40, 0)


def test_a_warm_run_with_broken_images_needs_no_engine(store: Store, tmp_path: Path) -> None:
    """Broken files are read again, but the network is not loaded for them."""
    paths = draw(tmp_path / "d", 0, 3)
    (tmp_path / "d" / "text.jpg").write_bytes(b"no image at all")
    everything = [*paths, tmp_path / "d" / "text.jpg"]
    extract(everything, RECIPE, store, StubEngine)
    again = extract(everything, RECIPE, store, no_engine)
    assert (again.cached, len(again.quarantine)) == (3, 1)


def test_what_a_reader_should_know_of_an_image_is_remembered(store: Store, tmp_path: Path) -> None:
    """A warm run, which decodes nothing, says it again."""
    paths = draw(tmp_path / "d", 0, 3)
    cv2.imwrite(str(paths[1]), np.random.default_rng(0).integers(0, 255, (8, 8, 3)))
    expected = {paths[0]: Remark.UNIFORM, paths[2]: Remark.UNIFORM}
    assert extract(paths, RECIPE, store, StubEngine).remarks == expected
    assert extract(paths, RECIPE, store, no_engine).remarks == expected


def test_images_over_the_limit_of_pixels_are_set_aside(store: Store, tmp_path: Path) -> None:
    """The limit applies to decoding; embeddings in the cache are used."""
    paths = draw(tmp_path / "d", 0, 4)
    cv2.imwrite(str(paths[2]), np.zeros((9, 9, 3), np.uint8))
    small = extract(paths, RECIPE, store, StubEngine, reading=ReadSettings(max_pixels=80))
    assert list(small.quarantine) == [paths[2]]
    assert "9 x 9 is more than 80 pixels; raise the maximum of pixels" in small.quarantine[paths[2]]
    large = extract(paths, RECIPE, store, StubEngine, reading=ReadSettings(max_pixels=81))
    assert (large.computed, large.cached, large.quarantine) == (1, 3, {})
    assert extract(paths, RECIPE, store, no_engine, reading=ReadSettings(max_pixels=80)).cached == 4


def remember(store: Store, path: Path, digest: str) -> None:
    """Make the store remember this digest for an unchanged file."""
    os.utime(path, (1e9, 1e9))
    state = file_state(path)
    assert state is not None
    store.notes.remember(DEPTH, {digest: SHALLOW})
    store.remember({path: (state, digest)})


def test_a_wrong_memory_sets_no_image_aside(store: Store, tmp_path: Path) -> None:
    """The embedding is stored under the digest of the decoded bytes, and the memory corrected.

    All images are remembered as one and the same, so that each must be tried.
    """
    paths = draw(tmp_path / "d", 0, 5)
    true = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    for path in paths:
        remember(store, path, "5" * 64)
    done = extract(paths, RECIPE, store, StubEngine)
    assert [done.digests[path] for path in paths] == true
    assert (done.computed, done.cached, done.quarantine) == (5, 0, {})
    assert colours(store, true) == list(range(5))
    again = extract(paths, RECIPE, store, no_engine)
    assert [again.digests[path] for path in paths] == true
    assert again.cached == 5


def test_what_a_file_has_become_may_be_there_already(store: Store, tmp_path: Path) -> None:
    """An image is stored once, whether it was cached before or computed in this run."""
    paths = draw(tmp_path / "d", 0, 4)
    true = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    extract(paths[:1], RECIPE, store, StubEngine)
    shutil.copy(paths[1], tmp_path / "copy.png")
    remember(store, paths[0], "5" * 64)
    remember(store, paths[1], "6" * 64)
    engine = StubEngine()
    everything = [*paths, tmp_path / "copy.png"]
    done = extract(everything, RECIPE, store, lambda: engine)
    assert [done.digests[path] for path in everything] == [*true, true[1]]
    assert (done.computed, done.cached, sum(engine.batches)) == (4, 1, 3)
    assert colours(store, true) == list(range(4))


def test_files_that_change_after_hashing_are_taken_as_they_are(
    store: Store, tmp_path: Path
) -> None:
    """A copy replaces a deleted file; an overwritten file gets its new embedding."""
    paths = draw(tmp_path / "d", 0, 4)
    copies = [shutil.copy(path, tmp_path / "d" / f"copy-{path.name}") for path in paths]
    everything = [*paths, *map(Path, copies)]

    def meddle(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("computing embeddings", 0):
            paths[0].unlink()
            paths[1].write_bytes(b"text")
            shutil.copy(draw(tmp_path / "e", 9, 10)[0], paths[2])

    done = extract(everything, RECIPE, store, StubEngine, progress=meddle)
    assert set(done.quarantine) == {paths[0], paths[1]}
    assert "No such file" in done.quarantine[paths[0]]
    assert "not an image" in done.quarantine[paths[1]]
    left = [path for path in everything if path not in done.quarantine]
    assert colours(store, [done.digests[path] for path in left]) == [9, 3, 0, 1, 2, 3]
    assert (done.computed, done.cached) == (6, 0)
