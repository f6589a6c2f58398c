"""Slack over HTTP: signed slash commands and buttons. Both routes take both, as an app may have one URL for all."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from slack_sdk.signature import Clock, SignatureVerifier

from alerter.slack_requests.answers import WORKING, Answers
from alerter.web.services import WebServices

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
WINDOW_S = 300
"""How old a request may be, on either side of our clock; the verifier has the same."""

BODY_S = 5.0
"""How long a body may take to come in."""

PATIENCE_S = 2.0
"""How long an answer may take to go into the HTTP response; Slack gives up after 3 s."""

_MOST_FIELDS = 100


class _TooLargeError(Exception):
    """A body of more than `MOST_BYTES`."""


class _Clock(Clock):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


class _Signatures:
    """Those that were accepted, for as long as each would be accepted again: Slack itself sends nothing twice."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def is_new(self, signature: str, timestamp: int, now: float) -> bool:
        """Remember a valid request by its signature; False if it came before. Seconds since 1970."""
        self._until = {each: until for each, until in self._until.items() if until >= now}
        if signature in self._until:
            return False
        self._until[signature] = timestamp + WINDOW_S
        return True


def slack_routes(services: WebServices) -> APIRouter:
    """Return the routes that Slack calls; they need no token, the signature is enough."""
    router, known = APIRouter(prefix="/slack", include_in_schema=False), _Signatures()

    @router.post("/commands")
    @router.post("/interactions")
    async def receive(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(request)
        except _TooLargeError:
            return _refuse(413, "the body is too large")
        except TimeoutError:
            return _refuse(408, "the body came too slowly")
        if reason := _unsigned(services, known, body, request.headers):
            return _refuse(401, reason)
        if services.answers is None:
            return _refuse(404, "Slack requests come in by Socket Mode here")
        return await _answer(body, services.answers)

    return router


async def _answer(body: bytes, answers: Answers) -> Response:
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        payload = json.loads(form["payload"]) if "payload" in form else None
    except (ValueError, RecursionError):
        return _refuse(400, "the body is no form, or its payload no JSON")
    if payload is not None:
        if not isinstance(payload, dict):
            return _refuse(400, "the payload is no JSON object")
        # Slack shows nothing of a button's HTTP answer: what there is to say goes to the response_url.
        answers.later(answers.interaction(payload), payload.get("response_url"))
        return Response(status_code=200)
    if "command" not in form:  # such as Slack's ssl_check
        return Response(status_code=200)
    work = answers.command(form)
    waiting = asyncio.wrap_future(work)
    await asyncio.wait({waiting}, timeout=PATIENCE_S)
    if waiting.done():
        reply = waiting.result()
        return JSONResponse(reply.body()) if reply else Response(status_code=200)
    answers.later(work, form.get("response_url"))
    return JSONResponse(WORKING.body())


async def _body(request: Request) -> bytes:
    """Read a body, but no more of it than is allowed, whatever its length header says."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


def _unsigned(services: WebServices, known: _Signatures, body: bytes, headers: Mapping[str, str]) -> str | None:
    """Return why a request is not Slack's, or is not its first copy; None if it is."""
    secret = services.signing_secret()
    if not secret or not secret.strip():
        return "SLACK_SIGNING_SECRET is not set"
    timestamp, signature = headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
    if not timestamp or not signature:
        return "it is not signed"
    # The verifier trips over numbers that aren't ASCII digits, bodies that aren't UTF-8 and signatures beyond ASCII.
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return "its timestamp is no number"
    if not signature.isascii():
        return "its signature is malformed"
    now = services.clock()
    verifier = SignatureVerifier(secret, _Clock(now))
    try:
        valid = verifier.is_valid(body, timestamp, signature)
    except ValueError:
        return "its body is not UTF-8"
    if not valid:
        return "its signature is wrong or too old"
    return None if known.is_new(signature, int(timestamp), now) else "it came before"


def _refuse(status: int, reason: str) -> Response:
    log.warning("slack request refused status=%d reason=%r", status, reason)
    return JSONResponse({"error": reason}, status_code=status)
