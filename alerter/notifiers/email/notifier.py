"""Deliver alerts by SMTP: STARTTLS and login first, never a fall-back to plain text."""

from __future__ import annotations

import ipaddress
import logging
import smtplib
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import getaddresses

from alerter.core.alerts import AlertState, Message
from alerter.core.ports import DeliveryError, DeliveryRejectedError, Finding, Receipt, Target
from alerter.notifiers.email.compose import compose
from alerter.notifiers.email.errors import PlainLoginError, failed, redactor, refused
from alerter.notifiers.email.session import LONGEST, Session, TlsSession

log = logging.getLogger(__name__)

IMPLICIT_TLS_PORT = 465


class EmailNotifier:
    """Sends through one SMTP server, a session a message.

    Args:
        host, port: of the server.
        sender: the From address, such as ``Budgets <budgets@example.com>``.
        starttls: encrypt before anything is said; False is for a relay on this machine.
        implicit_tls: encrypt from the first byte instead; by default on port 465 only.
        username, password: of the login, ``""`` for none; never shown.
        timeout: seconds for a whole session, at most `LONGEST`: an attempt must end within its lease.
        tls: what decides which certificates are trusted; the system's by default.
        clock: epoch seconds, for the date of a message that doesn't know when it was decided.
    """

    kind = "email"

    def __init__(
        self,
        host: str,
        port: int = 587,
        *,
        sender: str,
        starttls: bool = True,
        implicit_tls: bool | None = None,
        username: str = "",
        password: str = "",
        timeout: float = 15.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._port = host, port
        self._sender = sender
        self._implicit_tls = port == IMPLICIT_TLS_PORT if implicit_tls is None else implicit_tls
        self._starttls = starttls and not self._implicit_tls
        self._login = (username, password)
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
        """Send a message to the target's ``to``, a comma-separated list; the receipt holds its Message-ID.

        Where only some addresses are refused it is delivered to the others, and the refused ones are logged.

        Raises:
            DeliveryRejectedError, DeliveryDelayedError, DeliveryAmbiguousError: see each.
        """
        sent_ms = message.at_ms or round(self._clock() * 1000)
        try:
            to = addresses(target)
            before = thread.reference.get("message_id", "") if thread else ""
            mail = compose(message, states, key, sender=self._sender, to=to, sent_ms=sent_ms, before=before)
        except ValueError as error:
            raise DeliveryRejectedError(
                f"receiver {target.receiver}: {error}; correct email.to or email.from"
            ) from None
        missed = self._deliver(mail)
        if missed:
            words = redactor(self._login)
            log.warning("delivered, but not to all receiver=%s refused=%s", target.receiver, refused(missed, words))
        return Receipt({"message_id": str(mail["Message-ID"])})

    def find(self, target: Target, key: str, since_ms: int, thread: Receipt | None = None) -> Receipt | None:
        """Return None: a sent mail can't be looked up. A second copy has the same Message-ID, so clients merge it."""
        del target, key, since_ms, thread
        return None

    def update(
        self, target: Target, receipt: Receipt, message: Message, states: Mapping[str, AlertState], key: str
    ) -> None:
        """Do nothing: a sent mail stays as it is."""

    def check(self, targets: Collection[Target]) -> list[Finding]:
        """Return whether the server takes the login, and whether each target's addresses can be read; sends nothing."""
        found = [_address_finding(each) for each in targets]
        try:
            with self._session():
                pass
        except DeliveryError as error:
            text, _, remedy = str(error).partition("; ")
            return [Finding("error", "email", text, remedy), *found]
        how = "logged in" if self._login[0] else "connected without login"
        if not self._encrypted:
            warning = Finding("warning", "email", f"{how}, unencrypted: {self._server}", "set email.starttls: true")
            return [warning if not self._local else Finding("ok", "email", f"{how}: {self._server}"), *found]
        return [Finding("ok", "email", f"{how} over TLS: {self._server}"), *found]

    @property
    def _server(self) -> str:
        return f"{self._host}:{self._port}"

    @property
    def _encrypted(self) -> bool:
        return self._starttls or self._implicit_tls

    @property
    def _local(self) -> bool:
        if self._host == "localhost":
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(self._host).is_loopback
        return False

    def _deliver(self, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
        with self._session() as session:
            return session.send_message(mail)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session: Session | None = None
        try:
            if self._login[0] and not (self._encrypted or self._local):
                raise PlainLoginError  # noqa: TRY301 - told like every other failure
            session = self._open()
            self._secure(session)
            yield session
        except (OSError, smtplib.SMTPException, PlainLoginError, UnicodeError) as error:
            after_data = session is not None and session.after_data
            raise failed(error, self._server, after_data=after_data, secrets=self._login) from None
        finally:
            if session is not None:
                with suppress(OSError, smtplib.SMTPException):
                    session.quit()  # whatever it answers, the message is accepted or not by now
                session.close()

    def _open(self) -> Session:
        if self._implicit_tls:
            return TlsSession(self._host, self._port, timeout=self._timeout, context=self._trust())
        return Session(self._host, self._port, timeout=self._timeout)

    def _secure(self, session: Session) -> None:
        if self._starttls:
            session.starttls(context=self._trust())
        username, password = self._login
        if username:
            session.login(username, password)

    def _trust(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()


def addresses(target: Target) -> list[str]:
    """Return the addresses of a target's ``to``.

    Raises:
        ValueError: there is none, or one that is no address.
    """
    written = target.settings.get("to", "")
    parsed = [address for _, address in getaddresses([written])]
    for address in parsed:
        name, _, domain = address.rpartition("@")
        # The parser drops what it doesn't understand, and mail would go to somebody else.
        if not (name and domain) or address not in written or not address.isprintable():
            raise ValueError(f"{address or written!r} is not an e-mail address")
    if not parsed:
        raise ValueError("it names no e-mail address")
    return parsed


def _address_finding(target: Target) -> Finding:
    try:
        to = addresses(target)
    except ValueError as error:
        return Finding("error", f"receiver {target.receiver}", str(error), "correct email.to")
    return Finding("ok", f"receiver {target.receiver}", f"mail goes to {', '.join(to)}")
