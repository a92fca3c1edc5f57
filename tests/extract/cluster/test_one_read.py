"""Whole data sets on a Dask cluster: its workers read every file once, this process none."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from cache.store import Store
from extract import embedding
from extract.cluster.tasks import hash_files
from extract.cluster.workers import Workers
from extract.images.hashing import HashedFile, hash_file, hash_images, recall_digests
from extract.options import Options
from extract.prepare import find_dataset, prepare
from tests.extract.cluster.samples import base_settings, paths

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import LocalCluster

pytestmark = pytest.mark.slow


def options(home: Path, data: Path, cache: Path, dask: str | None) -> Options:
    settings = base_settings(home, cache)
    return Options(str(data), settings, dask=dask)


def as_folders(home: Path, folder: Path, *, deep: bool = False) -> Path:
    """Copy some of the pictures into two class folders; with `deep`, add some of 16 bits."""
    for i, path in enumerate(paths(home)[:48]):
        copied = folder / "ab"[i % 2] / path.name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
        if deep and i % 8 < 2:
            pixels = cv2.imread(str(copied), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 16
            cv2.imwrite(str(copied.with_name(f"deep-{path.name}")), pixels)
    (folder / "a" / "empty.png").touch()
    return folder


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process hash no file that can be read; the workers are other processes."""

    def refuse(path: Path) -> HashedFile:
        found = hash_file(path)
        assert found.digest is None, f"this process reads {path}"
        return found

    monkeypatch.setattr("extract.images.hashing.hash_file", refuse)


@pytest.mark.parametrize(("deep", "sample"), [(False, 64), (True, 64), (True, 1)])
def test_the_workers_read_every_file_and_this_process_none(
    home: Path,
    workers: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deep: bool,
    sample: int,
) -> None:
    """They hash and embed; images of 16 bits wait until all of them say what is white."""
    monkeypatch.setattr(embedding, "SAMPLE", sample)
    data = as_folders(home, tmp_path / "data", deep=deep)
    (data / "a" / "another.png").write_text("no image")
    asked = options(home, data, tmp_path / "alone", None)
    here = prepare(find_dataset(asked), asked)
    for path in data.rglob("*.png"):
        os.utime(path, (1e9, 1e9))  # settled: it is remembered without being read again
    no_reading(monkeypatch)
    asked = options(home, data, tmp_path / "there", workers.scheduler_address)
    there = prepare(find_dataset(asked), asked)
    assert there.base.recipe == here.base.recipe
    assert (there.base.recipe.bits == 12) == deep
    assert there.extraction.digests == here.extraction.digests
    assert [*there.extraction.quarantine.items()] == [*here.extraction.quarantine.items()]
    unusable = [path.name for path in there.extraction.quarantine]
    assert unusable == ["another.png", "empty.png"]
    assert there.extraction.computed == here.extraction.computed
    digests = [*here.extraction.digests.values()]
    np.testing.assert_array_equal(there.base.embeddings(digests), here.base.embeddings(digests))
    again = prepare(find_dataset(asked), asked)
    assert again.extraction.computed == 0
    rows = {recipe.rows for recipe in there.base.store.recipes()}
    of_8_bits = {d for path, d in here.extraction.digests.items() if "deep" not in path.name}
    in_vain = {len(of_8_bits)} if deep and sample == 1 else set()  # before any of 16 bits is seen
    assert rows == {len(set(digests))} | in_vain


def test_images_that_the_cache_has_as_other_files_are_only_hashed(
    home: Path, workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set that was copied to another folder is not embedded again."""
    tasks: list[Any] = []
    real = Workers._results

    def noting(self: Workers, function: Any, *arguments: Any) -> Any:
        tasks.append(function.func)
        return real(self, function, *arguments)

    monkeypatch.setattr(Workers, "_results", noting)
    asked = options(home, as_folders(home, tmp_path / "data"), tmp_path / "cache", None)
    first = prepare(find_dataset(asked), asked)
    moved = shutil.copytree(tmp_path / "data", tmp_path / "moved")
    asked = options(home, moved, tmp_path / "cache", workers.scheduler_address)
    second = prepare(find_dataset(asked), asked)
    assert tasks == [hash_files, hash_files]  # a sample, then the others
    assert second.extraction.computed == 0
    assert second.extraction.cached == first.extraction.computed + first.extraction.cached
    assert sorted(second.extraction.digests.values()) == sorted(first.extraction.digests.values())


def test_int8_is_calibrated_on_images_that_the_workers_have_hashed(
    home: Path, workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embeddings are those of this process alone."""
    data = as_folders(home, tmp_path / "data")
    asked = options(home, data, tmp_path / "cache", None)
    asked = dataclasses.replace(asked, base=dataclasses.replace(asked.base, precision="int8"))
    here = prepare(find_dataset(asked), asked)
    for path in data.rglob("*.png"):
        os.utime(path, (1e9, 1e9))
    (tmp_path / "cache" / "index.sqlite").unlink()
    shutil.rmtree(tmp_path / "cache" / "shards")
    no_reading(monkeypatch)
    asked = dataclasses.replace(asked, dask=workers.scheduler_address)
    there = prepare(find_dataset(asked), asked)
    assert there.base.recipe == here.base.recipe
    digests = [*here.extraction.digests.values()]
    np.testing.assert_array_equal(there.base.embeddings(digests), here.base.embeddings(digests))


def test_ctrl_c_while_files_are_hashed_says_that_nothing_is_lost(
    home: Path, workers: LocalCluster, tmp_path: Path
) -> None:
    """Nothing is computed yet, and the next run does not hash the same file again."""

    def press(stage: str, done: int, _: int) -> None:
        if stage == "hashing images" and done:
            raise KeyboardInterrupt

    data = as_folders(home, tmp_path / "data")
    files = sorted(data.rglob("*.png"))
    for path in files:
        os.utime(path, (1e9, 1e9))
    asked = options(home, data, tmp_path / "there", workers.scheduler_address)
    with pytest.raises(KeyboardInterrupt, match=r"^stopped: what was hashed is kept, and the same"):
        prepare(find_dataset(asked), asked, press)
    assert len(recall_digests(files, Store(tmp_path / "there"))) == 1


def test_progress_counts_what_an_earlier_start_has_only_hashed(
    home: Path, workers: LocalCluster, tmp_path: Path
) -> None:
    """Together with what is new, so that what is said to be left is true."""
    data = as_folders(home, tmp_path / "data")
    for path in data.rglob("*.png"):
        os.utime(path, (1e9, 1e9))
    asked = options(home, data, tmp_path / "cache", workers.scheduler_address)
    dataset = find_dataset(asked)
    hash_images([item.path for item in dataset.items][:20], Store(tmp_path / "cache"))
    reported: list[tuple[int, int]] = []

    def note(stage: str, done: int, total: int) -> None:
        if stage == "computing embeddings":
            reported.append((done, total))

    assert prepare(dataset, asked, note).extraction.computed == 48
    assert {total for _, total in reported} == {49}  # one of them is empty
