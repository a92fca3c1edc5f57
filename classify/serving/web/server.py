"""Run the web application until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fastapi import FastAPI

MAX_CONNECTIONS = 256
SECONDS_TO_STOP = 10
"""Images that have arrived take less."""


def run(app: FastAPI, listener: socket.socket, stop: Callable[[], None]) -> None:
    """Serve an application until Ctrl-C.

    After Ctrl-C, requests that have arrived are still answered.

    Parameters
    ----------
    app : FastAPI
    listener : socket
        It listens already.
    stop : callable
        Called first after Ctrl-C; it ends what the application would wait for.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=SECONDS_TO_STOP,
    )
    _Server(config, stop).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop()
        await super().shutdown(sockets)
