"""Slack's Web API as this program calls it: no hidden retries, every failure a delivery error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_when_event_set
from tenacity.nap import sleep_using_event

from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryRejectedError
from alerter.notifiers.slack.errors import answered, unanswered

ATTEMPTS = 3
"""Of calls that may be repeated: reads and edits."""

_PATIENCE = 5.0
_PAGE = 200
_MAX_PAGES = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack returned: the fields of an ``ok: true``, and the scopes that its header names."""

    data: Mapping[str, Any]
    scopes: frozenset[str]


class SlackApi:
    """Calls with one bot token. ``timeout`` is in seconds; ``backoff`` the first wait between repeats."""

    def __init__(self, token: str, *, base_url: str, timeout: int, stop: threading.Event, backoff: float) -> None:
        from slack_sdk.web import WebClient  # noqa: PLC0415 - 0.2 s, which `--help` need not pay

        # slack_sdk's own retry re-sends a post whose connection dropped: a duplicate. And it logs what we raise.
        silent = logging.Logger("slack_sdk", logging.CRITICAL)  # noqa: LOG001 - kept out of the tree on purpose
        self._web = WebClient(token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=silent)
        self._usable = token.isascii() and token.isprintable() and bool(token.strip()) and " " not in token.strip()
        self._stop = stop
        self._backoff = backoff

    def write(self, method: str, body: Mapping[str, Any], what: str) -> Answer:
        """Make one call with a JSON body, once.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        return self._call(what, lambda: self._web.api_call(method, json=dict(body)))

    def rewrite(self, method: str, body: Mapping[str, Any], what: str) -> Answer:
        """Make a call that may be repeated, such as an edit; errors as in `write`."""
        return self._repeat(lambda: self.write(method, body, what))

    def read(self, method: str, what: str, **params: str | int | bool) -> Answer:
        """Make a call that changes nothing, repeated where that may help; errors as in `write`."""
        return self._repeat(lambda: self._call(what, lambda: self._web.api_call(method, params=params)))

    def pages(self, method: str, what: str, **params: str | int | bool) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of a listing; errors as in `write`."""
        cursor = ""
        for _ in range(_MAX_PAGES):
            more = {"cursor": cursor} if cursor else {}
            page = self.read(method, what, limit=_PAGE, **params, **more).data
            yield page
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    def _repeat(self, call: Callable[[], Answer]) -> Answer:
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS) | stop_when_event_set(self._stop),
            wait=self._wait,
            sleep=sleep_using_event(self._stop),
            retry=retry_if_exception(_may_help),
            reraise=True,
        )
        return retrying(call)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, DeliveryDelayedError) else None
        return asked if asked is not None else self._backoff * float(2 ** (state.attempt_number - 1))

    def _call(self, what: str, call: Callable[[], Any]) -> Answer:
        from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415

        if not self._usable:
            raise DeliveryRejectedError("SLACK_BOT_TOKEN is empty or not a token; set it to the app's bot token")
        try:
            response = call()
        except SlackApiError as error:
            made = answered(what, error.response.status_code, error.response.data, error.response.headers)
            raise made from None  # the original quotes the whole answer
        except (OSError, HTTPException, SlackClientError, ValueError, LookupError, AttributeError) as error:
            raise unanswered(what, error) from None
        return Answer(response.data, _scopes(response.headers))


def _may_help(error: BaseException) -> bool:
    if isinstance(error, DeliveryDelayedError):
        return error.retry_after is None or error.retry_after <= _PATIENCE
    return isinstance(error, DeliveryAmbiguousError)


def _scopes(headers: Mapping[str, Any]) -> frozenset[str]:
    for name, value in headers.items():
        if name.lower() == "x-oauth-scopes":
            text = ",".join(value) if isinstance(value, list) else str(value)
            return frozenset(part.strip() for part in text.split(",") if part.strip())
    return frozenset()
