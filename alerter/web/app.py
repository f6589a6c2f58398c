"""The web application: which route shows what, and to whom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from alerter import __version__
from alerter.metrics import CONTENT_TYPE
from alerter.web.auth import COOKIE, COOKIE_SECONDS, is_allowed, is_asked_by, same, session_of
from alerter.web.headers import SecurityHeaders
from alerter.web.page import render_login, render_status
from alerter.web.schemas import AlertsBody, ReadyBody, StatusBody
from alerter.web.services import WebServices
from alerter.web.slack import slack_routes

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MOST_LOGIN_BYTES = 4096

_FOREIGN_NAME = (
    "the page has no token, so it answers only to this machine's names: "
    "open http://127.0.0.1, set web.public_url to the address that you use, or set ALERTER_WEB_TOKEN"
)

Shown = TypeVar("Shown")


def create_app(services: WebServices) -> FastAPI:
    """Return the application that shows ``services``; it has no state of its own."""
    app = FastAPI(
        title="MLflow budget alerter",
        version=__version__,
        summary="Where budgets stand and which alerts fire. Amounts are estimates, as decimal text.",
        docs_url=None,  # FastAPI's documentation pages load scripts from a CDN
        redoc_url=None,
    )
    app.add_middleware(SecurityHeaders)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _add_health(app, services)
    _add_api(app, services)
    _add_page(app, services)
    app.include_router(slack_routes(services))
    return app


def _add_health(app: FastAPI, services: WebServices) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """Say that the process is alive, and, of several on one database, whether it polls."""
        return {"status": "ok"} | _role(services)

    not_ready: dict[int | str, dict[str, Any]] = {
        503: {"description": "not ready; `reasons` tells why", "model": ReadyBody}
    }

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["health"], response_model=ReadyBody, responses=not_ready)
    def readyz() -> JSONResponse:
        """Say whether the database can be reached, the first sweep is done and the polls are fresh."""
        reasons = list(_shown(services.readiness))
        body = {"ready": not reasons, "reasons": reasons} | _role(services)
        return JSONResponse(body, status_code=503 if reasons else 200)


def _role(services: WebServices) -> dict[str, str]:
    role = services.role()
    return {"role": role} if role else {}


def _add_api(app: FastAPI, services: WebServices) -> None:
    def permit(request: Request) -> None:
        if not _may(services, request):
            raise HTTPException(401, "ALERTER_WEB_TOKEN is needed as a Bearer token", {"WWW-Authenticate": "Bearer"})

    guarded: dict[str, Any] = {
        "dependencies": [Depends(permit)],
        "responses": {401: {"description": "the token is missing or wrong"}},
    }

    @app.get("/api/status", tags=["budgets"], response_model=StatusBody, **guarded)
    def status() -> JSONResponse:
        """Return where every budget stands, as `alerter status --json` prints it."""
        return JSONResponse(dict(_shown(services.status)))

    @app.get("/api/alerts", tags=["budgets"], response_model=AlertsBody, **guarded)
    def alerts() -> JSONResponse:
        """Return the alerts, as `alerter alerts --json` prints them."""
        return JSONResponse(dict(_shown(services.alerts)))

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse, **guarded)
    def metrics() -> Response:
        """Return counters and gauges in Prometheus' text format."""
        try:
            services.before_scrape()
        except Exception:  # the job boundary: what is counted in memory can still be told
            log.exception("metrics could not be brought up to date")
        return Response(services.metrics.render(), media_type=CONTENT_TYPE)


def _add_page(app: FastAPI, services: WebServices) -> None:
    @app.get("/", include_in_schema=False)
    def page(request: Request, token: str | None = None) -> Response:
        if token is not None:  # a link from a colleague: bought for a cookie, and out of the address bar
            return _log_in(services, request, token)
        if not _may(services, request):
            return HTMLResponse(render_login(failed=False), 401)
        return HTMLResponse(render_status(_shown(services.page)))

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_LOGIN_BYTES:
                raise HTTPException(413, "the form is too large")
        given = parse_qs(body.decode("ascii", "replace"), max_num_fields=5).get("token", [""])[0]
        return _log_in(services, request, given)


def _log_in(services: WebServices, request: Request, given: str) -> Response:
    token = services.token()
    if token and not same(given.strip(), token):
        log.warning("login refused")
        return HTMLResponse(render_login(failed=True), 401)
    response = RedirectResponse("./", 303)  # relative: a proxy may serve the page under a path
    if token:
        # Lax, not Strict: the page is opened by links in Slack, and no GET changes anything.
        response.set_cookie(
            COOKIE,
            session_of(token),
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
    return response


def _may(services: WebServices, request: Request) -> bool:
    if not services.token() and not is_asked_by(request.headers.get("host", ""), services.names()):
        raise HTTPException(403, _FOREIGN_NAME)
    return is_allowed(services.token(), request.headers.get("authorization"), request.cookies)


def _shown(make: Callable[[], Shown]) -> Shown:
    """Return what a service gives; a failure is logged and answered with 503, without its details."""
    try:
        return make()
    except Exception:  # the job boundary: the database may be locked, full or away
        log.exception("page data could not be read")
        raise HTTPException(503, "the data can't be read just now; the log tells why") from None
