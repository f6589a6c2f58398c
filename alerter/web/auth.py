"""Who may look: everybody, or whoever has ALERTER_WEB_TOKEN, as a Bearer header or as a cookie bought with it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

COOKIE = "alerter_session"
COOKIE_SECONDS = 7 * 86_400


def is_allowed(token: str | None, authorization: str | None, cookies: Mapping[str, str]) -> bool:
    """Whether a request with these headers may look; compared in constant time."""
    if not token:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    # A header arrives as Latin-1, whatever it was written in.
    given = given.strip().encode("latin-1", "replace").decode("utf-8", "replace")
    if scheme.casefold() == "bearer" and same(given, token):
        return True
    return same(cookies.get(COOKIE, ""), session_of(token))


def same(given: str, wanted: str) -> bool:
    """Compare secrets in constant time, whatever characters were sent."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def session_of(token: str) -> str:
    """Return the cookie's value: it proves the token without being it, and a new token ends every session."""
    return hmac.new(token.encode(), b"alerter status page", hashlib.sha256).hexdigest()


def own_names(host: str, public_url: str | None) -> frozenset[str] | None:
    """Return the names by which a page that needs no token may be asked; None where any will do.

    A page of somebody else's, open in a browser on this machine, can have its own name resolve to 127.0.0.1 and read
    what answers there. Beyond this machine a page without a token is open to everybody, and the daemon has warned.
    """
    if not _is_loopback(host):
        return None
    return frozenset({"localhost", host, urlsplit(public_url or "").hostname or "localhost"})


def is_asked_by(host: str, names: frozenset[str] | None) -> bool:
    """Whether a ``Host`` header names the page by an address or by one of ``names``."""
    if names is None:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in names or name.endswith(".localhost") or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def exposure_warning(host: str, token: str | None) -> str | None:
    """Return a warning where the page is open to the network without a token, else None."""
    if token or _is_loopback(host):
        return None
    return (
        f"web: listening on {host} without a token: anybody who reaches it can read budgets, spending and run names. "
        "Set ALERTER_WEB_TOKEN, or listen on 127.0.0.1"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
