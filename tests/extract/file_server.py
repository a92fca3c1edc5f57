"""A server of files on this machine, and the small zip files that it serves."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@contextlib.contextmanager
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


def make_lesson(folder: Path) -> Path:
    """Write four small zip files of the lesson's layout into a new folder."""
    folder.mkdir()
    for part in PARTS:
        inside = (f"{part}/1.jpg", f"{part}/2.jpg", f"__MACOSX/{part}/._1.jpg")
        make_zip(folder / f"{part}.zip", *inside)
    return folder


def listing(folder: Path) -> list[str]:
    """Return the relative path of everything below a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
