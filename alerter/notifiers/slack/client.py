"""Slack's Web API as this program calls it: no hidden retries, every failure a delivery error."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_when_event_set
from tenacity.nap import sleep_using_event

from alerter import __version__
from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryRejectedError
from alerter.notifiers.slack.errors import answered, unanswered
from alerter.notifiers.slack.http import Http

ATTEMPTS = 3
"""Of calls that may be repeated: reads and edits."""

_PATIENCE = 5.0
_PAGE = 200
_MAX_PAGES = 50
_JSON = "application/json;charset=utf-8"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack returned: the fields of an ``ok: true``, and its headers, by any case."""

    data: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def scopes(self) -> frozenset[str]:
        """The token's scopes, where the answer names them."""
        names = self.headers.get("x-oauth-scopes", "").split(",")
        return frozenset(name.strip() for name in names if name.strip())


class SlackApi:
    """Calls with one bot token. ``timeout`` is in seconds; ``backoff`` the first wait between repeats."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        timeout: int,
        stop: threading.Event,
        backoff: float,
        clock: Callable[[], float],
    ) -> None:
        token = token.strip()
        self._usable = bool(token) and token.isascii() and token.isprintable() and " " not in token
        self._http = Http(base_url, timeout=timeout, clock=clock)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": f"mlflow-alerter/{__version__}"}
        self._stop = stop
        self._backoff = backoff

    def write(self, method: str, body: Mapping[str, Any], what: str) -> Answer:
        """Make one call with a JSON body, once; ``what`` names its object in errors, as in ``#ml-costs``.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        return self._call(method, json.dumps(body).encode(), _JSON, what)

    def rewrite(self, method: str, body: Mapping[str, Any], what: str) -> Answer:
        """Make a call that may be repeated, such as an edit; errors as in `write`."""
        return self._repeat(lambda: self.write(method, body, what))

    def read(self, method: str, what: str, **params: str | int) -> Answer:
        """Make a call that changes nothing, repeated where that may help; errors as in `write`."""
        form = urlencode({name: int(value) if isinstance(value, bool) else value for name, value in params.items()})
        return self._repeat(lambda: self._call(method, form.encode(), _FORM, what))

    def pages(self, method: str, what: str, **params: str | int) -> Iterator[Mapping[str, Any]]:
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

    def _call(self, method: str, body: bytes, kind: str, what: str) -> Answer:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - slow to import

        if not self._usable:
            raise DeliveryRejectedError("SLACK_BOT_TOKEN is empty or not a token; set it to the app's bot token")
        try:
            response = self._http.post(method, body, self._headers | {"Content-Type": kind})
        except (HTTPError, OSError, ValueError) as error:
            raise unanswered(what, error) from None  # the original names the whole address
        data = _parsed(response.body)
        if response.status != 200 or data.get("ok") is not True:
            raise answered(what, response.status, data, response.headers)
        return Answer(data, response.headers)


def _may_help(error: BaseException) -> bool:
    if isinstance(error, DeliveryDelayedError):
        return error.retry_after is None or error.retry_after <= _PATIENCE
    return isinstance(error, DeliveryAmbiguousError)


def _parsed(body: bytes) -> Mapping[str, Any]:
    """Return an answer's fields; none where it is no answer of Slack's."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
