"""The server with many clients at once: what one of them does changes nothing for the others."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from test_pages_api import UPLOAD, ask, connected

from classify.serving.web.uploads import MAX_WAITING, UPLOADS_AT_ONCE
from extract.datasets.sources.shapes import draw_image, encode_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from pathlib import Path
    from socket import socket

pytestmark = pytest.mark.slow

SECONDS = 60
"""Longer than anything here takes."""

PROGRAM = """
import time
from pathlib import Path

from extract.frozen import FrozenBase

make_engine = FrozenBase.make_engine


def make_held_engine(base):
    engine = make_engine(base)

    def run(images):
        with open("batches", "a") as file:
            print(len(images), file=file)
        while Path("hold").exists():
            time.sleep(0.01)
        if Path("fail").exists():
            raise RuntimeError("out of memory")
        return engine(images)

    return run


FrozenBase.make_engine = make_held_engine
from classify.serve import main

raise SystemExit(main())
"""
"""The server; its engine writes down the size of each batch, and a file makes it wait or fail."""


@dataclass(frozen=True)
class Held:
    """A server whose engine can be held."""

    address: str
    folder: Path
    process: subprocess.Popen[str]
    clients: ThreadPoolExecutor

    def post(self, data: bytes) -> Future[requests.Response]:
        """Send an image from a client of its own."""
        return self.clients.submit(ask, self.address, data)

    @property
    def batches(self) -> list[int]:
        """The sizes of the batches that have been begun, without the one of the start."""
        return [int(line) for line in (self.folder / "batches").read_text().split()][1:]

    @contextlib.contextmanager
    def engine(self, word: str) -> Iterator[None]:
        """Have the engine wait, or fail, within the context."""
        file = self.folder / word
        file.touch()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@pytest.fixture
def held(report: Path, tmp_path: Path) -> Iterator[Held]:
    """Serve the run with an engine that can be held."""
    home = report.parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, home / "run", "--cache", home / "cache",
         "--weights", home / "vgg16.npz"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "complaints").open("w"),
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    with ThreadPoolExecutor(60) as clients:
        address = process.stdout.readline().strip().rstrip("/")  # type: ignore[union-attr]
        yield Held(address, tmp_path, process, clients)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130


def until(happened: Callable[[], Any]) -> None:
    """Return as soon as something has happened."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def picture(index: int) -> bytes:
    return encode_jpeg(draw_image("test", index))


def prediction(response: requests.Response) -> dict[str, Any]:
    """Return a response without the time that it took."""
    assert response.status_code == 200, response.text
    return {name: value for name, value in response.json().items() if name != "seconds"}


def sent(server: str, data: bytes, n_bytes: int | None = None) -> socket:
    """Return the connection of a client that has sent an image, or only its first bytes."""
    connection = connected(server)
    head = (
        f"POST /api/classify HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Content-Type: {UPLOAD}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data[:n_bytes])
    connection.settimeout(SECONDS)
    return connection


def settle(server: str) -> None:
    """Return when the server has read what was sent before."""
    assert requests.get(f"{server}/openapi.json", timeout=SECONDS).ok


def received(connection: socket) -> tuple[int, Message, dict[str, Any]]:
    """Return the status, the headers and the content of a response."""
    with HTTPResponse(connection) as response:
        response.begin()
        return response.status, response.headers, json.loads(response.read())


def test_a_prediction_does_not_depend_on_its_batch(held: Held) -> None:
    """To the last bit, and with all details; what is no image is refused and harms none."""
    pictures = [picture(i) for i in range(11)]
    alone = [prediction(ask(held.address, data)) for data in pictures]
    n_alone = len(held.batches)
    with held.engine("hold"):
        responses = [held.post(pictures[0])]
        until(lambda: len(held.batches) > n_alone)
        responses += [held.post(data) for data in pictures[1:]]
        refused = [held.post(data) for data in (b"hello", pictures[3][:500])]
        assert [response.result().status_code for response in refused] == [422, 422]
    assert [prediction(response.result()) for response in responses] == alone
    assert held.batches[:n_alone] == [1] * n_alone
    assert max(held.batches[n_alone:]) > 1
    assert sum(held.batches[n_alone:]) == len(pictures)


def test_fifty_clients_get_the_predictions_that_one_gets(server: str) -> None:
    """All of them, with several images each."""
    pictures = [picture(i) for i in range(20)]
    alone = [prediction(ask(server, data)) for data in pictures]
    with ThreadPoolExecutor(50) as clients:
        together = list(clients.map(lambda data: ask(server, data), pictures * 5))
    assert [prediction(response) for response in together] == alone * 5


def test_nothing_is_computed_for_clients_that_have_gone(held: Held) -> None:
    """Those that still waited for a place; the others get their predictions."""
    with held.engine("hold"), contextlib.ExitStack() as stack:
        staying = [
            stack.enter_context(sent(held.address, picture(i))) for i in range(UPLOADS_AT_ONCE)
        ]
        settle(held.address)
        for _ in range(20):
            sent(held.address, picture(0)).close()
        staying.append(stack.enter_context(sent(held.address, picture(0))))
        settle(held.address)
        (held.folder / "hold").unlink()
        assert {received(connection)[0] for connection in staying} == {200}
        assert sum(held.batches) == UPLOADS_AT_ONCE + 1


def test_an_error_of_the_engine_answers_its_batch_and_the_server_lives_on(held: Held) -> None:
    """With the reason, as a server error."""
    with held.engine("fail"):
        with held.engine("hold"):
            responses = [held.post(picture(i)) for i in range(5)]
            until(lambda: held.batches)
        for response in responses:
            assert response.result().status_code == 500
            assert response.result().json() == {
                "detail": "the network could not be run: out of memory."
            }
    assert ask(held.address, picture(0)).status_code == 200


def test_beyond_a_number_of_waiting_images_more_are_refused(server: str) -> None:
    """At once, with the time to wait; once the others have gone, there is room again."""
    n_refused = 4
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(sent(server, picture(0), 100))
            for _ in range(UPLOADS_AT_ONCE + MAX_WAITING + n_refused)
        ]
        settle(server)
        answered, _, _ = select.select(clients, [], [], 0)
        assert len(answered) == n_refused
        for client in answered:
            status, headers, content = received(client)
            assert (status, headers["Retry-After"]) == (503, "1")
            assert content["detail"].startswith(f"{MAX_WAITING} images wait already")
    until(lambda: ask(server, picture(0)).status_code == 200)


def test_ctrl_c_refuses_what_waits_and_answers_what_has_arrived(held: Held) -> None:
    """Without a traceback, and with the exit status of Ctrl-C."""
    with held.engine("hold"), contextlib.ExitStack() as stack:

        def clients(n_clients: int, n_bytes: int | None = None) -> list[socket]:
            return [
                stack.enter_context(sent(held.address, picture(i), n_bytes))
                for i in range(n_clients)
            ]

        stalled = clients(2, 100)
        arrived = clients(UPLOADS_AT_ONCE - 2)
        waiting = clients(10)
        settle(held.address)
        held.process.send_signal(signal.SIGINT)
        for client in stalled + waiting:
            status, _, content = received(client)
            assert (status, content["detail"]) == (503, "The server is stopping.")
        (held.folder / "hold").unlink()
        assert {received(client)[0] for client in arrived} == {200}
    assert held.process.wait(SECONDS) == 130
    assert "Traceback" not in (held.folder / "complaints").read_text()
