"""Downloads from a real server that misbehaves: one clear error, and no file."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from extract.datasets.sources import download, minimum_rate
from extract.datasets.sources.download import UnreachableError, fetch
from extract.errors import DownloadError
from tests.extract.misbehaving import (
    CONTENT,
    Fault,
    Handler,
    Server,
    cut,
    is_content,
    make_certificate,
    redirect,
    serving,
    status,
)


def test_a_length_that_is_never_reached_is_an_error(server: Server, target: Path) -> None:
    """A server that announces more than it sends causes an error, and there is no file."""
    server.content = b"short"
    server.faults = [lambda handler: handler.give(None, **{"Content-Length": "50"})] * 9
    with pytest.raises(DownloadError, match="run the same command again"):
        fetch(server.url, target)
    assert not target.exists()


def test_a_refused_file_never_gets_its_name(server: Server, target: Path) -> None:
    """A file that fails its check is deleted, and the error says why."""
    server.content = b"other"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*other bytes.*was deleted"):
        fetch(server.url, target, verify=is_content)
    assert list(target.parent.iterdir()) == []


def test_500_is_tried_again(server: Server, target: Path) -> None:
    """A server that fails once and then recovers causes no error."""
    server.faults = [status(500), status(503)]
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


def test_500_for_ever_is_one_error(server: Server, target: Path) -> None:
    """After a few attempts the download fails, but the host was reachable."""
    server.faults = [status(500)] * 9
    with pytest.raises(DownloadError, match="500") as caught:
        fetch(server.url, target)
    assert not isinstance(caught.value, UnreachableError)
    assert len(server.requests) == download.ATTEMPTS


def test_404_is_not_tried_again(server: Server, target: Path) -> None:
    """A missing file will still be missing a second later."""
    server.faults = [status(404)] * 9
    with pytest.raises(DownloadError, match=r"404 .*pets\.zip; check the address"):
        fetch(server.url, target)
    assert len(server.requests) == 1


def test_a_stall_is_cut_short_and_resumed(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is requested again when a server falls silent in mid-file."""
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.2)

    def stall(handler: Handler) -> None:
        handler.give(cut=300_000)
        handler.wfile.flush()
        handler.server.stopping.wait(60)

    server.faults = [stall]
    started = time.monotonic()
    fetch(server.url, target, verify=is_content)
    assert time.monotonic() - started < 30  # of the 60 that the server would have been silent
    assert "Range" in server.requests[1]
    assert target.read_bytes() == CONTENT


def test_garbage_for_an_answer_is_one_error(server: Server, target: Path) -> None:
    """A response that is not HTTP is tried a few times and then reported."""

    def garbage(handler: Handler) -> None:
        handler.wfile.write(b"\xff\x00 no HTTP\r\n\r\n")

    server.faults = [garbage] * 9
    with pytest.raises(DownloadError, match="run the same command again"):
        fetch(server.url, target)
    assert not target.exists()


def test_a_body_that_never_ends_is_stopped(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of a download is limited."""
    monkeypatch.setattr(download, "MAX_BYTES", 200_000)
    server.faults = [lambda handler: handler.answer(200, CONTENT)]
    with pytest.raises(DownloadError, match="200,000 bytes"):
        fetch(server.url, target)
    assert not Path(f"{target}.part").exists()
    with pytest.raises(DownloadError, match="512,000 bytes"):
        fetch(server.url, target)


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "//[", "gopher://x"])
def test_a_redirect_out_of_the_web_is_refused(server: Server, target: Path, place: str) -> None:
    """A redirect to another scheme is refused."""
    server.faults = [lambda handler: handler.answer(302, b"", Location=place)]
    with pytest.raises(DownloadError):
        fetch(server.url, target)
    assert not target.exists()


def test_a_redirect_within_the_web_is_followed(server: Server, target: Path) -> None:
    """A file may have moved."""
    server.faults = [lambda handler: handler.answer(302, b"", Location="/elsewhere.zip")]
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_redirect_out_of_https_is_refused(
    server: Server, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file requested with https is refused without it, even if it is the right one."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(certificate) as secure:
        secure.faults = [redirect(server.url)]
        with pytest.raises(DownloadError, match="which is not https"):
            fetch(secure.url, target)
        assert not target.exists()
        assert server.requests == []
        secure.faults = [redirect("/elsewhere.zip")]
        assert fetch(secure.url, target).read_bytes() == CONTENT


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_an_invalid_certificate_is_refused(target: Path, tmp_path: Path) -> None:
    """A server with an invalid certificate is refused."""
    with serving(make_certificate(tmp_path)) as secure, pytest.raises(UnreachableError):
        fetch(secure.url, target)
    assert not target.exists()
    assert secure.requests == []


@pytest.mark.parametrize("place", ["/\udcff\udcfe", "http://.example/", "http://a b/", "//[::1"])
def test_a_redirect_to_an_invalid_address_is_one_error(
    server: Server, target: Path, place: str
) -> None:
    """Whatever requests raises becomes an error of the toolkit."""

    def misdirect(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 302 Found\r\nLocation: ")
        handler.wfile.write(place.encode("utf-8", "surrogateescape") + b"\r\n\r\n")

    server.faults = [misdirect] * 9
    with pytest.raises(DownloadError):
        fetch(server.url, target)
    assert not target.exists()


def test_the_body_of_a_redirect_is_not_read(server: Server, target: Path) -> None:
    """A redirect with a body that never ends is followed at once."""

    def endless(handler: Handler) -> None:
        handler.answer(302, b"", Location="/elsewhere.zip")
        handler.drip(bytes(10_000))

    server.faults = [endless]
    started = time.monotonic()
    fetch(server.url, target, verify=is_content)
    assert time.monotonic() - started < 60  # of the 500 that the body would have taken
    assert target.read_bytes() == CONTENT


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect 1 KiB within 0.3 s."""
    monkeypatch.setattr(minimum_rate, "WINDOW", 0.3)
    monkeypatch.setattr(minimum_rate, "MIN_RATE", 1024 / 0.3)


def drip_body(handler: Handler) -> None:
    handler.give(cut=0)
    handler.drip(CONTENT)


def drip_head(handler: Handler) -> None:
    handler.drip(b"HTTP/1.0 200 OK\r\n" + b"X-Padding: 1\r\n" * 1000)


def drip_chunk(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    handler.drip(b"0" * 10_000)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("drip", [drip_body, drip_head, drip_chunk])
def test_a_server_that_is_too_slow_is_an_error(server: Server, target: Path, drip: Fault) -> None:
    """A byte now and then does not keep a run waiting, in any part of the response."""
    server.faults = [drip] * 9
    with pytest.raises(DownloadError, match=r"less than [\d,]+ bytes per second"):
        fetch(server.url, target)
    assert not target.exists()
    assert len(server.requests) == download.ATTEMPTS


@pytest.mark.usefixtures("impatient")
def test_a_slow_download_is_resumed(server: Server, target: Path) -> None:
    """The bytes that arrived slowly are kept."""
    server.faults = [drip_body]
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT
    assert server.requests[1]["Range"] != "bytes=0-"


def test_one_byte_per_attempt_is_not_enough(server: Server, target: Path) -> None:
    """A server that sends one byte per attempt causes an error."""
    server.faults = [cut(1)] * 99
    with pytest.raises(DownloadError, match="4 bytes are kept"):
        fetch(server.url, target)
    assert len(server.requests) == download.ATTEMPTS


def test_a_reset_connection_is_resumed(server: Server, target: Path) -> None:
    """A reset in mid-file is resumed like any interruption."""

    def reset(handler: Handler) -> None:
        handler.give(cut=300_000)
        handler.reset()

    server.faults = [reset]
    fetch(server.url, target, verify=is_content)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "pets.zip", "http://", "http://["]
)
def test_other_schemes_are_refused(target: Path, url: str) -> None:
    """Only http and https addresses are downloaded."""
    with pytest.raises(DownloadError, match="expected an http or https URL"):
        fetch(url, target)


def test_a_host_that_refuses_is_unreachable(nobody: str, target: Path) -> None:
    """Nothing listens: the error says so, names the address and has its own type."""
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 could not be reached.*refused"):
        fetch(f"{nobody}/pets.zip", target)


def test_a_name_that_does_not_resolve_is_unreachable(target: Path) -> None:
    """A host that does not exist is reported."""
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid could not be reached"):
        fetch("https://nowhere.invalid/pets.zip", target)


def test_a_folder_that_cannot_be_written_is_one_error(server: Server, tmp_path: Path) -> None:
    """The error of the system is reported with the name of the file."""
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cannot save"):
        fetch(server.url, tmp_path / "file" / "pets.zip")
