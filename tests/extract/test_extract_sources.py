"""What each ``--data`` word leads to, with real downloads from a server on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import logging
import os
import socket
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cache.errors import CacheError
from extract import dataset, download, shapes, sources
from extract.download import UnreachableError, git_blob_id
from extract.errors import ArchiveError, DataError, DownloadError
from extract.sources import locate

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("cats-train", "cats-test", "dogs-train", "dogs-test")


class Handler(http.server.SimpleHTTPRequestHandler):
    def send_response(self, code: int, message: str | None = None) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path.lstrip("/"))
        super().send_response(code, message)

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.folder = folder
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


def serving(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def make_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name in names:
            opened.writestr(name, f"picture {name}")
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve four small zip files of the lesson's layout."""
    folder = tmp_path / "served"
    folder.mkdir()
    for part in PARTS:
        make_zip(
            folder / f"{part}.zip", f"{part}/1.jpg", f"{part}/2.jpg", f"__MACOSX/{part}/._1.jpg"
        )
    yield from serving(folder)


@pytest.fixture
def official(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Let the small zip files be the ones that the toolkit expects."""
    blobs = {part: git_blob_id(server.folder / f"{part}.zip") for part in PARTS}
    monkeypatch.setattr(sources, "DOGS_VS_CATS", blobs)
    monkeypatch.setattr(sources, "DOGS_VS_CATS_URL", server.url)
    return server


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield an address that nobody listens at."""
    monkeypatch.setattr(download, "BACKOFF", 0.001)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_four_files_have_the_lessons_names() -> None:
    """Each name stands with a git blob id of its own."""
    assert tuple(sources.DOGS_VS_CATS) == PARTS
    assert all(len(bytes.fromhex(blob)) == 20 for blob in sources.DOGS_VS_CATS.values())
    assert len(set(sources.DOGS_VS_CATS.values())) == 4


def test_dogs_vs_cats_is_downloaded_and_unpacked(official: Server, cache: Path) -> None:
    """Four folders of pictures are there afterwards, and no zip file."""
    source = locate("dogs-vs-cats", cache=cache)
    assert source.name == "dogs-vs-cats"
    assert listing(source.path) == sorted(
        entry for part in PARTS for entry in (part, f"{part}/1.jpg", f"{part}/2.jpg")
    )
    assert [path.name for path in (cache / "data").iterdir()] == ["dogs-vs-cats"]
    assert len(dataset.read(source.path)) == 8
    assert official.url in source.note


def test_a_second_run_downloads_nothing(official: Server, cache: Path) -> None:
    """What is there is not asked for again."""
    locate("dogs-vs-cats", cache=cache)
    locate("dogs-vs-cats", cache=cache)
    assert official.asked == [f"{part}.zip" for part in PARTS]


def test_a_stopped_run_keeps_the_parts_it_has(official: Server, cache: Path) -> None:
    """What was unpacked before the stop is not downloaded again."""

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
    with pytest.raises(DownloadError, match=r"cats-test\.zip is not the file.*git blob id"):
        locate("dogs-vs-cats", cache=cache)
    assert not list(cache.rglob("other.jpg"))
    assert not list(cache.rglob("*.zip"))


def test_an_explicit_word_never_falls_back(nobody: str, cache: Path) -> None:
    """A host that cannot be reached is an error that names the other choices."""
    with pytest.raises(UnreachableError, match=r"could not be reached.*--mirror.*--data shapes"):
        locate("dogs-vs-cats", cache=cache, mirror=nobody)


def test_a_mirror_is_checked_and_recorded(server: Server, cache: Path) -> None:
    """A mirror's files need no known id; their SHA-256 are written down beside the data."""
    source = locate("dogs-vs-cats", cache=cache, mirror=f"{server.url}/")
    assert len(listing(source.path)) == 12
    record = json.loads(source.path.with_name(f"{source.path.name}.json").read_text())
    assert record["url"] == server.url
    assert record["sha256"] == {
        f"{part}.zip": hashlib.sha256((server.folder / f"{part}.zip").read_bytes()).hexdigest()
        for part in PARTS
    }


def test_a_mirror_never_mixes_with_the_verified_set(official: Server, cache: Path) -> None:
    """What a mirror gave is not taken for what was verified by id."""
    mirrored = locate("dogs-vs-cats", cache=cache, mirror=official.url)
    verified = locate("dogs-vs-cats", cache=cache)
    assert mirrored.path != verified.path
    assert len(official.asked) == 8


def test_a_damaged_file_of_a_mirror_is_refused(server: Server, cache: Path) -> None:
    """A checksum inside the zip that does not match is an error, and the next run can mend it."""
    archive = server.folder / "cats-train.zip"
    good = archive.read_bytes()
    archive.write_bytes(good.replace(b"picture cats", b"picture rats"))
    with pytest.raises(DownloadError, match=r"cats-train\.zip is not the file"):
        locate("dogs-vs-cats", cache=cache, mirror=server.url)
    archive.write_bytes(good)
    assert len(listing(locate("dogs-vs-cats", cache=cache, mirror=server.url).path)) == 12


def test_a_zip_without_its_folder_is_refused(server: Server, cache: Path) -> None:
    """Each zip file holds the folder of its name."""
    make_zip(server.folder / "cats-train.zip", "birds/1.jpg")
    with pytest.raises(ArchiveError, match="expected the folder cats-train"):
        locate("dogs-vs-cats", cache=cache, mirror=server.url)
    assert not list(cache.rglob("birds"))


def test_a_mirror_for_anything_else_is_an_error(cache: Path) -> None:
    """An option that would do nothing is not passed over in silence."""
    with pytest.raises(DataError, match="leave --mirror out"):
        locate("shapes", cache=cache, mirror="http://127.0.0.1/")


def test_auto_takes_the_data_folder_if_it_holds_images(elsewhere: Path, cache: Path) -> None:
    """Images anywhere below ``data`` are the user's data."""
    (elsewhere / "data/cats").mkdir(parents=True)
    (elsewhere / "data/cats/1.JPG").touch()
    source = locate("auto", cache=cache)
    assert source.path.resolve() == elsewhere / "data"
    assert source.name == "data"


@pytest.mark.parametrize("there", [False, True])
def test_auto_without_images_is_dogs_vs_cats(
    official: Server, elsewhere: Path, cache: Path, there: bool
) -> None:
    """A folder ``data`` without images is as good as none."""
    assert official.asked == []
    if there:
        (elsewhere / "data").mkdir()
        (elsewhere / "data/notes.txt").touch()
    assert locate("auto", cache=cache).name == "dogs-vs-cats"


def test_auto_out_of_reach_says_so_and_takes_shapes(
    nobody: str,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the network the drawn set is used, in plain words."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 6, "test": 6})
    with caplog.at_level(logging.INFO, "extract"):
        source = locate("auto", cache=cache, mirror=nobody)
    assert source.name == "shapes"
    assert "could not be reached: the drawn set shapes is used instead" in caplog.text


def test_auto_does_not_hide_other_failures(server: Server, cache: Path) -> None:
    """A file that is missing on a host that answers is an error."""
    (server.folder / "cats-train.zip").unlink()
    with pytest.raises(DownloadError, match="404"):
        locate("auto", cache=cache, mirror=server.url)


def test_shapes_are_drawn_once(cache: Path) -> None:
    """The drawn set is whole, and the second run draws nothing."""
    drawn = []
    for _ in range(2):
        source = locate("shapes", cache=cache, progress=lambda *report: drawn.append(report))
    assert len(dataset.read(source.path)) == 600
    assert len(drawn) == 600


def test_shapes_of_another_version_are_drawn_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the drawing never meets pictures of the one before."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 6, "test": 6})
    before = locate("shapes", cache=cache).path
    monkeypatch.setattr(shapes, "VERSION", 999)
    assert locate("shapes", cache=cache).path != before


def test_a_folder_is_taken_as_it_is(tmp_path: Path, cache: Path) -> None:
    """Nothing is copied and the cache is not touched."""
    (tmp_path / "pets").mkdir()
    source = locate(str(tmp_path / "pets"), cache=cache)
    assert (source.name, source.path) == ("pets", tmp_path / "pets")
    assert not cache.exists()


def test_a_table_is_taken_as_it_is(tmp_path: Path, cache: Path) -> None:
    """A .csv file is left for the reader of data sets."""
    table = tmp_path / "pets.CSV"
    table.write_text("path,label\n")
    assert locate(str(table), cache=cache).path == table


def test_a_zip_file_is_unpacked_once(tmp_path: Path, cache: Path) -> None:
    """The unpacked folder is named by the file's content and found again."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg", "pets/dog/1.jpg")
    first = locate(str(archive), cache=cache)
    stamp = first.path.stat().st_mtime_ns
    assert first.name == "pets"
    assert dataset.read(first.path).classes == ["cat", "dog"]
    assert locate(str(archive), cache=cache).path.stat().st_mtime_ns == stamp
    assert archive.exists()


def test_a_changed_zip_file_is_another_data_set(tmp_path: Path, cache: Path) -> None:
    """The same name with other content is unpacked to another folder."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg")
    before = locate(str(archive), cache=cache).path
    make_zip(archive, "pets/cat/2.jpg")
    assert locate(str(archive), cache=cache).path != before


def test_a_hostile_zip_file_is_refused(tmp_path: Path, cache: Path) -> None:
    """The archive's rules hold, and nothing is left in the cache."""
    archive = make_zip(tmp_path / "pets.zip", "pets/cat/1.jpg", "../evil.jpg")
    with pytest.raises(ArchiveError):
        locate(str(archive), cache=cache)
    assert listing(cache) == ["data"]


@pytest.mark.parametrize("tail", ["", "?version=1", "#part"])
def test_a_url_is_downloaded_once(server: Server, cache: Path, tail: str) -> None:
    """The second run remembers the address, and the zip file is gone."""
    make_zip(server.folder / "my pets.zip", "cat/1.jpg", "dog/1.jpg")
    for _ in range(2):
        source = locate(f"{server.url}/my%20pets.zip{tail}", cache=cache)
        assert source.name == "my-pets"
        assert dataset.read(source.path).classes == ["cat", "dog"]
    assert len(server.asked) == 1
    assert not list(cache.rglob("*.zip"))


def test_a_url_whose_data_were_removed_is_downloaded_again(server: Server, cache: Path) -> None:
    """A memory of something that is gone is no use."""
    url = f"{server.url}/cats-train.zip"
    path = locate(url, cache=cache).path
    path.rename(path.with_name("gone"))
    assert locate(url, cache=cache).path.is_dir()
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", '{"folder": 5}', '{"folder": ""}', '{"folder": "gone"}']
)
def test_a_damaged_memory_of_a_url_is_no_error(server: Server, cache: Path, record: str) -> None:
    """What cannot be read is fetched again."""
    url = f"{server.url}/cats-train.zip"
    locate(url, cache=cache)
    (memory,) = (cache / "data").glob("url-*.json")
    memory.write_text(record)
    assert locate(url, cache=cache).path.is_dir()


def test_a_url_of_something_else_is_refused(server: Server, cache: Path) -> None:
    """A page that is no zip file is not kept."""
    (server.folder / "page.html").write_text("<html>")
    with pytest.raises(DownloadError, match="is not the file that was expected"):
        locate(f"{server.url}/page.html", cache=cache)
    assert listing(cache) == ["data"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/pets.zip", "s3://pets/pets.zip", "javascript://x"]
)
def test_other_schemes_are_refused(cache: Path, url: str) -> None:
    """Only http and https are fetched."""
    with pytest.raises(DataError, match=r"http\(s\)"):
        locate(url, cache=cache)


@pytest.mark.parametrize("url", ["http://[", "http://", "https:///x.zip", "http://h:port/x.zip"])
def test_addresses_that_are_none_are_one_error(cache: Path, url: str) -> None:
    """What cannot be understood as an address is told."""
    with pytest.raises(DownloadError):
        locate(url, cache=cache)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("dogs-vs-cat", "did you mean dogs-vs-cats?"),
        ("shape", "did you mean shapes?"),
        ("nowhere/pets", "there is no such file or folder"),
        ("missing.zip", "there is no such file or folder"),
        ("", "expected auto, dogs-vs-cats, shapes"),
        ("x" * 5000, "expected auto, dogs-vs-cats, shapes"),
        ("~nobody-of-this-name/pets", "expected auto, dogs-vs-cats, shapes"),
    ],
)
def test_a_word_that_means_nothing_is_told(cache: Path, word: str, told: str) -> None:
    """The error says what was expected and what there is."""
    with pytest.raises(DataError) as caught:
        locate(word, cache=cache)
    assert told in str(caught.value)


def test_a_file_of_another_kind_is_told(tmp_path: Path, cache: Path) -> None:
    """A picture alone is no data set."""
    (tmp_path / "cat.jpg").touch()
    with pytest.raises(DataError, match="it is neither"):
        locate(str(tmp_path / "cat.jpg"), cache=cache)


def test_a_cache_that_cannot_be_written_is_one_error(cache: Path) -> None:
    """The system's refusal is told with what to do."""
    cache.touch()
    with pytest.raises(CacheError, match="--cache DIR"):
        locate("shapes", cache=cache)


@pytest.mark.parametrize(("word", "files"), [("dogs-vs-cats", 4), ("{url}/cats-train.zip", 1)])
def test_many_at_once_make_one_set(official: Server, cache: Path, word: str, files: int) -> None:
    """All but one wait, and take what that one has made."""
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
    """The real zip files make the true way: served, checked, unpacked, read."""
    folder = os.environ.get("DOGS_VS_CATS_DIR")
    if not folder:
        pytest.skip("DOGS_VS_CATS_DIR does not name the folder with the four zip files")
    for server in serving(Path(folder)):
        source = locate("dogs-vs-cats", cache=cache, mirror=server.url)
    photographs = dataset.read(source.path)
    assert len(photographs) == 3000
    assert dataset.counts(photographs.items, photographs.classes, "test") == [500, 500]
