"""Images at addresses: in fsspec's memory, and on a web server on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import fsspec
import numpy as np
import pytest

from cache import Store
from extract.datasets.layouts import read_dataset
from extract.datasets.sources.locating import locate
from extract.datasets.tables import grid
from extract.errors import DataError
from extract.images.decoders import pool as decoder_pool
from extract.images.hashing import hash_images
from extract.images.loading import FETCHED_AT_ONCE, ReadSettings, load_images
from extract.pipeline import extract
from tests.extract.file_server import Server, serving
from tests.extract.pipeline.stub import RECIPE, StubEngine, no_engine
from toolkit import addresses
from toolkit.addresses import as_path
from toolkit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extract.datasets.dataset import Dataset


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def draw(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", np.full((8, 8, 3), (value, 20, 77), np.uint8))
    path.write_bytes(data.tobytes())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of three pictures, a hidden one, and one that is broken."""
    root = tmp_path / "pictures"
    for i in range(3):
        draw(root / "cats" / f"c {i}.png", i)
        draw(root / "dogs" / f"d#{i}.png", 100 + i)
    draw(root / "cats" / ".hidden.png", 200)
    (root / "dogs" / "broken.jpg").write_bytes(b"no picture")
    (root / "readme.txt").write_text("text")
    return root


@pytest.fixture
def web(pictures: Path) -> Iterator[Server]:
    """Serve the folder that `pictures` is in."""
    with serving(pictures.parent) as server:
        yield server


def in_memory(folder: Path) -> Path:
    """Copy a folder into fsspec's memory, and return its address."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe(f"/bucket/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return as_path("memory://bucket")


def listed(found: Dataset) -> list[tuple[str, str, str | None]]:
    return [(found.relative(item.path), item.label, item.split) for item in found.items]


def test_a_folder_that_does_not_answer_is_not_passed_over(web: Server) -> None:
    """A part of the classes, or of a class, would be another data set."""
    handler = web.RequestHandlerClass.func  # type: ignore[attr-defined]
    real = handler.do_GET

    def failing(self: http.server.SimpleHTTPRequestHandler) -> None:
        if self.path.endswith("/dogs/"):
            self.send_error(404)
        else:
            real(self)

    handler.do_GET = failing
    try:
        with pytest.raises(DataError, match="cannot be listed"):
            read_dataset(as_path(f"{web.url}/pictures/"))
    finally:
        handler.do_GET = real


def test_a_table_may_name_addresses_and_be_at_one(
    tmp_path: Path, web: Server, pictures: Path
) -> None:
    """Paths in it are relative to where it is."""
    (tmp_path / "local.csv").write_text(
        f"path,label\n{web.url}/pictures/cats/c%200.png,cats\npictures/dogs/d#0.png,dogs\n"
    )
    found = read_dataset(tmp_path / "local.csv")
    assert {found.relative(item.path): item.label for item in found.items} == {
        "pictures/dogs/d#0.png": "dogs", f"{web.url}/pictures/cats/c%200.png": "cats",
    }  # fmt: skip
    (pictures / "table.csv").write_text("path,label\ncats/c%200.png,cats\n")
    found = read_dataset(locate(f"{web.url}/pictures/table.csv", cache=tmp_path / "c").path)
    (item,) = found.items
    assert (str(item.path), found.relative(item.path)) == (
        f"{web.url}/pictures/cats/c%200.png", "cats/c%200.png",
    )  # fmt: skip


def test_a_table_at_an_address_may_not_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of it would be another data set."""
    table = b"path,label\n" + b"a.png,cats\n" * 100
    fsspec.filesystem("memory").pipe("/bucket/table.csv", table)
    monkeypatch.setattr(grid, "MAX_BYTES", len(table) - 1)
    with pytest.raises(DataError, match="is larger than"):
        read_dataset(as_path("memory://bucket/table.csv"))


def test_embeddings_are_those_of_the_files(
    store: Store, tmp_path: Path, pictures: Path, web: Server
) -> None:
    """They are found by content: the cache of a folder serves its copy at an address."""
    here = read_dataset(pictures)
    done = extract([item.path for item in here.items], RECIPE, store, StubEngine)
    for address in (in_memory(pictures), as_path(f"{web.url}/pictures/")):
        there = read_dataset(address)
        paths = [item.path for item in there.items]
        other = Store(tmp_path / "cache")
        again = extract(paths, RECIPE, other, no_engine)
        assert list(again.digests.values()) == [
            done.digests[item.path] for item in here.items if item.path in done.digests
        ]
        assert (again.cached, again.computed) == (6, 0)
        assert [path.name for path in again.quarantine] == ["broken.jpg"]
    fresh = Store(tmp_path / "fresh")
    filled = extract(paths, RECIPE, fresh, StubEngine)
    digests = list(done.digests.values())
    assert filled.computed == 6
    np.testing.assert_array_equal(
        fresh.read(RECIPE.fingerprint, digests), store.read(RECIPE.fingerprint, digests)
    )


def fetched(web: Server) -> list[str]:
    """Return the requests since the last call, without listings."""
    asked = [name for name in web.asked if name.endswith(("png", "jpg"))]
    web.asked.clear()
    return asked


def test_each_picture_is_fetched_once_and_then_never_again(store: Store, web: Server) -> None:
    """It is hashed when it is decoded; later its status is enough, until that changes."""
    bodies: list[str] = []
    handler = web.RequestHandlerClass.func  # type: ignore[attr-defined]
    real = handler.do_GET

    def noting(self: http.server.SimpleHTTPRequestHandler) -> None:
        bodies.append(self.path)
        real(self)

    handler.do_GET = noting
    try:
        paths = [item.path for item in read_dataset(as_path(f"{web.url}/pictures/")).items]
        bodies.clear()
        first = extract(paths, RECIPE, store, StubEngine)
        assert sorted(bodies) == sorted(str(path).removeprefix(web.url) for path in paths)
        assert first.computed == 6
        bodies.clear()
        usable = [path for path in paths if path in first.digests]
        again = extract(usable, RECIPE, store, no_engine)
        assert (again.cached, bodies) == (6, [])
        draw(web.folder / "pictures" / "cats" / "c 0.png", 50)
        changed = extract(usable, RECIPE, store, StubEngine)
        assert (changed.cached, changed.computed) == (5, 1)
        assert bodies == ["/pictures/cats/c%200.png"]
    finally:
        handler.do_GET = real


def test_many_are_fetched_at_once_but_few_decoders_are_started(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that waits for a slow server needs no process."""
    for i in range(60):
        draw(tmp_path / "data" / f"{i:02}.png", i)
    lock = threading.Lock()
    waiting, most, started = 0, 0, []

    class Slow(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal waiting, most
            with lock:
                waiting += 1
                most = max(most, waiting)
            time.sleep(0.05)
            with lock:
                waiting -= 1
            super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    real = decoder_pool._start

    def noting(*args: int) -> Any:
        started.append(1)
        return real(*args)

    monkeypatch.setattr(decoder_pool, "_start", noting)
    handler = functools.partial(Slow, directory=str(tmp_path / "data"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        paths = [as_path(f"http://127.0.0.1:{server.server_port}/{i:02}.png") for i in range(60)]
        assert extract(paths, RECIPE, store, StubEngine, reading=ReadSettings(2)).computed == 60
        assert load_images(paths, 32, reading=ReadSettings(2)).shape == (60, 32, 32, 3)
        server.shutdown()
    assert 8 <= most <= 2 * FETCHED_AT_ONCE
    assert 2 <= len(started) <= 4  # two each time


def test_int8_can_be_calibrated_on_addresses(store: Store, pictures: Path) -> None:
    """Calibration needs the digests before anything is computed, and decoded images."""
    paths = [item.path for item in read_dataset(in_memory(pictures)).items]
    digests, quarantine = hash_images(paths, store)
    assert (len(digests), quarantine) == (7, {})
    assert next(iter(digests.values())) == hashlib.sha256(paths[0].read_bytes()).hexdigest()
    assert load_images(paths[:3], 32).shape == (3, 32, 32, 3)


def test_what_is_gone_empty_or_too_long_is_set_aside(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, as for files."""
    draw(tmp_path / "data" / "good.png", 1)
    (tmp_path / "data" / "empty.png").touch()
    (tmp_path / "data" / "long.png").write_bytes(bytes(5000))
    address = in_memory(tmp_path / "data")
    monkeypatch.setattr("extract.images.files.MAX_BYTES", 4000)
    paths = [address / name for name in ("empty.png", "long.png", "none.png", "good.png")]
    done = extract(paths, RECIPE, store, StubEngine)
    assert {path.name: reason for path, reason in done.quarantine.items()} == {
        "empty.png": "empty file",
        "long.png": "larger than 0 MiB",
        "none.png": "cannot be read: there is no such file",
    }
    assert done.computed == 1


def test_a_body_without_end_is_cut_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever length the server announces."""

    class Endless(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while True:
                try:
                    self.wfile.write(bytes(2**16))
                except OSError:
                    return

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setattr("extract.images.files.MAX_BYTES", 2**20)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = as_path(f"http://127.0.0.1:{server.server_port}/endless.png")
        done = extract([path], RECIPE, store, no_engine)
        server.shutdown()
    assert done.quarantine == {path: "larger than 1 MiB"}


def test_a_server_that_goes_away_ends_the_run_and_keeps_what_was_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of the images is not a data set. The next run continues."""
    monkeypatch.setattr(addresses, "_SECONDS_BETWEEN_ATTEMPTS", 0.0)
    for i in range(120):
        draw(tmp_path / "data" / "cats" / f"{i:03}.png", i)
    store = Store(tmp_path / "cache")
    with serving(tmp_path / "data") as server:
        paths = [item.path for item in read_dataset(as_path(f"{server.url}/")).items]
        port = server.server_port

        def progress(stage: str, done: int, total: int) -> None:
            if stage == "computing embeddings" and done >= 48:
                server.shutdown()
                server.socket.close()

        with pytest.raises(AddressError, match=r"in 3 attempts.*run the same command again"):
            extract(paths, RECIPE, store, StubEngine, batch_size=16, progress=progress)
    kept = sum(recipe.rows for recipe in store.recipes())
    assert 48 <= kept < 120
    engine = StubEngine()
    with Server(tmp_path / "data") as server:
        server.server_close()
    server = again_at(port, tmp_path / "data")
    try:
        done = extract(paths, RECIPE, store, lambda: engine, batch_size=16)
    finally:
        server.shutdown()
        server.server_close()
    assert (done.cached, done.computed) == (kept, 120 - kept)
    assert sum(engine.batches) == 120 - kept


def again_at(port: int, folder: Path) -> http.server.ThreadingHTTPServer:
    """Serve a folder at the port of an earlier server."""
    server = Server(folder)
    server.server_close()
    server.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.socket.bind(("127.0.0.1", port))
    server.server_activate()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def test_a_name_leads_nowhere_else(tmp_path: Path, store: Store) -> None:
    """Names in a store may look like paths of this machine, or contain ".."."""
    secret = tmp_path / "secret.png"
    draw(secret, 3)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for name in (f"/bucket/cats/..{secret}", "/bucket/cats/1.png", "/bucket/dogs/2.png"):
        memory.pipe(name, secret.read_bytes()[:10])
    paths = [item.path for item in read_dataset(as_path("memory://bucket")).items]
    done = extract(paths, RECIPE, store, no_engine)
    assert len(done.quarantine) == len(paths)
    shutil.rmtree(tmp_path / "cache")
