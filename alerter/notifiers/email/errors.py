"""What a failed SMTP session means: refused for good, not this time, or perhaps delivered; with the remedy.

A server's own words are quoted where they help, never on the login, and never with the password in them.
"""

from __future__ import annotations

import base64
import smtplib
import ssl
from collections.abc import Callable
from socket import gaierror

from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryError, DeliveryRejectedError
from alerter.core.text import one_line

_WORDS = 200


class PlainLoginError(Exception):
    """A login was about to be sent unencrypted."""


def failed(error: Exception, server: str, *, after_data: bool, secrets: tuple[str, ...]) -> DeliveryError:
    """Return what an exception of a session means; ``after_data`` whether the message was on its way already."""
    words = redactor(secrets)
    match error:
        case PlainLoginError():
            return DeliveryRejectedError(
                f"{server} would get the password unencrypted; set email.starttls: true, or unset SMTP_USERNAME"
            )
        case smtplib.SMTPRecipientsRefused():
            return _recipients(error, words)
        case smtplib.SMTPNotSupportedError():
            return _unsupported(error, server)
        case smtplib.SMTPAuthenticationError():
            return _login(error, server)
        case smtplib.SMTPResponseException() if 400 <= error.smtp_code < 600 or not after_data:
            text = f"{server} refused it ({error.smtp_code} {words(error.smtp_error)})"
            return _by_code(error.smtp_code, text, "check email.from and the server's log")
        case ssl.SSLError() if not after_data:
            return _untrusted(error, server)
    if type(error) is smtplib.SMTPException and "authentication" in str(error):
        return DeliveryRejectedError(f"{server} offers no way to log in that is known here; use another port")
    reason = _reason(error)
    if after_data:
        return DeliveryAmbiguousError(f"the connection to {server} broke ({reason}): it may have been delivered")
    return DeliveryDelayedError(f"{server} can't be reached ({reason}); check email.host, email.port and the network")


def refused(recipients: dict[str, tuple[int, bytes]], words: Callable[[bytes | str], str]) -> str:
    """Return who was refused and why, in one line."""
    return ", ".join(f"{one_line(who)} ({code} {words(text)})" for who, (code, text) in sorted(recipients.items()))


def redactor(secrets: tuple[str, ...]) -> Callable[[bytes | str], str]:
    """Return a function that makes a server's words one short line without secrets, plain or in base64."""
    hidden = [secret for secret in secrets if secret]
    hidden += [base64.b64encode(secret.encode()).decode() for secret in hidden]

    def words(text: bytes | str) -> str:
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        for secret in hidden:
            said = said.replace(secret, "***")
        return one_line(said, _WORDS)

    return words


def _reason(error: Exception) -> str:
    if isinstance(error, gaierror):
        return "its name was not found"
    return "time-out" if isinstance(error, TimeoutError) else type(error).__name__


def _recipients(error: smtplib.SMTPRecipientsRefused, words: Callable[[bytes | str], str]) -> DeliveryError:
    text = f"every recipient was refused: {refused(error.recipients, words)}"
    if any(code < 500 for code, _ in error.recipients.values()):
        return DeliveryDelayedError(text)
    return DeliveryRejectedError(f"{text}; correct the receiver's email.to")


def _untrusted(error: ssl.SSLError, server: str) -> DeliveryError:
    text = (
        "no trusted TLS with {} ({}), nothing was sent; "
        "check email.host against the server's certificate, email.port, or set email.ca_file to its CA"
    )
    if isinstance(error, ssl.SSLCertVerificationError):  # one that has expired is renewed, and the mail still waits
        return DeliveryDelayedError(text.format(server, error.verify_message))
    return DeliveryRejectedError(text.format(server, error.reason))


def _unsupported(error: smtplib.SMTPNotSupportedError, server: str) -> DeliveryError:
    if "STARTTLS" in str(error):
        return DeliveryRejectedError(
            f"{server} offers no STARTTLS, nothing was sent; use port 587, port 465 (TLS from the start), "
            "or set email.starttls: false"
        )
    if "AUTH" in str(error):
        return DeliveryRejectedError(f"{server} offers no login; unset SMTP_USERNAME or use another port")
    return DeliveryRejectedError(f"{server} lacks what the addresses need (SMTPUTF8); use plain ASCII addresses")


def _login(error: smtplib.SMTPAuthenticationError, server: str) -> DeliveryError:
    text = f"{server} refused the login ({error.smtp_code})"
    return _by_code(error.smtp_code, text, "check SMTP_USERNAME and SMTP_PASSWORD")


def _by_code(code: int, text: str, remedy: str) -> DeliveryError:
    # A 4xx says "later"; -1 is smtplib's for an answer that was none.
    if 500 <= code < 600:
        return DeliveryRejectedError(f"{text}; {remedy}")
    return DeliveryDelayedError(text)
