"""One POST: verified TLS, no redirect, no hidden retry, and an end in time."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

_PATH = "/%:@!$&'()*+,;=~-._?"


class UnansweredError(Exception):
    """There was no answer; ``sent`` whether the request was on its way, ``cause`` what broke."""

    def __init__(self, cause: Exception, *, sent: bool) -> None:
        super().__init__(type(cause).__name__)
        self.cause, self.sent = cause, sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status, and ``Retry-After`` as it stands there."""

    status: int
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to post; neither ``repr`` nor an error may show ``path``, which can hold a token."""

    host: str
    port: int
    path: str
    encrypted: bool

    def __repr__(self) -> str:
        return f"Address({self.host})"


def address(url: str) -> Address:
    """Return the parts of a web address.

    Raises:
        ValueError: it is none; the message says why without repeating it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("is not a valid address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not a web address: it begins with https:// and names a host")
    if parts.username or parts.password:
        raise ValueError("holds a login, which is not sent")
    encrypted = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.hostname, port or (443 if encrypted else 80), quote(path, safe=_PATH), encrypted)


def post(to: Address, body: bytes, headers: Mapping[str, str], *, timeout: float, tls: ssl.SSLContext) -> Answer:
    """Post a body and return the answer; ``timeout`` is in seconds for all of it.

    Raises:
        UnansweredError: there was none.
    """
    connection = _connection(to, timeout, tls)
    sent = False
    deadline = threading.Timer(timeout, _cut, (connection,))
    deadline.daemon = True
    deadline.start()
    try:
        connection.connect()
        sent = True
        connection.request("POST", to.path, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("Retry-After", ""))
    except (OSError, HTTPException, UnicodeError) as error:
        raise UnansweredError(error, sent=sent) from None
    finally:
        deadline.cancel()
        connection.close()


def reach(to: Address, *, timeout: float, tls: ssl.SSLContext) -> None:
    """Connect and say nothing.

    Raises:
        UnansweredError: it can't be reached.
    """
    connection = _connection(to, timeout, tls)
    try:
        connection.connect()
    except (OSError, HTTPException, UnicodeError) as error:
        raise UnansweredError(error, sent=False) from None
    finally:
        connection.close()


def _connection(to: Address, timeout: float, tls: ssl.SSLContext) -> HTTPConnection:
    if not to.encrypted:
        return HTTPConnection(to.host, to.port, timeout=timeout)
    proxy = getproxies().get("https", "")
    if not proxy or proxy_bypass(to.host):
        return HTTPSConnection(to.host, to.port, timeout=timeout, context=tls)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = HTTPSConnection(via.hostname or "", via.port or 3128, timeout=timeout, context=tls)
    login = {}
    if via.username:
        words = f"{unquote(via.username)}:{unquote(via.password or '')}"
        login["Proxy-Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
    connection.set_tunnel(to.host, to.port, login)
    return connection


def _cut(connection: HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        # The plain socket's method: a TLS one would take its state from under the thread that reads.
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
