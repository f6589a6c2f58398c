"""What an answer, or none, means for a delivery; no address, body or secret stands in any of it."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime
from socket import gaierror

from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryError, DeliveryRejectedError
from alerter.notifiers.webhook.http import Answer, UnansweredError

_LATER = frozenset({408, 409, 425, 429, 503})
"""Not now: the request was not taken. 409 is "I am at it"."""

_REMEDIES = {
    401: "check that the receiver knows the same secret",
    403: "check that the receiver knows the same secret",
    404: "check the address",
    405: "check the address: it takes no POST",
    410: "the address is gone: give the receiver another one",
    413: "let the receiver take 256 KiB",
}


def answered(where: str, answer: Answer, now_s: float) -> DeliveryError | None:
    """Return what an answer means; None for success. ``now_s`` is the time in epoch seconds, for dates in answers."""
    status = answer.status
    if 200 <= status < 300:
        return None
    text = f"{where} answered {status}"
    if status in _LATER:
        return DeliveryDelayedError(text, _seconds(answer.retry_after, now_s))
    if 300 <= status < 400:
        return DeliveryRejectedError(f"{text}, a redirect, which is not followed; give the address that it leads to")
    if 400 <= status < 500:
        return DeliveryRejectedError(f"{text}; {_REMEDIES.get(status, 'look into the log of the receiver')}")
    return DeliveryAmbiguousError(f"{text}: it may have been taken")


def unanswered(where: str, error: UnansweredError) -> DeliveryError:
    """Return what it means that there was no answer."""
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return DeliveryDelayedError(  # one that has expired is renewed, and the message is still to be told
            f"no trusted TLS with {where} ({cause.verify_message}), nothing was sent; "
            "check the address against the certificate, or set SSL_CERT_FILE to its authority's"
        )
    names: dict[type[Exception], str] = {TimeoutError: "time-out", gaierror: "its name was not found"}
    reason = names.get(type(cause), type(cause).__name__)
    if error.sent:
        return DeliveryAmbiguousError(f"no answer from {where} ({reason}): it may have been taken")
    return DeliveryDelayedError(f"{where} can't be reached ({reason}); check the address and the network")


def _seconds(retry_after: str, now_s: float) -> float | None:
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - now_s, 0.0)
    except ValueError:
        return None
