"""Run the web application until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from classify.serving.web.uploads import Uploads

MAX_CONNECTIONS = 256
SECONDS_TO_STOP = 10
"""Images that have arrived take less."""


def run(app: FastAPI, uploads: Uploads, listener: socket.socket) -> None:
    """Serve an application until Ctrl-C.

    After Ctrl-C, images that have arrived are still classified; all others are refused.

    Parameters
    ----------
    app : FastAPI
    uploads : Uploads
        Those of the application.
    listener : socket
        It listens already.

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
    _Server(config, uploads).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, uploads: Uploads) -> None:
        super().__init__(config)
        self._uploads = uploads

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._uploads.stop()
        await super().shutdown(sockets)
