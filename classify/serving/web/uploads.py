"""Receive uploads within limits of number, size and time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

MAX_BYTES = 32 * 2**20
"""A larger upload is refused before it is read completely."""
UPLOADS_AT_ONCE = 16
"""Uploads in memory at the same time; further ones wait."""
MAX_WAITING = 128
"""Uploads that wait, unread; further ones are refused."""
SECONDS_TO_UPLOAD = 60.0
SECONDS_TO_RETRY = 1


class Uploads:
    """The places for uploads; used by the event loop alone."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._n_open, self._stopping = 0, False
        self._timeouts: set[asyncio.Timeout] = set()

    @contextlib.asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """Wait for a place, read the body of a request, and keep the place for the context.

        Raises
        ------
        HTTPException
            If too many uploads wait, this one is too large or does not arrive, its client has gone,
            or the server stops.
        """
        if self._n_open == UPLOADS_AT_ONCE + MAX_WAITING:
            raise _try_again(f"{MAX_WAITING} images wait already; send this one again in a second.")
        self._n_open += 1
        try:
            async with self._at_most(None):
                await self._places.acquire()
            try:
                yield await self._body(request)
            finally:
                self._places.release()
        finally:
            self._n_open -= 1

    def stop(self) -> None:
        """Refuse the uploads that wait or have not arrived completely."""
        self._stopping = True
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())

    async def _body(self, request: Request) -> bytes:
        try:
            async with self._at_most(SECONDS_TO_UPLOAD):
                return await _read(request)
        except ClientDisconnect:  # while it was sent, or while it waited
            raise HTTPException(400, "The client has gone.") from None

    @contextlib.asynccontextmanager
    async def _at_most(self, seconds: float | None) -> AsyncIterator[None]:
        """Limit the time of the context, which also ends if the server stops."""
        try:
            async with asyncio.timeout(0 if self._stopping else seconds) as timeout:
                self._timeouts.add(timeout)
                try:
                    yield
                finally:
                    self._timeouts.discard(timeout)
        except TimeoutError:
            if self._stopping:
                raise _try_again("The server is stopping.") from None
            raise HTTPException(408, "The image did not arrive in time; send it again.") from None


def _try_again(detail: str) -> HTTPException:
    return HTTPException(503, detail, {"Retry-After": str(SECONDS_TO_RETRY)})


async def _read(request: Request) -> bytes:
    too_large = HTTPException(413, f"This is larger than {MAX_BYTES >> 20} MB; send a smaller one.")
    if int(request.headers.get("content-length", 0)) > MAX_BYTES:
        raise too_large
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise too_large
    return bytes(data)
