"""Downloads from a real server on this machine: complete, verified and resumable."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from pathlib import Path

import pytest

from cache import disk
from cache.locks import locked
from extract.datasets.sources.download import fetch, git_blob_id
from extract.errors import DownloadError
from tests.extract.misbehaving import CONTENT, Handler, Server, cut, is_content, status


def test_a_file_is_fetched_whole_and_alone(server: Server, target: Path) -> None:
    """Nothing else is left in the folder, which is created if need be."""
    assert fetch(server.url, target, verify=is_content) == target
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_file_is_not_downloaded(server: Server, target: Path) -> None:
    """A file with its final name is complete, so no request is sent."""
    fetch(server.url, target)
    fetch(server.url, target)
    assert len(server.requests) == 1


@pytest.mark.parametrize("tenth", range(10))
def test_a_cut_download_is_resumed(server: Server, target: Path, tenth: int) -> None:
    """A connection that breaks at any tenth is resumed there."""
    server.faults = [cut(len(CONTENT) * tenth // 10)]
    fetch(server.url, target, verify=is_content)
    ranges = [request.get("Range") for request in server.requests]
    assert ranges == [None, f"bytes={len(CONTENT) * tenth // 10}-" if tenth else None]
    assert target.read_bytes() == CONTENT


def test_a_download_cut_again_and_again_gets_through(server: Server, target: Path) -> None:
    """Attempts that add bytes do not count as failures."""
    server.faults = [cut(60_000)] * 8
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 9
    assert target.read_bytes() == CONTENT


def test_a_part_of_an_earlier_call_is_resumed(server: Server, target: Path) -> None:
    """The next call does not download the same bytes again."""
    server.faults = [cut(300_000), *[status(503)] * 4]
    with pytest.raises(DownloadError, match="300,000 bytes are kept"):
        fetch(server.url, target)
    assert not target.exists()
    fetch(server.url, target, verify=is_content)
    assert server.requests[-1]["Range"] == "bytes=300000-"
    assert target.read_bytes() == CONTENT


def test_ctrl_c_keeps_the_part(server: Server, target: Path) -> None:
    """An interrupted download is resumed where it stopped."""

    def stop(stage: str, done: int, total: int) -> None:
        if done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, target, progress=stop)
    assert not target.exists()
    fetch(server.url, target, verify=is_content)
    assert int(server.requests[-1]["Range"].strip("bytes=-")) > 200_000
    assert target.read_bytes() == CONTENT


def test_a_complete_part_is_not_requested_again(server: Server, target: Path) -> None:
    """A process killed between the last byte and the rename causes no second download."""

    def stop(_path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, target, verify=stop)
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_between_two_attempts_starts_again(
    server: Server, target: Path
) -> None:
    """Parts of different versions are never joined."""

    def change(handler: Handler) -> None:
        handler.give(cut=300_000, change=(CONTENT[::-1], '"two"'))

    server.faults = [change]
    fetch(server.url, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_ignores_if_range_is_detected(server: Server, target: Path) -> None:
    """A part with another entity tag is discarded."""

    def wrong_part(handler: Handler) -> None:
        handler.give(ETag='"two"')

    server.faults = [cut(300_000), wrong_part]
    fetch(server.url, target, verify=is_content)
    assert [request.get("Range") for request in server.requests] == [None, "bytes=300000-", None]
    assert target.read_bytes() == CONTENT


def test_200_instead_of_206_starts_again(server: Server, target: Path) -> None:
    """A server that cannot resume sends the whole file, which replaces the part."""

    def whole(handler: Handler) -> None:
        length = str(len(CONTENT))
        handler.answer(200, CONTENT, **{"Content-Length": length, "ETag": '"one"'})

    server.faults = [cut(300_000), whole]
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 2
    assert target.read_bytes() == CONTENT


def test_a_part_without_a_validator_starts_again(server: Server, target: Path) -> None:
    """Without an entity tag or a date, the version of the part is unknown."""
    server.etag = ""
    server.faults = [cut(300_000)]
    fetch(server.url, target, verify=is_content)
    assert "Range" not in server.requests[1]
    assert target.read_bytes() == CONTENT


def test_a_file_of_unknown_length_is_resumed(server: Server, target: Path) -> None:
    """A length that is missing in the first response is taken from the second."""

    def cut_chunks(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        body = b"%x\r\n%s\r\n" % (300_000, CONTENT[:300_000])
        handler.answer(200, body, **{"Transfer-Encoding": "chunked", "ETag": '"one"'})
        handler.close_connection = True

    server.faults = [cut_chunks]
    fetch(server.url, target, verify=is_content)
    assert int(server.requests[1]["Range"].strip("bytes=-")) > 200_000
    assert target.read_bytes() == CONTENT


def test_416_discards_the_part(server: Server, target: Path) -> None:
    """A part that is longer than the file is discarded."""
    fetch(server.url, target)
    part = target.rename(f"{target}.part")
    with part.open("ab") as file:
        file.write(b"more")
    known = {"url": server.url, "validator": '"one"', "total": None}
    Path(f"{part}.json").write_text(json.dumps(known))
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("sidecar", ["", "[]", "{}", '{"url": 5}', "\x00", '{"surprise": 1}'])
def test_a_damaged_sidecar_starts_again(server: Server, target: Path, sidecar: str) -> None:
    """The download starts again."""
    target.parent.mkdir()
    Path(f"{target}.part").write_bytes(b"garbage")
    Path(f"{target}.part.json").write_text(sidecar)
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


def test_a_part_that_grows_too_long_is_discarded(server: Server, target: Path) -> None:
    """More bytes than the file has are an error."""

    def too_much(handler: Handler) -> None:
        start, end, total = 300_000, len(CONTENT) - 1, len(CONTENT)
        span = f"bytes {start}-{end}/{total}"
        handler.answer(206, CONTENT, **{"Content-Range": span, "ETag": '"one"'})

    server.faults = [cut(300_000), too_much]
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


def test_progress_reaches_the_end(server: Server, target: Path) -> None:
    """Progress counts KiB up to the whole file."""
    seen: list[tuple[str, int, int]] = []
    fetch(server.url, target, progress=lambda *report: seen.append(report))
    assert seen[-1] == ("downloading pets.zip (KiB)", 500, 500)


def test_two_calls_at_once_make_one_download(server: Server, target: Path) -> None:
    """The second waits for the first and uses its file."""
    threads = [threading.Thread(target=fetch, args=(server.url, target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """Threads that count under the lock lose no count, and no lock file is left."""
    count = 0

    def add() -> None:
        nonlocal count
        for _ in range(20):
            with locked(tmp_path / "lock"):
                before = count
                time.sleep(0.0002)
                count = before + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 80
    assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize("content", [b"", b"hello\n", CONTENT])
def test_digests_are_those_of_the_content(tmp_path: Path, content: bytes) -> None:
    """SHA-256 is hashlib's, the blob id is what git computes."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert disk.sha256(path) == hashlib.sha256(content).hexdigest()
    header = b"blob %d\0" % len(content)
    assert git_blob_id(path) == hashlib.sha1(header + content).hexdigest()


def test_the_blob_id_of_hello_is_the_known_one(tmp_path: Path) -> None:
    """The id of a well-known blob confirms the formula."""
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert git_blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
