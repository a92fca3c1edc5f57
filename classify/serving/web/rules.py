"""What every web application of this package refuses, and the headers that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI, Request, Response

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def add_rules(app: FastAPI, hosts: Sequence[str]) -> None:
    """Have an application refuse requests to other hosts, and send headers that protect its pages.

    Parameters
    ----------
    app : FastAPI
    hosts : sequence of str
        Host names that a request may give, which keeps other sites from impersonating the server
        (DNS rebinding); ``*`` allows all.
    """
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(_HEADERS)
        return response


def refuse_other_sites(app: FastAPI) -> None:
    """Have an application refuse requests to its API that pages of other sites make.

    A request that changes something must be JSON, which a page of another site can send only after
    a preflight, which is refused, too.
    """

    @app.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Response:
        response: Response
        if not request.url.path.startswith("/api/"):
            response = await call_next(request)
        elif not _is_of_this_site(request):
            response = JSONResponse(
                {"detail": "Only the page of this server may use its API."}, 403
            )
        elif request.method == "POST" and not _is_json(request):
            response = JSONResponse({"detail": "Send JSON, as application/json."}, 415)
        else:
            response = await call_next(request)
        return response


def _is_of_this_site(request: Request) -> bool:
    """Tell whether no other site makes the request; programs send neither of the two headers."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = f"http://{request.headers.get('host', '')}"
    return (origin is None or origin == own) and site in (None, "same-origin", "none")


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"
