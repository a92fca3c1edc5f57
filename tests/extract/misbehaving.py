"""A server on this machine that misbehaves as told, for the tests of downloads."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from extract.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 2000
Fault = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        with contextlib.suppress(ConnectionError):
            if self.server.faults:
                self.server.faults.pop(0)(self)
            else:
                self.give()

    def give(
        self, cut: int | None = None, change: tuple[bytes, str] | None = None, **headers: str
    ) -> None:
        """Answer as a good server does, with up to `cut` bytes of the body.

        With `change`, the server has that content and tag from then on.
        """
        body, etag, status = self.server.content, self.server.etag, 200
        if change is not None:  # before anything is sent, after which the test goes on
            self.server.content, self.server.etag = change
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        out = {"ETag": etag}
        if asked and self.headers.get("If-Range") == etag:
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

    def reset(self) -> None:
        """End the connection with a reset in place of a goodbye."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def drip(self, data: bytes, seconds: float = 0.05) -> None:
        """Send a byte now and then, until the server stops or the other side has had enough."""
        for byte in data:
            if self.server.stopping.wait(seconds):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.faults: list[Fault] = []
        self.requests: list[dict[str, str]] = []
        self.stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/pets.zip"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = self.url.replace("http:", "https:", 1)

    def handle_error(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(certificate: Path | None = None) -> Iterator[Server]:
    """Run a server; with a certificate, over TLS."""
    with Server(certificate) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.stopping.set()
        server.shutdown()


def is_content(path: Path) -> None:
    """Verify a download: it holds the bytes that the server has."""
    if path.read_bytes() != CONTENT:
        raise ArchiveError("other bytes")


def cut(length: int) -> Fault:
    return lambda handler: handler.give(cut=length)


def status(code: int) -> Fault:
    return lambda handler: handler.answer(code, b"no", **{"Content-Length": "2"})


def redirect(place: str, body: bytes = b"") -> Fault:
    return lambda handler: handler.answer(302, body, Location=place)


def make_certificate(folder: Path) -> Path:
    """Have openssl make a certificate for 127.0.0.1, and return the file with it and its key."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
