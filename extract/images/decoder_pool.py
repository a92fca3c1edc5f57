"""Decode images in separate processes: a decoder that dies or hangs loses one image, not the run.

The processes are plain Python interpreters that import only what decoding needs: neither TensorFlow
nor the user's program. They receive a path or bytes, and return a digest and then pixels or a
reason. Nothing is pickled in either direction, so a malicious image that takes over its decoder
gains nothing in this process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from extract.errors import ImageError
from extract.images.decoding import MAX_PIXELS, decode, decode_thumbnail, read_bytes
from toolkit.addresses import is_remote
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np

SECONDS_TO_DECODE = 10.0
"""A decoder that takes longer for one image is killed, and the image is not used."""

_PATH, _BYTES = b"p", b"b"
_REQUEST = struct.Struct(">cI")
"""Start of a request: one of these two and the size of a thumbnail or 0; a path or bytes follow."""
_SIDES = struct.Struct(">cII")
"""Start of a decoded image: a plus sign, its height and its width; the pixels follow."""

_SECONDS_TO_READ = 60.0
_SECONDS_TO_START = 120.0
_SECONDS_PER_SLICE = 0.5

_BASE_BYTES, _BYTES_PER_PIXEL = 2 * 2**30, 40
"""Memory that a decoder may take beyond what it starts with; about 4 GB by default."""

_COMMAND = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from extract.images.decoder_pool import work; work(*map(int, sys.argv[1:4]))"
)


class DecoderError(ToolkitError, OSError):
    """The processes that decode images cannot be started."""


@dataclass(frozen=True)
class Decoded:
    """The result for one file.

    Parameters
    ----------
    digest : str, default=None
        SHA-256 of the bytes that were read. ``None`` if they could not be read.
    image : numpy.ndarray of uint8, shape (height, width, 3), default=None
        RGB. ``None`` if the file cannot be used. If another machine has computed the embedding, it
        is here instead.
    reason : str, default=""
        Why the file cannot be used.
    """

    digest: str | None = None
    image: np.ndarray | None = None
    reason: str = ""


class DecoderPool:
    """Processes that read and decode image files, each of them one file at a time.

    A decoder is started when all others are busy, so there are at most as many as calling threads.
    Use the pool as a context manager; no decoder outlives the context. If this process is killed,
    the decoders notice the closed connection and end.

    Parameters
    ----------
    size : int
        Side of the decoded images in pixels.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.
    at_most : int, default=None
        Number of decoders that work at the same time, for callers whose threads mostly wait for a
        server. ``None`` is no limit.

    Examples
    --------
    >>> with DecoderPool(224) as decode:
    ...     decode(Path("missing.jpg")).reason
    'cannot be read: No such file or directory'
    """

    def __init__(self, size: int, max_pixels: int = MAX_PIXELS, at_most: int | None = None) -> None:
        self._places = threading.BoundedSemaphore(at_most) if at_most else contextlib.nullcontext()
        self._size, self._max_pixels = size, max_pixels
        self._lock = threading.Lock()
        self._all: set[_Decoder] = set()
        self._idle: list[_Decoder] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Kill all decoders at once, also busy ones: their callers get a reason."""
        with self._lock:
            self._closed = True
            for decoder in self._all:
                decoder.process.kill()
            while self._idle:
                self._idle.pop().end()

    def __call__(self, image_file: Path | bytes) -> Decoded:
        """Read and decode an image, resized to a square; may be called from any thread.

        Parameters
        ----------
        image_file : Path or bytes
            A file, which the decoder reads; an address, which this process reads; or its content.

        Raises
        ------
        DecoderError
            If no decoder can be started.
        AddressError
            If an address does not answer.
        """
        return self._decoded(image_file, 0)

    def thumbnail(self, image_file: Path | bytes, size: int) -> Decoded:
        """Read and decode an image, shrunk in its own proportions; may be called from any thread.

        Parameters
        ----------
        image_file : Path or bytes
            As for a call of the pool.
        size : int
            Longest side in pixels; see `extract.images.decoding.decode_thumbnail`.

        Raises
        ------
        DecoderError, AddressError
            As from a call of the pool.
        """
        return self._decoded(image_file, size)

    def _decoded(self, image_file: Path | bytes, thumbnail_size: int) -> Decoded:
        if not isinstance(image_file, bytes) and is_remote(image_file):
            try:
                image_file = read_bytes(image_file)
            except ImageError as error:
                return Decoded(reason=str(error))
        with self._places:
            for attempt in (1, 2):
                decoder = self._take()
                decoded = decoder(image_file, thumbnail_size)
                self._give_back(decoder)
                # A decoder that died before it had read the file (killed to free memory, say) was
                # not killed by the image.
                if decoder.alive or decoded.digest or decoder.hung or attempt == 2:
                    break
        return decoded

    def _give_back(self, decoder: _Decoder) -> None:
        with self._lock:
            if decoder.alive and not self._closed:
                self._idle.append(decoder)
                return
            self._all.discard(decoder)
        decoder.end()

    def _take(self) -> _Decoder:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            closed = self._closed
        if not closed:
            decoder = _Decoder(self._size, self._max_pixels)
            with self._lock:
                if not self._closed:
                    self._all.add(decoder)
                    return decoder
            decoder.end()
        raise DecoderError("the pool of decoders is closed: no more images can be decoded")


class _Decoder:
    """One process and the connection to it."""

    def __init__(self, size: int, max_pixels: int) -> None:
        from multiprocessing import Pipe

        self._size = size
        self.alive, self.hung = True, False
        try:
            self._connection, other_end = Pipe()
            with other_end:
                self.process = _start(other_end.fileno(), size, max_pixels)
        except OSError as error:
            raise DecoderError(f"cannot start a process that decodes images: {error}") from error
        problem: bytes | None = None
        with contextlib.suppress(EOFError, OSError, TimeoutError):
            problem = self._receive(_SECONDS_TO_START)
        if problem != b"":
            self.end()
            reason = (problem or b"").decode(errors="replace") or self._death()
            raise DecoderError(f"cannot start a process that decodes images: {reason}")

    def __call__(self, image_file: Path | bytes, thumbnail_size: int) -> Decoded:
        digest = None
        try:
            if isinstance(image_file, bytes):
                kind, content = _BYTES, image_file
            else:
                kind, content = _PATH, os.fsencode(image_file.absolute())
            self._connection.send_bytes(_REQUEST.pack(kind, thumbnail_size) + content)
            answer = self._receive(_SECONDS_TO_READ)
            if answer[:1] == b"+":
                digest = answer[1:].decode("ascii")
                largest = thumbnail_size or self._size
                answer = self._receive(SECONDS_TO_DECODE, 3 * largest**2)
                if answer[:1] == b"+":
                    return Decoded(digest, image=_pixels(answer, self._size, thumbnail_size))
            return Decoded(digest, reason=answer[1:].decode())
        except TimeoutError:
            self.hung = True
            self.end()
            what, seconds = ("decode", SECONDS_TO_DECODE) if digest else ("read", _SECONDS_TO_READ)
            return Decoded(digest, reason=f"took longer than {seconds:g} s to {what}")
        except (ValueError, struct.error) as error:
            # A decoder sends anything else only if an image has taken it over.
            self.end()
            return Decoded(digest, reason=f"the decoder sent what is no image: {error}")
        except (EOFError, OSError):
            self.end()
            return Decoded(digest, reason=f"the decoder {self._death()}")

    def end(self) -> None:
        """Kill the process, and wait until nothing of it is left."""
        self.alive = False
        self.process.kill()
        # A process that waits for a dead network folder cannot even be killed.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self._connection.close()

    def _receive(self, seconds: float, n_bytes: int = 0) -> bytes:
        # In slices: if this process was stopped (Ctrl-Z), at most one slice of that time counts.
        for _ in range(max(1, round(seconds / _SECONDS_PER_SLICE))):
            if self._connection.poll(_SECONDS_PER_SLICE):
                return self._connection.recv_bytes(n_bytes + 2**16)
        raise TimeoutError

    def _death(self) -> str:
        status = self.process.returncode or 0
        if status < 0:
            return f"died: {signal.strsignal(-status) or f'signal {-status}'}"
        return f"ended with status {status}"


def _start(line: int, size: int, max_pixels: int) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).parents[2])
    quiet = subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603 - this interpreter, with this module
        [sys.executable, "-c", _COMMAND, str(line), str(size), str(max_pixels), package, *sys.path],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        pass_fds=[line],
        # Ctrl-C in a terminal goes to this process alone, which then ends the decoders.
        process_group=0,
        env=os.environ
        | {
            # OpenCV's own limit, in case its parser reads another size than the header check.
            "OPENCV_IO_MAX_IMAGE_PIXELS": str(max_pixels),
            "OPENCV_LOG_LEVEL": "SILENT",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )


def _pixels(answer: bytes, size: int, thumbnail_size: int) -> np.ndarray:
    import numpy as np

    _, height, width = _SIDES.unpack_from(answer)
    pixels = np.frombuffer(answer, np.uint8, offset=_SIDES.size).reshape(height, width, 3)
    expected = max(height, width) <= thumbnail_size if thumbnail_size else height == width == size
    if not expected or not pixels.size:
        raise ValueError(f"{width} x {height} pixels")
    return pixels


def work(line: int, size: int, max_pixels: int) -> None:
    """Decode every file that is requested, until the other end of the connection is closed.

    Parameters
    ----------
    line : int
        File descriptor of the connection.
    size, max_pixels : int
        See `DecoderPool`.
    """
    from multiprocessing.connection import Connection

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(line) as connection, contextlib.suppress(EOFError, OSError):
        try:
            warnings = _prepare(max_pixels)
        except ImportError as error:
            connection.send_bytes(str(error).encode() or b"?")
            return
        connection.send_bytes(b"")
        while True:
            _answer(connection, warnings, size, max_pixels)


def _prepare(max_pixels: int) -> int:
    """Import the libraries, limit this process, and return a pipe that reads its standard error."""
    import resource

    import cv2  # noqa: F401 - here, so that its import does not count as time of the first image
    from PIL import Image

    Image.preinit()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # not on every system
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        limit = pages * resource.getpagesize() + _BASE_BYTES + _BYTES_PER_PIXEL * max_pixels
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    os.dup2(writing, 2)
    return reading


def _answer(connection: Connection, warnings: int, size: int, max_pixels: int) -> None:
    request = connection.recv_bytes()
    kind, thumbnail_size = _REQUEST.unpack_from(request)
    # If no process is left to end a decoder that hangs, the system does.
    signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS_TO_DECODE)
    try:
        data = request[_REQUEST.size :]
        if kind == _PATH:
            data = read_bytes(Path(os.fsdecode(data)))
        connection.send_bytes(b"+" + hashlib.sha256(data).hexdigest().encode("ascii"))
        _read(warnings)
        if thumbnail_size:
            image = decode_thumbnail(data, thumbnail_size, max_pixels)
        else:
            image = decode(data, size, max_pixels)
        answer = _SIDES.pack(b"+", *image.shape[:2]) + image.tobytes()
        # A JPEG may have its end marker and yet lack data: libjpeg fills in grey and only warns.
        if b"premature end" in _read(warnings):
            raise ImageError("damaged JPEG: a part of the image is missing")
    except ImageError as error:
        answer = b"-" + str(error).encode("utf-8", "replace")
    except MemoryError:
        answer = b"-not enough memory to decode it"
    signal.setitimer(signal.ITIMER_PROF, 0)
    connection.send_bytes(answer)


def _read(warnings: int) -> bytes:
    """Return what was written to standard error since the last call."""
    with contextlib.suppress(BlockingIOError):
        return os.read(warnings, 2**16)
    return b""
