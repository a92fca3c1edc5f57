"""What each value of `data` leads to, with real downloads from a server on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cache.errors import CacheError
from extract.datasets.layouts import read_dataset
from extract.datasets.sources import shapes
from extract.datasets.sources.locating import locate
from extract.errors import ArchiveError, DataError, DownloadError
from tests.extract.file_server import Server, listing, make_zip
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_mirror_for_anything_else_is_an_error(cache: Path) -> None:
    """A setting without effect is not ignored silently."""
    with pytest.raises(DataError, match="only dogs-vs-cats has a mirror"):
        locate("shapes", cache=cache, mirror_url="http://127.0.0.1/")


def test_shapes_are_drawn_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn set is complete, and the second run draws nothing."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 40, "test": 20})
    drawn = []
    for _ in range(2):
        source = locate("shapes", cache=cache, progress=lambda *report: drawn.append(report))
    assert len(read_dataset(source.path)) == 60
    assert len(drawn) == 60


def test_shapes_of_another_version_are_drawn_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of different versions are never mixed."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 6, "test": 6})
    before = locate("shapes", cache=cache).path
    monkeypatch.setattr(shapes, "VERSION", 999)
    assert locate("shapes", cache=cache).path != before


def test_a_folder_is_used_in_place(tmp_path: Path, cache: Path) -> None:
    """Nothing is copied, and the cache is not used."""
    (tmp_path / "pets").mkdir()
    source = locate(str(tmp_path / "pets"), cache=cache)
    assert (source.name, source.path) == ("pets", tmp_path / "pets")
    assert not cache.exists()


def test_a_csv_file_is_used_in_place(tmp_path: Path, cache: Path) -> None:
    """A .csv file is used in place."""
    table = tmp_path / "pets.CSV"
    table.write_text("path,label\n")
    assert locate(str(table), cache=cache).path == table


def test_a_zip_file_is_unpacked_once(tmp_path: Path, cache: Path) -> None:
    """The unpacked folder is named after the content of the file and found again."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg", "pets/dog/1.jpg")
    first = locate(str(archive), cache=cache)
    stamp = first.path.stat().st_mtime_ns
    assert first.name == "pets"
    assert read_dataset(first.path).classes == ["cat", "dog"]
    assert locate(str(archive), cache=cache).path.stat().st_mtime_ns == stamp
    assert archive.exists()


def test_a_changed_zip_file_is_another_data_set(tmp_path: Path, cache: Path) -> None:
    """The same name with other content is unpacked to another folder."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg")
    before = locate(str(archive), cache=cache).path
    make_zip(archive, "pets/cat/2.jpg")
    assert locate(str(archive), cache=cache).path != before


def test_a_hostile_zip_file_is_refused(tmp_path: Path, cache: Path) -> None:
    """The rules for archives apply, and nothing is left in the cache."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg", "../evil.jpg")
    with pytest.raises(ArchiveError):
        locate(str(archive), cache=cache)
    assert listing(cache) == ["data"]


@pytest.mark.parametrize("tail", ["", "?version=1", "#part"])
def test_a_url_is_downloaded_once(lesson: Server, cache: Path, tail: str) -> None:
    """The second run remembers the address, and the zip file is deleted."""
    make_zip(lesson.folder / "my pets.zip", "cat/1.jpg", "dog/1.jpg")
    for _ in range(2):
        source = locate(f"{lesson.url}/my%20pets.zip{tail}", cache=cache)
        assert source.name == "my-pets"
        assert read_dataset(source.path).classes == ["cat", "dog"]
    assert len(lesson.asked) == 1
    assert not list(cache.rglob("*.zip"))


def test_a_url_whose_data_were_removed_is_downloaded_again(lesson: Server, cache: Path) -> None:
    """A record of a missing folder is ignored."""
    url = f"{lesson.url}/cats-train.zip"
    path = locate(url, cache=cache).path
    path.rename(path.with_name("gone"))
    assert locate(url, cache=cache).path.is_dir()
    assert len(lesson.asked) == 2


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "{}",
        '{"a":' * 100_000,
        '{"folder": 5}',
        '{"folder": ""}',
        '{"folder": "gone"}',
        '{"folder": ".."}',
        '{"folder": "../../elsewhere"}',
        '{"folder": "/"}',
    ],
)
def test_a_damaged_record_of_a_url_is_no_error(lesson: Server, cache: Path, record: str) -> None:
    """The file is downloaded again."""
    url = f"{lesson.url}/cats-train.zip"
    locate(url, cache=cache)
    (memory,) = (cache / "data").glob("url-*.json")
    memory.write_text(record)
    assert locate(url, cache=cache).path.parent == cache / "data"


def test_a_url_of_something_else_is_refused(lesson: Server, cache: Path) -> None:
    """A page that is not a zip file is not kept."""
    (lesson.folder / "page.html").write_text("<html>")
    with pytest.raises(DownloadError, match="is not the expected file"):
        locate(f"{lesson.url}/page.html", cache=cache)
    assert listing(cache) == ["data"]


@pytest.mark.parametrize("url", ["ftp://h/pets.zip", "s3://pets/pets.zip"])
def test_zip_files_of_other_schemes_are_refused(cache: Path, url: str) -> None:
    """Zip files are downloaded with http and https only."""
    with pytest.raises(DataError, match=r"http\(s\)"):
        locate(url, cache=cache)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript://x", "reference://x/"])
def test_other_schemes_are_refused(cache: Path, url: str) -> None:
    """An address refers to a remote file, never to a file on this machine."""
    with pytest.raises(AddressError, match="expected one of s3"):
        locate(url, cache=cache)


@pytest.mark.parametrize("url", ["http://[", "https:///x.zip", "http://h:port/x.zip"])
def test_an_invalid_address_is_one_error(cache: Path, url: str) -> None:
    """An invalid address is reported."""
    with pytest.raises(DownloadError):
        locate(url, cache=cache)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("dogs-vs-cat", "did you mean dogs-vs-cats?"),
        ("shape", "did you mean shapes?"),
        ("nowhere/pets", "there is no file or folder"),
        ("missing.zip", "there is no file or folder"),
        ("", "expected auto, dogs-vs-cats, shapes"),
        ("x" * 5000, "expected auto, dogs-vs-cats, shapes"),
        ("~nobody-of-this-name/pets", "expected auto, dogs-vs-cats, shapes"),
    ],
)
def test_an_unknown_name_is_one_error(cache: Path, word: str, told: str) -> None:
    """The error says what was expected and found."""
    with pytest.raises(DataError) as caught:
        locate(word, cache=cache)
    assert told in str(caught.value)


def test_a_missing_folder_is_not_taken_for_a_data_set(cache: Path) -> None:
    """Its name is only a little like one of ours."""
    with pytest.raises(DataError, match="there is no file or folder 'shoes'") as caught:
        locate("shoes", cache=cache)
    assert "did you mean" not in str(caught.value)


def test_a_file_of_another_kind_is_one_error(tmp_path: Path, cache: Path) -> None:
    """A single image is not a data set."""
    (tmp_path / "cat.jpg").touch()
    with pytest.raises(DataError, match="it is none of these"):
        locate(str(tmp_path / "cat.jpg"), cache=cache)


def test_a_cache_that_cannot_be_written_is_one_error(cache: Path) -> None:
    """The error of the system is reported with what to do."""
    cache.touch()
    with pytest.raises(CacheError, match="another cache folder"):
        locate("shapes", cache=cache)


@pytest.mark.parametrize("name", ["pets.rar", "pets.7z", "pets.tar.xz", "pets.tar.zst"])
def test_an_archive_that_is_not_read_is_to_be_unpacked(
    tmp_path: Path, cache: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(DataError, match="is an archive of a kind that is not read; unpack it"):
        locate(str(tmp_path / name), cache=cache)


@pytest.mark.parametrize("target", ["gone", "link"])
def test_a_link_that_leads_nowhere_is_called_that(tmp_path: Path, cache: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(DataError, match=f"is a link to '{target}', which is not there or"):
        locate(str(tmp_path / "link"), cache=cache)
