"""Deliver alerts as JSON to an address of your own, at least once: what comes twice has the same id."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import NoReturn

from alerter import __version__
from alerter.core.alerts import AlertState, Message
from alerter.core.ports import DeliveryRejectedError, Finding, Receipt, Target
from alerter.notifiers.webhook.errors import answered, unanswered
from alerter.notifiers.webhook.http import Address, UnansweredError, address, post, reach
from alerter.notifiers.webhook.payload import Event, encode
from alerter.notifiers.webhook.signature import event_id, signature

LONGEST = 25.0
"""Seconds for a request: an attempt must end within the outbox's lease of 30 s."""


class WebhookNotifier:
    """Posts signed JSON.

    A target's settings name the address (``url``, or ``url_from``, the name of a secret that holds it) and ``secret``,
    the name of the secret that signs.

    Args:
        secrets: name -> value, of those that are set; never shown.
        timeout: seconds for a whole request, at most `LONGEST`.
        tls: what decides which certificates are trusted; the system's by default.
        clock: epoch seconds, for signatures.
    """

    kind = "webhook"

    def __init__(
        self,
        secrets: Mapping[str, str],
        *,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = dict(secrets)
        self._timeout = min(timeout, LONGEST)
        self._tls = tls
        self._clock = clock

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Post a message; the receipt holds the event's id.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        del thread  # alerts name their budget, scope and period
        event = event_id(key)
        self._post(target, event, self._body(message, states, key, "told"))
        return Receipt({"id": event})

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Return None: it can't be asked. The copy that is sent then has the id of the first, so it can be dropped."""
        del target, key, since_ms, thread
        return None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Post the message again with its alerts' present states, as the event ``updated``.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        del receipt  # the body says by its key which message it is
        now = json.dumps({name: asdict(states[name]) for name in sorted(states)})
        self._post(target, event_id(key, now), self._body(message, states, key, "updated"))

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return whether each target's address and secret are there, and whether it can be reached; sends nothing."""
        return [self._check(each) for each in targets]

    def _check(self, target: Target) -> Finding:
        subject, where = f"receiver {target.receiver}", _where(target)
        try:
            to = self._address(target)
            signature(self._secret(target), "check", 0, b"")
            reach(to, timeout=self._timeout, tls=self._trust())
        except (DeliveryRejectedError, ValueError) as error:
            text, _, remedy = str(error).removeprefix(f"{subject}: ").partition("; ")
            return Finding("error", subject, text, remedy)
        except UnansweredError as error:
            text, _, remedy = str(unanswered(where, error)).partition("; ")
            return Finding("error", subject, text, remedy)
        if not to.encrypted and to.host not in {"localhost", "127.0.0.1", "::1"}:
            return Finding("warning", subject, f"JSON goes to {where}, unencrypted", "use https://")
        return Finding("ok", subject, f"signed JSON goes to {where}")

    def _body(self, message: Message, states: Mapping[str, AlertState], key: str, event: Event) -> bytes:
        return encode(message, states, key, event=event, now_ms=round(self._clock() * 1000))

    def _post(self, target: Target, event: str, body: bytes) -> None:
        to, now = self._address(target), self._clock()
        try:
            signed = signature(self._secret(target), event, int(now), body)
        except ValueError as error:
            _reject(target, f"{target.settings.get('secret')}: {error}", "correct the secret")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"mlflow-alerter/{__version__}",
            "Idempotency-Key": event,
            "webhook-id": event,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": signed,
        }
        where = _where(target)
        try:
            answer = post(to, body, headers, timeout=self._timeout, tls=self._trust())
        except UnansweredError as error:
            raise unanswered(where, error) from None
        if failure := answered(where, answer, self._clock()):
            raise failure

    def _address(self, target: Target) -> Address:
        name = target.settings.get("url_from", "")
        try:
            return address(self._named(target, name) if name else target.settings.get("url", ""))
        except ValueError as error:
            _reject(target, f"{_where(target)} {error}", "correct it")

    def _secret(self, target: Target) -> str:
        return self._named(target, target.settings.get("secret", ""))

    def _named(self, target: Target, name: str) -> str:
        value = self._secrets.get(name, "")
        if not value:
            remedy = f"set it in the environment, or as the file {name.lower()} in $CREDENTIALS_DIRECTORY"
            _reject(target, f"{name or 'a secret'} is not set", remedy)
        return value

    def _trust(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()


def _where(target: Target) -> str:
    """Return where a target is, for people: an address that a secret holds is named by the secret."""
    if name := target.settings.get("url_from"):
        return f"the address in {name}"
    try:
        return address(target.settings.get("url", "")).host
    except ValueError:
        return "its url"


def _reject(target: Target, text: str, remedy: str) -> NoReturn:
    raise DeliveryRejectedError(f"receiver {target.receiver}: {text}; {remedy}")
