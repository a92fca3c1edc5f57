"""The web application around a saved model: a page for people, JSON for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse

from classify.serving.web.evidence import EvidenceResponse, evidence_responses
from classify.serving.web.rules import add_rules
from classify.serving.web.uploads import MAX_BYTES, UPLOADS_AT_ONCE
from extract.errors import EngineError, ImageError
from extract.images.loading import default_workers
from reports.pages.served import render_api, render_try
from toolkit.addresses import as_path
from toolkit.errors import ToolkitError
from toolkit.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from classify.serving.live_model import LiveModel, LivePrediction
    from classify.serving.web.uploads import Uploads

T = TypeVar("T")

_UPLOAD = "application/octet-stream"


@dataclass(frozen=True)
class Problem:
    """What was wrong with a request."""

    detail: str


_WITH_UPLOAD: dict[str, Any] = {
    "responses": {
        408: {"model": Problem, "description": "It did not arrive in time"},
        413: {"model": Problem, "description": f"More than {MAX_BYTES:,} bytes"},
        415: {"model": Problem, "description": f"The body is not of the type {_UPLOAD}"},
        422: {"model": Problem, "description": "The bytes cannot be used as an image"},
        500: {"model": Problem, "description": "The network could not be run"},
        503: {
            "model": Problem,
            "description": "Too many images wait; or the server cannot decode images at the "
            "moment, or stops",
        },
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {_UPLOAD: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
}


@dataclass(frozen=True)
class ClassProbability:
    """A class and its probability, from 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class SimilarImage:
    """A training image, its cosine similarity to the new one, and the path of its thumbnail."""

    name: str
    label: str
    similarity: float
    thumbnail: str


@dataclass(frozen=True)
class Position:
    """A position on the map, within the unit square."""

    x: float
    y: float


@dataclass(frozen=True)
class PredictionResponse:
    """The most probable class, every class with its probability, and similar training images."""

    label: str
    probability: float
    undecided: bool
    familiarity: float | None
    refused: bool
    probabilities: list[ClassProbability]
    neighbours: list[SimilarImage]
    place: Position | None
    seconds: float


def application(model: LiveModel, uploads: Uploads, hosts: Sequence[str], address: str) -> FastAPI:
    """Return the web application that serves `model`.

    Parameters
    ----------
    model : LiveModel
    uploads : Uploads
        Where images are received.
    hosts : sequence of str
        Host names that a request may give, which keeps other sites from impersonating the server
        (DNS rebinding); ``*`` allows all.
    address : str
        Address of the server, for the examples on its page for programmers.
    """
    app = FastAPI(
        title="frozen-features",
        description=printable(f"{model.result.title}, trained on {model.run.data.name}."),
        docs_url=None,
        redoc_url=None,
    )
    add_rules(app, hosts)
    _add_pages(app, model, address)
    _add_api(app, model, uploads)
    return app


def _add_pages(app: FastAPI, model: LiveModel, address: str) -> None:
    page = render_try(
        model.run, model.result, MAX_BYTES, has_places=model.has_positions, reject=model.reject
    )

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(render_api(app.openapi(), address))


def _add_api(app: FastAPI, model: LiveModel, uploads: Uploads) -> None:
    training = {picture.sha256: picture for picture in model.training}
    predictors, thumbnailers = CapacityLimiter(UPLOADS_AT_ONCE), CapacityLimiter(default_workers())

    async def with_upload(request: Request, ask: Callable[[bytes], T]) -> T:
        # A browser lets a page of another site send this type only after a CORS preflight.
        if request.headers.get("content-type", "") != _UPLOAD:
            raise HTTPException(
                415, f"Send the bytes of an image file as the body, with Content-Type: {_UPLOAD}."
            )
        async with uploads.receive(request) as data:
            try:
                return await to_thread.run_sync(ask, data, limiter=predictors)
            except ImageError as error:
                raise HTTPException(422, f"This cannot be used as an image: {error}.") from error
            except EngineError as error:
                raise HTTPException(500, f"{error}.") from error
            except ToolkitError as error:
                raise HTTPException(503, f"{error}.") from error

    @app.post("/api/classify", **_WITH_UPLOAD)
    async def classify(request: Request) -> PredictionResponse:
        """Classify an image: the body of the request is the content of an image file."""
        return _response(await with_upload(request, model.predict))

    @app.post("/api/explain", **_WITH_UPLOAD)
    async def explain(request: Request) -> EvidenceResponse:
        """Say where in an image the evidence for the predicted class lies."""
        row = await with_upload(request, model.explain)
        return evidence_responses([row], model.run.data.classes)[0]

    @app.get(
        "/api/training/{sha256}/thumbnail",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "A small JPEG"},
            404: {"model": Problem, "description": "There is no such image any more"},
        },
    )
    async def training_thumbnail(
        sha256: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")],
    ) -> Response:
        """Return the thumbnail of a training image, by the SHA-256 of its file."""
        if sha256 not in training:
            raise HTTPException(404, "There is no such training image.")
        path = as_path(model.run.data.root, training[sha256].path)
        image = await to_thread.run_sync(model.thumbnail, path, 128, limiter=thumbnailers)
        if image is None:
            raise HTTPException(404, "The training image is no longer where it was.")
        return Response(image, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


def _response(prediction: LivePrediction) -> PredictionResponse:
    return PredictionResponse(
        label=printable(prediction.label),
        probability=prediction.probability,
        undecided=prediction.undecided,
        familiarity=prediction.familiarity,
        refused=prediction.refused,
        probabilities=[
            ClassProbability(printable(label), probability)
            for label, probability in prediction.probabilities.items()
        ],
        neighbours=[
            SimilarImage(
                name=printable(neighbour.picture.path),
                label=printable(neighbour.picture.label),
                similarity=neighbour.similarity,
                thumbnail=f"/api/training/{neighbour.picture.sha256}/thumbnail",
            )
            for neighbour in prediction.neighbours
        ],
        place=Position(*prediction.position) if prediction.position else None,
        seconds=prediction.seconds,
    )
