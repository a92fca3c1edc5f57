"""The web application that answers with a saved model: a page for people, JSON for programs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from extract.errors import ImageError
from extract.images.loading import default_workers
from reports.pages.served import render_api, render_try
from reports.pages.thumbnails import thumbnail
from reports.wording.text import shown
from toolkit.addresses import place
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.serving.live_model import LiveModel, Told

MAX_BYTES = 32 * 2**20
"""A larger upload is refused before it is read whole."""
AT_ONCE = 16
"""So many uploads are in memory together; others wait."""
SECONDS_TO_UPLOAD = 60.0
_UPLOAD = "application/octet-stream"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class ClassProbability:
    """A class and its probability, from 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class TrainingPicture:
    """A training picture, its cosine with the new one, and the address of its thumbnail."""

    name: str
    label: str
    similarity: float
    thumbnail: str


@dataclass(frozen=True)
class Place:
    """A place on the map, within the unit square."""

    x: float
    y: float


@dataclass(frozen=True)
class Answer:
    """The most probable class, all of them, the most similar training pictures, the place."""

    label: str
    probability: float
    undecided: bool
    probabilities: list[ClassProbability]
    neighbours: list[TrainingPicture]
    place: Place | None
    seconds: float


@dataclass(frozen=True)
class Problem:
    """What was wrong with a request."""

    detail: str


def application(model: LiveModel, hosts: Sequence[str], address: str) -> FastAPI:
    """Return the application that answers with `model`.

    Parameters
    ----------
    model : LiveModel
    hosts : sequence of str
        Names of the server that a request may give, so that no other site can pass for it; ``*``
        allows all.
    address : str
        Where it will be found, for the examples of its page for programmers.
    """
    app = FastAPI(
        title="frozen-features",
        description=shown(f"{model.result.title}, trained on {model.run.data.name}."),
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.middleware("http")
    async def careful(request: Request, answer: Any) -> Response:
        response: Response = await answer(request)
        response.headers.update(_HEADERS)
        return response

    _add_pages(app, model, address)
    _add_api(app, model)
    return app


def _add_pages(app: FastAPI, model: LiveModel, address: str) -> None:
    people = render_try(model.run, model.result, MAX_BYTES, has_places=model.has_places)

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(people)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(render_api(app.openapi(), address))


def _add_api(app: FastAPI, model: LiveModel) -> None:
    training = {picture.sha256: picture for picture in model.training}
    workers, uploads = CapacityLimiter(default_workers()), asyncio.Semaphore(AT_ONCE)

    @app.post(
        "/api/classify",
        responses={
            408: {"model": Problem, "description": "It did not arrive in time"},
            413: {"model": Problem, "description": f"More than {MAX_BYTES:,} bytes"},
            415: {"model": Problem, "description": f"The body is not of the type {_UPLOAD}"},
            422: {"model": Problem, "description": "The bytes cannot be used as an image"},
            503: {"model": Problem, "description": "The server cannot decode images now"},
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {_UPLOAD: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def classify(request: Request) -> Answer:
        """Classify a picture: the bytes of an image file are the body of the request."""
        # A page of another site would have to ask first whether it may send this type.
        if request.headers.get("content-type", "") != _UPLOAD:
            raise HTTPException(
                415, f"Send the bytes of an image file as the body, with Content-Type: {_UPLOAD}."
            )
        async with uploads:
            data = await _body(request)
            try:
                told = await to_thread.run_sync(model.classify, data, limiter=workers)
            except ImageError as error:
                raise HTTPException(422, f"This cannot be used as a picture: {error}.") from error
            except ToolkitError as error:
                raise HTTPException(503, f"{error}.") from error
        return _answer(told)

    @app.get(
        "/api/training/{sha256}/thumbnail",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "A small JPEG"},
            404: {"model": Problem, "description": "There is no such picture any more"},
        },
    )
    async def training_thumbnail(
        sha256: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")],
    ) -> Response:
        """Return a training picture in small, by the SHA-256 of its bytes."""
        if sha256 not in training:
            raise HTTPException(404, "There is no such training picture.")
        path = place(model.run.data.root, training[sha256].path)
        image = await to_thread.run_sync(thumbnail, path, 128, limiter=workers)
        if image is None:
            raise HTTPException(404, "The training picture is no longer where it was.")
        return Response(image, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


def _answer(told: Told) -> Answer:
    return Answer(
        label=shown(told.label),
        probability=told.probability,
        undecided=told.undecided,
        probabilities=[
            ClassProbability(shown(label), share) for label, share in told.probabilities.items()
        ],
        neighbours=[
            TrainingPicture(
                name=shown(near.picture.path),
                label=shown(near.picture.label),
                similarity=near.similarity,
                thumbnail=f"/api/training/{near.picture.sha256}/thumbnail",
            )
            for near in told.neighbours
        ],
        place=Place(*told.place) if told.place else None,
        seconds=told.seconds,
    )


async def _body(request: Request) -> bytes:
    """Read a request's body, no further than it may be long, and no longer than it may take."""
    try:
        async with asyncio.timeout(SECONDS_TO_UPLOAD):
            return await _read(request)
    except TimeoutError:
        raise HTTPException(408, "The picture did not arrive in time; send it again.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The picture did not arrive whole.") from None


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
