"""Alerts by any of the services that the library apprise knows: PagerDuty, Teams, Discord and a hundred others."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

from alerter.core import plain_text
from alerter.core.alerts import AlertState, Message
from alerter.core.budgets import Basis
from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRejectedError,
    Finding,
    Receipt,
    Target,
)
from alerter.core.text import one_line
from alerter.core.wording import Style

INSTALL = 'pip install "mlflow-alerter[apprise]"'

LONGEST = 25.0
"""Seconds for a message: an attempt must end within the outbox's lease of 30 s."""

_STATUS = re.compile(r"error=(\d{3})\b")
_LATER = frozenset({408, 425, 429})
# What the services behind it may take for a mention, a link or a format: look-alikes without a meaning.
_MARKS = str.maketrans(dict(zip("@<>`*~|[]", "＠‹›ˋ∗∼｜［］", strict=True)))  # noqa: RUF001 - on purpose


def harmless(text: str, limit: int) -> str:
    """Return untrusted text as one line that no service acts upon."""
    return one_line(text, limit).translate(_MARKS).replace("://", ": //")


_STYLE = Style(safe=harmless, strong=str)


class AppriseNotifier:
    """Sends plain text.

    A target's ``url_from`` names the secret that holds its apprise URL; ``secrets`` has the values of those set.
    """

    kind = "apprise"

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)

    def send(
        self,
        target: Target,
        message: Message,
        states: Mapping[str, AlertState],
        key: str,
        thread: Receipt | None = None,
    ) -> Receipt:
        """Send a message; the receipt is empty.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        del key, thread
        service = self._service(target)
        title = plain_text.title(message, states, _STYLE)
        told = {"title": title, "body": plain_text.text(message, states, _STYLE) or title, "body_format": "text"}
        try:
            result = _library().Apprise(service).notify(**told, notify_type=_urgency(message), timeout=LONGEST)
        except Exception as error:  # noqa: BLE001 - any of a hundred plugins, and its words may show the URL
            raise DeliveryAmbiguousError(f"{service.service_name} failed ({type(error).__name__})") from None
        if not result:
            said = " ".join(entry.message for each in result for attempt in each.attempts for entry in attempt.logs)
            raise _failure(str(service.service_name), target, said)
        return Receipt({})

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Return None: apprise can't look anything up, so what is sent again may come twice."""
        del target, key, since_ms, thread
        return None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Do nothing: what was sent stays as it is."""

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return whether apprise is installed and understands each target's URL; sends nothing."""
        return [self._check(each) for each in targets]

    def _check(self, target: Target) -> Finding:
        subject = f"receiver {target.receiver}"
        try:
            service = self._service(target)
        except DeliveryError as error:
            text, _, remedy = str(error).partition("; ")
            return Finding("error", subject, text, remedy)
        return Finding("ok", subject, f"messages go to {service.service_name} by apprise")

    def _service(self, target: Target) -> Any:  # noqa: ANN401 - a class of any of its plugins
        name = target.settings.get("url_from", "")
        url = self._secrets.get(name, "")
        if not url:
            remedy = f"set it in the environment, or as the file {name.lower()} in $CREDENTIALS_DIRECTORY"
            raise DeliveryRejectedError(f"{name} is not set; {remedy}")
        library = _library()
        made = library.Apprise.instantiate(url, suppress_exceptions=True)
        if made is None:
            raise DeliveryRejectedError(
                f"{name} holds no URL that apprise understands; see https://appriseit.com/services for how they look"
            )
        if "overflow=" not in url:  # a long message in one piece, not refused and not in five
            made.overflow_mode = library.OverflowMode.TRUNCATE
        return made


def _failure(service: str, target: Target, said: str) -> DeliveryError:
    """Return what apprise's only word, "no", means, by the status that its plugins log."""
    found = _STATUS.search(said)
    if found is None:
        return DeliveryAmbiguousError(f"{service} did not answer: it may have been taken")
    status = int(found[1])
    text = f"{service} answered {status}"
    if status in _LATER:
        return DeliveryDelayedError(text)
    if 300 <= status < 500:
        return DeliveryRejectedError(f"{text}; check {target.settings.get('url_from')} and the service's settings")
    return DeliveryAmbiguousError(f"{text}: it may have been taken")


def _urgency(message: Message) -> str:
    """Return apprise's word for how bad it is: some services choose a colour or a severity by it."""
    if not message.alerts:
        return "info"
    over = any(each.basis is Basis.ACTUAL and each.spent_nanos >= each.amount_nanos for each in message.alerts)
    return "failure" if over else "warning"


def _library() -> Any:  # noqa: ANN401 - a module
    """Return apprise, quiet: it logs hosts, and below warnings whole URLs, as urllib3 does for it.

    Raises:
        DeliveryRejectedError: it is not installed.
    """
    try:
        import apprise  # noqa: PLC0415 - an extra, and 0.5 s
    except ImportError:
        raise DeliveryRejectedError(f"apprise is not installed; {INSTALL}") from None
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    return apprise
