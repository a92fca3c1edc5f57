"""The web application of a review: a page for people, and the JSON that its script uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, HTTPException, Response
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse

from classify.errors import ReviewError
from classify.reviewing.answers import (
    Answers,
    DecisionAnswer,
    ImageAnswer,
    OtherImage,
    QueueAnswer,
    RetrainingAnswer,
)
from classify.reviewing.queue import KINDS, QueuedImage
from classify.reviewing.review import LARGE, SMALL
from classify.serving.web.evidence import EvidenceResponse  # noqa: TC001 - FastAPI needs the type
from classify.serving.web.rules import add_rules, refuse_other_sites
from extract.images.loading import default_workers
from reports.pages.review import render_review
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.reviewing.review import Review
    from reports.records import PictureRecord

_SIZES = {"small": SMALL, "large": LARGE}
_WAITS = 8
"""Requests that may wait for neighbours at the same time."""

Number = Annotated[int, InPath(ge=0)]


@dataclass(frozen=True)
class DecisionRequest:
    """A decision about an image.

    Parameters
    ----------
    decision : {"relabel", "keep", "leave out", "undo"}
    revision : int
        How many decisions the client knows.
    label : int, default=None
        To relabel: the number of the class.
    version : int, default=None
        Of the state that the client has seen; to undo, that the decision has led to.
    """

    decision: Literal["relabel", "keep", "leave out", "undo"]
    revision: int = 0
    label: int | None = None
    version: int | None = None


def application(review: Review, hosts: Sequence[str]) -> FastAPI:
    """Return the web application of a review.

    Parameters
    ----------
    review : Review
    hosts : sequence of str
        Host names that a request may give; see `classify.serving.web.rules.add_rules`.
    """
    app = FastAPI(title="frozen-features", docs_url=None, redoc_url=None, openapi_url=None)
    refuse_other_sites(app)
    add_rules(app, hosts)
    page = render_review(review.run, review.result, review.classes, KINDS, review.command)

    @app.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    answers = Answers(review)
    _add_queue(app, review, answers)
    _add_images(app, review)
    _add_retraining(app, review, answers)
    return app


def _add_queue(app: FastAPI, review: Review, answers: Answers) -> None:
    limiter = CapacityLimiter(_WAITS)

    def queued(number: int) -> QueuedImage:
        if number >= len(review.queue):
            raise HTTPException(404, "There is no such image in the queue.")
        return review.queue[number]

    @app.get("/api/queue")
    def queue() -> QueueAnswer:
        return answers.queue()

    @app.get("/api/queue/{number}")
    def image(number: Number) -> ImageAnswer:
        return answers.image(number, queued(number))

    @app.get("/api/queue/{number}/neighbours")
    async def neighbours(number: Number) -> list[OtherImage]:
        return await to_thread.run_sync(answers.neighbours, queued(number), limiter=limiter)

    @app.get("/api/queue/{number}/evidence")
    async def evidence(number: Number) -> list[EvidenceResponse]:
        return await to_thread.run_sync(answers.evidence, queued(number), limiter=limiter)

    @app.post("/api/queue/{number}/decision")
    def decide(number: Number, request: DecisionRequest) -> DecisionAnswer:
        picture = queued(number).picture
        try:
            _decide(review, picture, request)
        except ToolkitError as error:
            raise HTTPException(409, f"{error}.") from error
        return answers.decided(picture.path, request.revision)


def _decide(review: Review, picture: PictureRecord, request: DecisionRequest) -> None:
    problem = review.problem(picture)
    if problem and request.decision != "undo":
        raise ReviewError(problem.removesuffix("."))
    if request.decision == "keep":
        review.corrections.relabel(picture.path, picture.label, request.version)
    elif request.decision == "leave out":
        review.corrections.leave_out(picture.path, request.version)
    elif request.decision == "undo":
        review.corrections.undo(picture.path, -1 if request.version is None else request.version)
    elif request.label is None or not 0 <= request.label < len(review.classes):
        raise HTTPException(422, "There is no such class.")
    else:
        review.corrections.relabel(picture.path, review.classes[request.label], request.version)


def _add_images(app: FastAPI, review: Review) -> None:
    limiter = CapacityLimiter(default_workers())

    @app.get("/api/images/{number}/{size}", response_class=Response)
    async def image(number: Number, size: Literal["small", "large"]) -> Response:
        if number >= len(review.pictures):
            raise HTTPException(404, "There is no such image.")
        picture = review.pictures[number]
        data = await to_thread.run_sync(review.image, picture, _SIZES[size], limiter=limiter)
        if data is None:
            raise HTTPException(404, "The image is no longer where it was.")
        # The next server on this port may be that of another run.
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _add_retraining(app: FastAPI, review: Review, answers: Answers) -> None:
    @app.get("/api/retraining")
    def state() -> RetrainingAnswer:
        return answers.retraining(review.retraining.state)

    @app.post("/api/retraining")
    def start() -> RetrainingAnswer:
        return answers.retraining(review.retraining.start())
