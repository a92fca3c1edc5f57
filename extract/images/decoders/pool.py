"""Decode images in separate processes: a decoder that dies or hangs loses one image, not the run.

The processes are plain Python interpreters that import only what decoding needs: neither TensorFlow
nor the user's program. They receive a path or bytes, and return a digest and then pixels or a
reason. Nothing is pickled in either direction, so a malicious image that takes over its decoder
gains nothing in this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from extract.errors import ImageError
from extract.images.decoders.protocol import (
    BYTES,
    DEEP,
    PATH,
    PROPERTIES,
    REQUEST,
    SECONDS_TO_DECODE,
    SIDES,
    SQUARE,
    THUMBNAIL,
    VALUES,
)
from extract.images.depth import Values
from extract.images.files import read_bytes
from extract.images.formats import MAX_PIXELS, REDUCED_TIMES
from extract.images.pixels import PixelSettings, Remark
from extract.images.properties.record import ImageProperties
from toolkit.addresses import is_remote
from toolkit.errors import ToolkitError
from toolkit.processes import inheriting

if TYPE_CHECKING:
    import numpy as np

_SECONDS_TO_READ = 60.0
_SECONDS_TO_START = 120.0
_SECONDS_PER_SLICE = 0.5

_COMMAND = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from extract.images.decoders.worker import work; work(*sys.argv[1:4])"
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
    remarks : Remark, default=Remark.NOTHING
        What a reader should know about the image.
    values : Values, default=None
        What was measured of the values of an image of more than 8 bits, if that was requested.
    properties : ImageProperties, default=None
        What is known of the image besides its content, if that was requested.
    deep : bool, default=None
        Whether the image has more than 8 bits, if the bytes could be read.
    """

    digest: str | None = None
    image: np.ndarray | None = None
    reason: str = ""
    remarks: Remark = Remark.NOTHING
    values: Values | None = None
    properties: ImageProperties | None = None
    deep: bool | None = None


class DecoderPool:
    """Processes that read and decode image files, each of them one file at a time.

    A decoder is started when all others are busy, so there are at most as many as calling threads.
    Use the pool as a context manager; no decoder outlives the context. If this process is killed,
    the decoders notice the closed connection and end.

    Parameters
    ----------
    pixels : PixelSettings or int
        How images become squares; a size alone stands for the other defaults.
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

    def __init__(
        self,
        pixels: PixelSettings | int,
        max_pixels: int = MAX_PIXELS,
        at_most: int | None = None,
    ) -> None:
        self._places = threading.BoundedSemaphore(at_most) if at_most else contextlib.nullcontext()
        self._pixels, self._max_pixels = PixelSettings.of(pixels), max_pixels
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
        return self._decoded(image_file, SQUARE, self._pixels.size)

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
        return self._decoded(image_file, THUMBNAIL, size)

    def measure(self, image_file: Path | bytes) -> Decoded:
        """Measure the values of an image of more than 8 bits; may be called from any thread.

        Parameters
        ----------
        image_file : Path or bytes
            As for a call of the pool.

        Raises
        ------
        DecoderError, AddressError
            As from a call of the pool.
        """
        return self._decoded(image_file, VALUES, 0)

    def properties(self, image_file: Path | bytes) -> Decoded:
        """Measure the properties of an image; may be called from any thread.

        Parameters
        ----------
        image_file : Path or bytes
            As for a call of the pool.

        Raises
        ------
        DecoderError, AddressError
            As from a call of the pool.
        """
        return self._decoded(image_file, PROPERTIES, 0)

    def _decoded(self, image_file: Path | bytes, request: bytes, size: int) -> Decoded:
        if not isinstance(image_file, bytes) and is_remote(image_file):
            try:
                image_file = read_bytes(image_file)
            except ImageError as error:
                return Decoded(reason=str(error))
        with self._places:
            for attempt in (1, 2):
                decoder = self._take()
                decoded = decoder(image_file, request, size)
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
            decoder = _Decoder(self._pixels, self._max_pixels)
            with self._lock:
                if not self._closed:
                    self._all.add(decoder)
                    return decoder
            decoder.end()
        raise DecoderError("the pool of decoders is closed: no more images can be decoded")


class _Decoder:
    """One process and the connection to it."""

    def __init__(self, pixels: PixelSettings, max_pixels: int) -> None:
        from multiprocessing import Pipe

        self.alive, self.hung = True, False
        try:
            self._connection, other_end = Pipe()
            with other_end:
                self.process = _start(other_end.fileno(), pixels, max_pixels)
        except OSError as error:
            raise DecoderError(f"cannot start a process that decodes images: {error}") from error
        problem: bytes | None = None
        with contextlib.suppress(EOFError, OSError, TimeoutError):
            problem = self._receive(_SECONDS_TO_START)
        if problem != b"":
            self.end()
            reason = (problem or b"").decode(errors="replace") or self._death()
            raise DecoderError(f"cannot start a process that decodes images: {reason}")

    def __call__(self, image_file: Path | bytes, request: bytes, size: int) -> Decoded:
        file = Decoded()
        try:
            if isinstance(image_file, bytes):
                kind, content = BYTES, image_file
            else:
                kind, content = PATH, os.fsencode(image_file.absolute())
            self._connection.send_bytes(REQUEST.pack(kind, request, size) + content)
            answer = self._receive(_SECONDS_TO_READ)
            if answer[:1] == b"+":
                file = Decoded(answer[1:-1].decode("ascii"), deep=answer[-1:] == DEEP)
                answer = self._receive(SECONDS_TO_DECODE, 3 * size**2)
                if answer[:1] == b"+":
                    return _parse(answer, file, request, size)
            return replace(file, reason=answer[1:].decode())
        except TimeoutError:
            self.hung = True
            self.end()
            seconds = SECONDS_TO_DECODE if file.digest else _SECONDS_TO_READ
            verb = "decode" if file.digest else "read"
            return replace(file, reason=f"took longer than {seconds:g} s to {verb}")
        except (ValueError, struct.error) as error:
            # A decoder sends anything else only if an image has taken it over.
            self.end()
            return replace(file, reason=f"the decoder sent what is no image: {error}")
        except (EOFError, OSError):
            self.end()
            return replace(file, reason=f"the decoder {self._death()}")

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


def _start(line: int, pixels: PixelSettings, max_pixels: int) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).parents[3])
    quiet = subprocess.DEVNULL
    arguments = [str(line), pixels.to_json(), str(max_pixels)]
    return subprocess.Popen(  # noqa: S603 - this interpreter, with this module
        [sys.executable, "-c", _COMMAND, *arguments, package, *sys.path],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        **inheriting(line),
        env=os.environ
        | {
            # OpenCV's own limit, in case its parser reads another size than the header check.
            "OPENCV_IO_MAX_IMAGE_PIXELS": str(REDUCED_TIMES * max_pixels),
            "OPENCV_LOG_LEVEL": "SILENT",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )


def _parse(answer: bytes, file: Decoded, request: bytes, size: int) -> Decoded:
    """Add what a decoder has answered about a file; an image may have taken it over."""
    import numpy as np

    if request == VALUES:
        text = answer[1:].decode("ascii")
        return replace(file, values=Values.from_json(text) if text else None)
    if request == PROPERTIES:
        return replace(file, properties=ImageProperties.from_json(answer[1:].decode("ascii")))
    _, height, width, remarks = SIDES.unpack_from(answer)
    image = np.frombuffer(answer, np.uint8, offset=SIDES.size).reshape(height, width, 3)
    expected = height == width == size if request == SQUARE else max(height, width) <= size
    if not expected or not image.size:
        raise ValueError(f"{width} x {height} pixels")
    return replace(file, image=image, remarks=Remark(remarks))
