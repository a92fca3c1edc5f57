"""Downloads from a server that misbehaves in every way: a verified file, or one clear error.

Every fault is met once, in a file that has been begun, again and again, and in drawn sequences
(1,000 of them with ``--full``); then the server is well again. All the while a second thread looks
whether a file with another hash stands under the final name.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from extract.datasets.sources import (  # noqa: E402 - found by the path above
    download,
    minimum_rate,
)
from extract.datasets.sources.download import fetch  # noqa: E402 - found by the path above
from extract.errors import DownloadError  # noqa: E402 - found by the path above
from tests.extract.misbehaving import (  # noqa: E402 - found by the path above
    CONTENT,
    Fault,
    Handler,
    Server,
    cut,
    make_certificate,
    redirect,
    serving,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20
SECONDS_AT_MOST = 20.0
OTHER = CONTENT[::-1]
HASH = hashlib.sha256(CONTENT).hexdigest()


def main() -> int:
    """Meet every fault, and print how many there were and how many files were not verified."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="1,000 drawn sequences, not 30")
    full = parser.parse_args().full
    download.BACKOFF, download.READ_TIMEOUT = 0.001, 0.3
    minimum_rate.WINDOW, minimum_rate.MIN_RATE = 0.4, 10_000.0
    print(f"seed {SEED}", file=sys.stderr)
    middle = ("cut in the middle", cut(N // 2))
    sequences = [[fault] for fault in FAULTS.items()]
    sequences += [[middle, fault] for fault in FAULTS.items()]
    sequences += [[fault] * 2 * download.ATTEMPTS for fault in FAULTS.items()]
    drawn = random.Random(SEED)
    quick = [fault for fault in FAULTS.items() if fault[0] not in SLOW]
    sequences += [drawn.choices(quick, k=drawn.randint(2, 5)) for _ in range(1000 if full else 30)]
    broken: list[str] = []
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        for number, sequence in enumerate(sequences):
            print(f"{number} of {len(sequences)}", end="\r", file=sys.stderr)
            name = ", then ".join(dict.fromkeys(name for name, _ in sequence))
            target = Path(folder, str(number), "pets.zip")
            broken += [
                f"{name}: {what}" for what in meet(server, [fault for _, fault in sequence], target)
            ]
            shutil.rmtree(target.parent)
        broken += [f"https: {what}" for what in leave_https(server, Path(folder))]
    for line in broken:
        print(line, file=sys.stderr)
    faults = sum(map(len, sequences)) + 1
    unverified = sum("unverified" in line for line in broken)
    print(f"{faults} faults, {unverified} unverified files")
    return bool(broken)


def meet(server: Server, faults: list[Fault], target: Path) -> Iterator[str]:
    """Let a server misbehave; yield what is not as promised."""
    server.faults, server.content, server.etag = list(faults), CONTENT, '"one"'
    with watching(target) as seen:
        yield from attempt(server.url, target)
        # A server that is well again gives the file, whatever was left of the last time.
        server.faults, server.content, server.etag = [], CONTENT, '"three"'
        try:
            fetch(server.url, target, verify=verify)
        except DownloadError as error:
            yield f"no file from a server that is well again: {error}"
    if seen - {HASH}:
        yield "an unverified file stood under the final name"
    if target.exists() and [target] != list(target.parent.iterdir()):
        yield f"beside the file lies {sorted(path.name for path in target.parent.iterdir())}"


def attempt(url: str, target: Path) -> Iterator[str]:
    """Fetch the file once; yield what is not as promised."""
    begun = time.monotonic()
    try:
        fetch(url, target, verify=verify)
    except DownloadError as error:
        if target.exists():
            yield "an error, and a file all the same"
        if "\n" in str(error) or not str(error):
            yield f"not one clear sentence: {error}"
    except Exception as error:  # noqa: BLE001 - counted as a broken promise
        yield f"{type(error).__name__}: {error}"
    if time.monotonic() - begun > SECONDS_AT_MOST:
        yield f"{time.monotonic() - begun:.0f} s"


def leave_https(server: Server, folder: Path) -> Iterator[str]:
    """Redirect from a real https server to http; yield what is not as promised."""
    if shutil.which("openssl") is None:
        yield "openssl is not here to make a certificate"
        return
    certificate = make_certificate(folder)
    os.environ["REQUESTS_CA_BUNDLE"] = str(certificate)
    server.requests.clear()
    with serving(certificate) as secure:
        secure.faults = [redirect(server.url)]
        yield from attempt(secure.url, folder / "pets.zip")
    if server.requests or (folder / "pets.zip").exists():
        yield "an unverified file: the redirect was followed"


def verify(path: Path) -> None:
    """Refuse any other file than the one that is meant."""
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != HASH:
        raise DownloadError(f"its SHA-256 is {found}, not {HASH}")


@contextlib.contextmanager
def watching(target: Path) -> Iterator[set[str]]:
    """Yield the set that the hashes of whatever stands under the final name are put into."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        with contextlib.suppress(FileNotFoundError):
            seen.add(hashlib.sha256(target.read_bytes()).hexdigest())

    def watch() -> None:
        while not done.wait(0.002):
            look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
        look()


# --- faults --------------------------------------------------------------------------------------


def changed(handler: Handler, etag: str) -> None:
    handler.give(cut=300_000, change=(OTHER, etag))


def whole(handler: Handler, content: bytes = CONTENT, **headers: str) -> None:
    handler.answer(
        200, content, **{"Content-Length": str(len(content)), "ETag": '"one"', **headers}
    )


def chunked(handler: Handler, *pieces: bytes) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nETag: "one"\r\nTransfer-Encoding: chunked\r\n\r\n')
    handler.wfile.write(b"".join(pieces))


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def part(handler: Handler, span: str, content: bytes = CONTENT) -> None:
    handler.answer(206, content, **{"Content-Range": span, "ETag": '"one"'})


def stalled(handler: Handler) -> None:
    handler.give(cut=300_000)
    handler.wfile.flush()
    handler.server.stopping.wait(0.6)


def dripped(handler: Handler, head: bytes, rest: bytes) -> None:
    handler.wfile.write(head)
    handler.drip(rest)


def raw(data: bytes) -> Fault:
    return lambda handler: handler.wfile.write(data) and None


def reset(handler: Handler, length: int) -> None:
    handler.give(cut=length)
    handler.reset()


N = len(CONTENT)
SLOW = ("stalled", "dripping")
FAULTS: dict[str, Fault] = {
    **{f"cut at {tenth} tenths": cut(N * tenth // 10) for tenth in range(10)},
    **{f"reset at {n}": lambda handler, n=n: reset(handler, n) for n in (0, 1, N // 2, N - 1)},
    "200 where 206 was due": whole,
    "200 with another file where 206 was due": lambda handler: whole(handler, OTHER),
    "longer than it is": lambda handler: handler.give(**{"Content-Length": str(N + 99)}),
    "shorter than it is": lambda handler: handler.give(**{"Content-Length": str(N - 99)}),
    "a length that is none": lambda handler: handler.give(**{"Content-Length": "-1"}),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello"),
    "a wrong hash": lambda handler: whole(handler, OTHER),
    "a flipped bit": lambda handler: whole(handler, b"\x01" + CONTENT[1:]),
    "an empty file": lambda handler: whole(handler, b""),
    "changed between two tries": lambda handler: changed(handler, '"two"'),
    "changed under the same tag": lambda handler: changed(handler, '"one"'),
    "changed, and no tag any more": lambda handler: changed(handler, ""),
    "stalled": stalled,
    "dripping": lambda handler: dripped(handler, b"HTTP/1.0 200 OK\r\n\r\n", CONTENT),
    "404": status(404),
    "403": status(403),
    "416": status(416),
    "204": status(204),
    "500": status(500),
    "503": status(503),
    "redirected to ftp": redirect("ftp://127.0.0.1/pets.zip"),
    "redirected to a file": redirect("file:///etc/hostname"),
    "redirected to a script": redirect("javascript:alert(1)"),
    "redirected to data": redirect("data:,hello"),
    "redirected to nothing": redirect("//["),
    "redirected to a dot": redirect("http://.example/"),
    "redirected to bytes": raw(b"HTTP/1.0 302 Found\r\nLocation: /\xff\xfe\r\n\r\n"),
    "redirected within": redirect("/elsewhere.zip", b"moved"),
    "garbage": raw(b"\xff\x00 no HTTP\r\n\r\n"),
    "garbage that goes on": raw(bytes(range(256)) * 1000),
    "no answer": raw(b""),
    "half a head": raw(b"HTTP/1.0 200 OK\r\nContent-Le"),
    "a thousand headers": raw(b"HTTP/1.0 200 OK\r\n" + b"X-More: 1\r\n" * 1000 + b"\r\n"),
    "a header of a megabyte": raw(b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * 2**20 + b"\r\n\r\n"),
    "a chunk cut off": lambda handler: chunked(handler, chunk(CONTENT)[:200_000]),
    "chunks without an end": lambda handler: chunked(handler, chunk(CONTENT)),
    "a chunk that is none": lambda handler: chunked(handler, b"nonsense\r\n"),
    "a part of another place": lambda handler: part(handler, f"bytes 7-{N - 1}/{N}"),
    "a part that nobody asked for": lambda handler: part(handler, f"bytes 0-{N - 1}/{N}"),
    "a part without a place": lambda handler: part(handler, ""),
    "a part too long": lambda handler: part(handler, f"bytes {N // 2}-{N - 1}/{N}"),
    "packed": lambda handler: whole(handler, **{"Content-Encoding": "gzip"}),
    "a tag of two lines": lambda handler: whole(handler, OTHER, ETag='"a\tb"'),
}

if __name__ == "__main__":
    raise SystemExit(main())
