"""Requests to Slack over connections that stay open between them: verified TLS, no redirect, no hidden retry."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from urllib3 import PoolManager

IDLE_S = 3.0
"""A connection that nobody used for so long is not used again: a server, or what is in between, may have dropped it."""

_CONNECTIONS = 16
"""So many are kept open; more of them at once are fine."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: headers by any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Posts to one server. ``timeout``: to connect, and then for each part of the answer; in seconds, as ``clock``."""

    def __init__(self, base_url: str, *, timeout: float, clock: Callable[[], float]) -> None:
        self._base_url = base_url.removesuffix("/") + "/"
        self._timeout = timeout
        self._clock = clock
        self._manager: PoolManager | None = None
        self._used_at = 0.0
        self._lock = threading.Lock()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post a body, once.

        Raises:
            urllib3.exceptions.HTTPError: there was no answer.
        """
        url = self._base_url + path
        answer = self._connections().urlopen("POST", url, body=body, headers=headers, redirect=False)
        return Response(answer.status, answer.headers, answer.data)

    def _connections(self) -> PoolManager:
        """Return the open connections, without such as were idle for long."""
        with self._lock:  # sixteen threads begin at once, and certificates take long to load
            now = self._clock()
            if self._manager is None:
                self._manager = _manager(self._base_url, self._timeout)
            elif now - self._used_at > IDLE_S:
                self._manager.clear()
            self._used_at = now
            return self._manager


def _manager(url: str, timeout: float) -> PoolManager:
    """Return connections to a server, through the proxy that the environment names for it."""
    from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415 - slow to import

    to = urlsplit(url)
    proxy = getproxies().get(to.scheme, "")
    tls = ssl.create_default_context()
    if not proxy or proxy_bypass(to.hostname or ""):
        return PoolManager(maxsize=_CONNECTIONS, ssl_context=tls, timeout=timeout, retries=False)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = f"{unquote(via.username)}:{unquote(via.password or '')}" if via.username else None
    return ProxyManager(
        f"{via.scheme}://{via.hostname}:{via.port or 3128}",
        maxsize=_CONNECTIONS,
        ssl_context=tls,
        timeout=timeout,
        retries=False,
        proxy_headers=make_headers(proxy_basic_auth=login),
    )
