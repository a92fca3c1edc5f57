"""Downloading from a real server on this machine that misbehaves as told."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from cache.locks import locked
from extract import download
from extract.download import UnreachableError, fetch, git_blob_id, sha256
from extract.errors import ArchiveError, DownloadError

CONTENT = bytes(range(256)) * 2000
Fault = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        if self.server.faults:
            self.server.faults.pop(0)(self)
        else:
            self.give()

    def give(self, cut: int | None = None, **headers: str) -> None:
        """Answer as a good server does, with up to `cut` bytes of the body."""
        body, status = self.server.content, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        out = {"ETag": self.server.etag}
        if asked and self.headers.get("If-Range") == self.server.etag:
            start = int(asked[1])
            if start >= len(body):
                self.answer(416, b"", **{"Content-Range": f"bytes */{len(body)}"})
                return
            out["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        out = {"Content-Length": str(len(body)), **out, **headers}
        self.answer(status, body[:cut], **out)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.faults: list[Fault] = []
        self.requests: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/pets.zip"


def cut(length: int) -> Fault:
    return lambda handler: handler.give(cut=length)


def status(code: int) -> Fault:
    return lambda handler: handler.answer(code, b"no", **{"Content-Length": "2"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "BACKOFF", 0.001)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "pets.zip"


def is_content(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise ArchiveError("other bytes")


def test_a_file_is_fetched_whole_and_alone(server: Server, target: Path) -> None:
    """The file is all that is left in the folder, which is made if need be."""
    assert fetch(server.url, target, verify=is_content) == target
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_is_there_is_not_fetched(server: Server, target: Path) -> None:
    """A file under its final name is whole, so the server is not asked."""
    fetch(server.url, target)
    fetch(server.url, target)
    assert len(server.requests) == 1


@pytest.mark.parametrize("tenth", range(10))
def test_a_cut_download_is_resumed(server: Server, target: Path, tenth: int) -> None:
    """A connection that breaks at any tenth is taken up where it broke."""
    server.faults = [cut(len(CONTENT) * tenth // 10)]
    fetch(server.url, target, verify=is_content)
    ranges = [request.get("Range") for request in server.requests]
    assert ranges == [None, f"bytes={len(CONTENT) * tenth // 10}-" if tenth else None]


def test_a_download_cut_again_and_again_gets_through(server: Server, target: Path) -> None:
    """Tries that gain ground are not counted as failures."""
    server.faults = [cut(60_000)] * 8
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 9


def test_a_part_of_an_earlier_call_is_resumed(server: Server, target: Path) -> None:
    """What one call has got, the next call does not fetch again."""
    server.faults = [cut(300_000), *[status(503)] * 4]
    with pytest.raises(DownloadError, match="300000 bytes are kept"):
        fetch(server.url, target)
    assert not target.exists()
    fetch(server.url, target, verify=is_content)
    assert server.requests[-1]["Range"] == "bytes=300000-"


def test_ctrl_c_keeps_the_part(server: Server, target: Path) -> None:
    """An interrupted download goes on from where it was stopped."""

    def stop(stage: str, done: int, total: int) -> None:
        if done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, target, progress=stop)
    assert not target.exists()
    fetch(server.url, target, verify=is_content)
    assert int(server.requests[-1]["Range"].strip("bytes=-")) > 200_000


def test_a_whole_part_is_not_asked_for_again(server: Server, target: Path) -> None:
    """A process killed between the last byte and the rename costs no second download."""

    def stop(_path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, target, verify=stop)
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 1


def test_a_file_that_changed_between_two_tries_is_begun_anew(server: Server, target: Path) -> None:
    """The start of one version never meets the end of another."""

    def change(handler: Handler) -> None:
        handler.give(cut=300_000)
        handler.server.content, handler.server.etag = CONTENT[::-1], '"two"'

    server.faults = [change]
    fetch(server.url, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_ignores_if_range_is_found_out(server: Server, target: Path) -> None:
    """A part of a version with another entity tag is thrown away."""

    def wrong_part(handler: Handler) -> None:
        handler.give(ETag='"two"')

    server.faults = [cut(300_000), wrong_part]
    fetch(server.url, target, verify=is_content)
    assert [request.get("Range") for request in server.requests] == [None, "bytes=300000-", None]


def test_200_where_206_was_due_begins_anew(server: Server, target: Path) -> None:
    """A server that cannot resume sends the whole file, which replaces the part."""

    def whole(handler: Handler) -> None:
        length = str(len(CONTENT))
        handler.answer(200, CONTENT, **{"Content-Length": length, "ETag": '"one"'})

    server.faults = [cut(300_000), whole]
    fetch(server.url, target, verify=is_content)
    assert len(server.requests) == 2


def test_a_part_without_a_validator_is_begun_anew(server: Server, target: Path) -> None:
    """Without an entity tag or a date nobody knows what the part belongs to."""
    server.etag = ""
    server.faults = [cut(300_000)]
    fetch(server.url, target, verify=is_content)
    assert "Range" not in server.requests[1]


def test_a_file_of_unknown_length_is_resumed(server: Server, target: Path) -> None:
    """A length that the first answer did not tell is taken from the second."""

    def cut_chunks(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        body = b"%x\r\n%s\r\n" % (300_000, CONTENT[:300_000])
        handler.answer(200, body, **{"Transfer-Encoding": "chunked", "ETag": '"one"'})
        handler.close_connection = True

    server.faults = [cut_chunks]
    fetch(server.url, target, verify=is_content)
    assert int(server.requests[1]["Range"].strip("bytes=-")) > 200_000


def test_416_throws_the_part_away(server: Server, target: Path) -> None:
    """A part longer than the file cannot be right."""
    fetch(server.url, target)
    part = target.rename(f"{target}.part")
    with part.open("ab") as file:
        file.write(b"more")
    known = {"url": server.url, "validator": '"one"', "total": None}
    Path(f"{part}.json").write_text(json.dumps(known))
    fetch(server.url, target, verify=is_content)


@pytest.mark.parametrize("sidecar", ["", "[]", "{}", '{"url": 5}', "\x00", '{"surprise": 1}'])
def test_a_damaged_sidecar_begins_anew(server: Server, target: Path, sidecar: str) -> None:
    """What cannot be understood is not trusted."""
    target.parent.mkdir()
    Path(f"{target}.part").write_bytes(b"garbage")
    Path(f"{target}.part.json").write_text(sidecar)
    fetch(server.url, target, verify=is_content)


def test_a_length_that_is_never_reached_is_an_error(server: Server, target: Path) -> None:
    """A server that announces more than it sends is given up, and no file appears."""
    server.content = b"short"
    server.faults = [lambda handler: handler.give(None, **{"Content-Length": "50"})] * 9
    with pytest.raises(DownloadError, match="run the command again"):
        fetch(server.url, target)
    assert not target.exists()


def test_a_part_that_grows_too_long_is_thrown_away(server: Server, target: Path) -> None:
    """More bytes than the whole file has cannot be right."""

    def too_much(handler: Handler) -> None:
        start, end, total = 300_000, len(CONTENT) - 1, len(CONTENT)
        span = f"bytes {start}-{end}/{total}"
        handler.answer(206, CONTENT, **{"Content-Range": span, "ETag": '"one"'})

    server.faults = [cut(300_000), too_much]
    fetch(server.url, target, verify=is_content)


def test_a_refused_file_never_gets_its_name(server: Server, target: Path) -> None:
    """A file that fails its check is removed, and the error says why."""
    server.content = b"other"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*other bytes.*run the command again"):
        fetch(server.url, target, verify=is_content)
    assert list(target.parent.iterdir()) == []


def test_500_is_tried_again(server: Server, target: Path) -> None:
    """A server that stumbles and then recovers is no error."""
    server.faults = [status(500), status(503)]
    fetch(server.url, target, verify=is_content)


def test_500_for_ever_is_one_error(server: Server, target: Path) -> None:
    """After a few tries the answer is believed; the host was reached all the same."""
    server.faults = [status(500)] * 9
    with pytest.raises(DownloadError, match="500") as caught:
        fetch(server.url, target)
    assert not isinstance(caught.value, UnreachableError)
    assert len(server.requests) == download.ATTEMPTS


def test_404_is_not_tried_again(server: Server, target: Path) -> None:
    """A file that is not there will not be there in a second either."""
    server.faults = [status(404)] * 9
    with pytest.raises(DownloadError, match=r"404 .*pets\.zip; check the address"):
        fetch(server.url, target)
    assert len(server.requests) == 1


def test_a_stall_is_cut_short_and_resumed(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that falls silent in mid-file is asked again for the rest."""
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.2)

    def stall(handler: Handler) -> None:
        handler.give(cut=300_000)
        handler.wfile.flush()
        time.sleep(1)

    server.faults = [stall]
    started = time.monotonic()
    fetch(server.url, target, verify=is_content)
    assert time.monotonic() - started < 0.9
    assert "Range" in server.requests[1]


def test_garbage_for_an_answer_is_one_error(server: Server, target: Path) -> None:
    """What is not HTTP is tried a few times and then reported."""

    def garbage(handler: Handler) -> None:
        handler.wfile.write(b"\xff\x00 no HTTP\r\n\r\n")

    server.faults = [garbage] * 9
    with pytest.raises(DownloadError, match="run the command again"):
        fetch(server.url, target)
    assert not target.exists()


def test_a_body_that_never_ends_is_stopped(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server can fill the disk."""
    monkeypatch.setattr(download, "MAX_BYTES", 200_000)
    server.faults = [lambda handler: handler.answer(200, CONTENT)]
    with pytest.raises(DownloadError, match="200000 bytes"):
        fetch(server.url, target)
    assert not Path(f"{target}.part").exists()
    with pytest.raises(DownloadError, match="512000 bytes"):
        fetch(server.url, target)


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "//[", "gopher://x"])
def test_a_redirect_out_of_the_web_is_refused(server: Server, target: Path, place: str) -> None:
    """A redirect leads to http or https, or nowhere."""
    server.faults = [lambda handler: handler.answer(302, b"", Location=place)]
    with pytest.raises(DownloadError):
        fetch(server.url, target)
    assert not target.exists()


def test_a_redirect_within_the_web_is_followed(server: Server, target: Path) -> None:
    """A file may have moved."""
    server.faults = [lambda handler: handler.answer(302, b"", Location="/elsewhere.zip")]
    fetch(server.url, target, verify=is_content)


def test_a_redirect_out_of_https_is_refused() -> None:
    """What was asked for under https is not taken without it."""
    response = requests.Response()
    response.url, response.status_code = "https://example.org/a.zip", 302
    response.headers["location"] = "http://example.org/a.zip"
    with pytest.raises(DownloadError, match="not https"):
        download._refuse_downgrade(response)
    response.headers["location"] = "https://example.org/b.zip"
    download._refuse_downgrade(response)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "pets.zip", "http://", "http://["]
)
def test_other_schemes_are_refused(target: Path, url: str) -> None:
    """Only http and https addresses are fetched."""
    with pytest.raises(DownloadError, match="give an http or https URL"):
        fetch(url, target)


def test_a_host_that_refuses_is_unreachable(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: the error says so, names the address and can be told from others."""
    monkeypatch.setattr(download, "BACKOFF", 0.001)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/pets.zip"
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 could not be reached.*refused"):
            fetch(url, target)


def test_a_name_that_does_not_resolve_is_unreachable(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not exist is no bug of ours."""
    monkeypatch.setattr(download, "BACKOFF", 0.001)
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid could not be reached"):
        fetch("https://nowhere.invalid/pets.zip", target)


def test_a_folder_that_cannot_be_written_is_one_error(server: Server, tmp_path: Path) -> None:
    """The system's refusal is told with the file's name."""
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot keep"):
        fetch(server.url, tmp_path / "file" / "pets.zip")


def test_progress_reaches_the_end(server: Server, target: Path) -> None:
    """Progress counts KiB up to the whole file."""
    seen: list[tuple[str, int, int]] = []
    fetch(server.url, target, progress=lambda *report: seen.append(report))
    assert seen[-1] == ("downloading pets.zip (KiB)", 500, 500)


def test_two_at_once_make_one_download(server: Server, target: Path) -> None:
    """The second waits for the first and takes its file."""
    threads = [threading.Thread(target=fetch, args=(server.url, target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """Threads that count under the lock lose no count, and no lock file stays."""
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
    assert sha256(path) == hashlib.sha256(content).hexdigest()
    header = b"blob %d\0" % len(content)
    assert git_blob_id(path) == hashlib.sha1(header + content).hexdigest()


def test_the_blob_id_of_hello_is_the_known_one(tmp_path: Path) -> None:
    """The id of a well-known blob, so that the formula itself is pinned."""
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert git_blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
