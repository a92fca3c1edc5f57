"""The named data sets: downloaded from a real server on this machine, from a mirror, or drawn."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from pathlib import Path

import pytest

from extract.datasets.dataset import counts
from extract.datasets.layouts import read_dataset
from extract.datasets.sources import locating, shapes
from extract.datasets.sources.download import UnreachableError, git_blob_id
from extract.datasets.sources.locating import locate
from extract.errors import ArchiveError, DownloadError
from tests.extract.file_server import PARTS, Server, listing, make_zip, serving

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def official(lesson: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Make the toolkit expect the small zip files."""
    blobs = {part: git_blob_id(lesson.folder / f"{part}.zip") for part in PARTS}
    monkeypatch.setattr(locating, "DOGS_VS_CATS", blobs)
    monkeypatch.setattr(locating, "DOGS_VS_CATS_URL", lesson.url)
    return lesson


def test_the_four_files_have_the_lessons_names() -> None:
    """Each name has its own git blob id."""
    assert tuple(locating.DOGS_VS_CATS) == PARTS
    assert all(len(bytes.fromhex(blob)) == 20 for blob in locating.DOGS_VS_CATS.values())
    assert len(set(locating.DOGS_VS_CATS.values())) == 4


def test_dogs_vs_cats_is_downloaded_and_unpacked(official: Server, cache: Path) -> None:
    """Afterwards there are four folders of images and no zip file."""
    source = locate("dogs-vs-cats", cache=cache)
    assert source.name == "dogs-vs-cats"
    assert listing(source.path) == sorted(
        entry for part in PARTS for entry in (part, f"{part}/1.jpg", f"{part}/2.jpg")
    )
    assert [path.name for path in (cache / "data").iterdir()] == ["dogs-vs-cats"]
    assert len(read_dataset(source.path)) == 8


def test_a_second_run_downloads_nothing(official: Server, cache: Path) -> None:
    """Existing files are not requested again."""
    locate("dogs-vs-cats", cache=cache)
    locate("dogs-vs-cats", cache=cache)
    assert official.asked == [f"{part}.zip" for part in PARTS]


def test_a_stopped_run_keeps_the_parts_it_has(official: Server, cache: Path) -> None:
    """Parts that were unpacked before the stop are not downloaded again."""

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "unpacking dogs-train.zip":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        locate("dogs-vs-cats", cache=cache, progress=stop)
    assert len(listing(locate("dogs-vs-cats", cache=cache).path)) == 12
    assert official.asked == [f"{part}.zip" for part in PARTS]


def test_a_file_with_another_blob_id_is_refused(official: Server, cache: Path) -> None:
    """A zip file that is not the expected one is never unpacked."""
    make_zip(official.folder / "cats-test.zip", "cats-test/other.jpg")
    with pytest.raises(DownloadError, match=r"cats-test\.zip is not the expected.*git blob id"):
        locate("dogs-vs-cats", cache=cache)
    assert not list(cache.rglob("other.jpg"))
    assert not list(cache.rglob("*.zip"))


def test_an_explicit_name_never_falls_back(nobody: str, cache: Path) -> None:
    """An unreachable host is an error that names the alternatives."""
    with pytest.raises(UnreachableError, match=r"could not be reached.*data set shapes.*a mirror"):
        locate("dogs-vs-cats", cache=cache, mirror_url=nobody)


def test_a_mirror_is_checked_and_recorded(lesson: Server, cache: Path) -> None:
    """The files of a mirror need no known id; their SHA-256 are recorded beside the data."""
    source = locate("dogs-vs-cats", cache=cache, mirror_url=f"{lesson.url}/")
    assert len(listing(source.path)) == 12
    record = json.loads(source.path.with_name(f"{source.path.name}.json").read_text())
    assert record["url"] == lesson.url
    assert record["sha256"] == {
        f"{part}.zip": hashlib.sha256((lesson.folder / f"{part}.zip").read_bytes()).hexdigest()
        for part in PARTS
    }


def test_a_mirror_is_never_mixed_with_the_verified_set(official: Server, cache: Path) -> None:
    """Files of a mirror are not mixed with those that were verified by id."""
    mirrored = locate("dogs-vs-cats", cache=cache, mirror_url=official.url)
    verified = locate("dogs-vs-cats", cache=cache)
    assert mirrored.path != verified.path
    assert len(official.asked) == 8


def test_a_damaged_file_of_a_mirror_is_refused(lesson: Server, cache: Path) -> None:
    """A wrong checksum inside the zip is an error; the next run can succeed."""
    archive = lesson.folder / "cats-train.zip"
    good = archive.read_bytes()
    archive.write_bytes(good.replace(b"picture cats", b"picture rats"))
    with pytest.raises(DownloadError, match=r"cats-train\.zip is not the expected file"):
        locate("dogs-vs-cats", cache=cache, mirror_url=lesson.url)
    archive.write_bytes(good)
    assert len(listing(locate("dogs-vs-cats", cache=cache, mirror_url=lesson.url).path)) == 12


def test_a_zip_without_its_folder_is_refused(lesson: Server, cache: Path) -> None:
    """Each zip file must contain the folder of its name."""
    make_zip(lesson.folder / "cats-train.zip", "birds/1.jpg")
    with pytest.raises(ArchiveError, match="expected the folder cats-train"):
        locate("dogs-vs-cats", cache=cache, mirror_url=lesson.url)
    assert not list(cache.rglob("birds"))


def test_auto_uses_the_data_folder_if_it_contains_images(elsewhere: Path, cache: Path) -> None:
    """Images anywhere below ``data`` are used."""
    (elsewhere / "data/cats").mkdir(parents=True)
    (elsewhere / "data/cats/1.JPG").touch()
    source = locate("auto", cache=cache)
    assert source.path.resolve() == elsewhere / "data"
    assert source.name == "data"


@pytest.mark.parametrize("there", [False, True])
def test_auto_without_images_is_dogs_vs_cats(
    official: Server, elsewhere: Path, cache: Path, there: bool
) -> None:
    """A folder ``data`` without images is ignored."""
    assert official.asked == []
    if there:
        (elsewhere / "data").mkdir()
        (elsewhere / "data/notes.txt").touch()
    assert locate("auto", cache=cache).name == "dogs-vs-cats"


def test_auto_falls_back_to_shapes_with_a_note(
    nobody: str,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a network the drawn set is used, and a note says so."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 6, "test": 6})
    with caplog.at_level(logging.INFO, "extract"):
        source = locate("auto", cache=cache, mirror_url=nobody)
    assert source.name == "shapes"
    assert "could not be downloaded: the drawn data set shapes is used instead" in caplog.text


def test_auto_does_not_hide_other_failures(lesson: Server, cache: Path) -> None:
    """A file that is missing on a reachable host is an error."""
    (lesson.folder / "cats-train.zip").unlink()
    with pytest.raises(DownloadError, match="404"):
        locate("auto", cache=cache, mirror_url=lesson.url)


@pytest.mark.parametrize(("word", "files"), [("dogs-vs-cats", 4), ("{url}/cats-train.zip", 1)])
def test_processes_at_once_make_one_set(
    official: Server, cache: Path, word: str, files: int
) -> None:
    """All but one wait, and use what that one has made."""
    found = []
    data = word.format(url=official.url)
    threads = [
        threading.Thread(target=lambda: found.append(locate(data, cache=cache))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(official.asked) == files


@pytest.mark.photographs
def test_the_photographs_come_from_a_mirror(cache: Path) -> None:
    """The real zip files are served, verified, unpacked and read."""
    folder = os.environ.get("DOGS_VS_CATS_DIR")
    if not folder:
        pytest.skip("DOGS_VS_CATS_DIR does not name the folder with the four zip files")
    with serving(Path(folder)) as server:
        source = locate("dogs-vs-cats", cache=cache, mirror_url=server.url)
    photographs = read_dataset(source.path)
    assert len(photographs) == 3000
    assert counts(photographs.items, photographs.classes, "test") == [500, 500]
