"""An SMTP session with a deadline, which knows whether the message itself was on its way."""

from __future__ import annotations

import smtplib
import socket
import threading
from contextlib import suppress
from typing import Any

LONGEST = 25.0
"""Seconds for a session: an attempt must end within the outbox's lease of 30 s, or another daemon may begin one."""


class Session(smtplib.SMTP):
    """A session of at most ``timeout`` seconds in all, from the server's greeting on.

    smtplib's own time-out starts anew with each answer, even with each byte of one.

    Attributes:
        after_data: whether the server may hold the message: from here on, no answer is no "no".
    """

    after_data = False
    _timer: threading.Timer | None = None

    def data(self, msg: Any) -> tuple[int, bytes]:  # noqa: ANN401 - smtplib's own
        """Send the message; errors as in smtplib."""
        self.after_data = True
        return super().data(msg)

    def getreply(self) -> tuple[int, bytes]:
        """Wait for an answer, until the deadline; errors as in smtplib."""
        if self._timer is None:
            self._timer = threading.Timer(self.timeout, self._cut)
            self._timer.daemon = True
            self._timer.start()
        return super().getreply()

    def close(self) -> None:
        """Close the connection; there is no deadline any more."""
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _cut(self) -> None:
        sock = self.sock
        if sock is not None:
            # The plain socket's method: a TLS one would take its state from under the thread that reads.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class TlsSession(smtplib.SMTP_SSL, Session):
    """The same, encrypted from the start."""
