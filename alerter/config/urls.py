"""Addresses: tracking servers, databases, web pages. None may hold a password."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, WithJsonSchema

from alerter.config.fields import InvalidValueError, Text
from alerter.config.problems import did_you_mean, is_secret_key, looks_secret, shown

_BARE = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}(/.*)?")
_DATABASES = {"postgres", "postgresql", "mysql", "mssql", "oracle", "mariadb"}


def tracking_uri(text: str) -> str:
    """Return an MLflow tracking URI: ``http(s)://``, ``sqlite:///`` or ``databricks``.

    Raises:
        InvalidValueError: it is something else, or holds a password.
    """
    if text == "databricks":
        return text
    scheme = _scheme(text, ("http", "https", "sqlite", "databricks"))
    _no_password(text, "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment")
    if scheme == "sqlite":
        _sqlite(text)
    elif not urlsplit(text).hostname:
        raise InvalidValueError(f"{shown(text)} names no host: write it like http://127.0.0.1:5000")
    elif len(address := re.split("[?#]", text, maxsplit=1)[0]) < len(text):
        raise InvalidValueError(f"{shown(text)} is one of MLflow's pages; did you mean {shown(address.rstrip('/'))}?")
    return text.rstrip("/") if scheme in {"http", "https"} else text


def web_url(text: str) -> str:
    """Return an ``http(s)://`` address without its last slash.

    Raises:
        InvalidValueError: it is something else, or holds a password.
    """
    _scheme(text, ("http", "https"))
    _no_password(text, "leave it out")
    if not urlsplit(text).hostname:
        raise InvalidValueError(f"{shown(text)} names no host: write it like https://budgets.example.com")
    return text.rstrip("/")


def hook_url(text: str) -> str:
    """Return an ``http(s)://`` address as it is written, for a program to post to.

    Raises:
        InvalidValueError: it is something else, or looks as if it held a secret.
    """
    remedy = "put the whole address into an environment variable and name that: `url_from: NAME`"
    if looks_secret(text):
        raise InvalidValueError(f"a secret must not stand in an address: {remedy}")
    _scheme(text, ("http", "https"))
    _no_password(text, remedy)
    if not urlsplit(text).hostname:
        raise InvalidValueError(f"{shown(text)} names no host: write it like https://hooks.example.com/budgets")
    return text


def database(text: str) -> str:
    """Return a SQLAlchemy URL of SQLite or PostgreSQL (by psycopg).

    Raises:
        InvalidValueError: it is something else, or holds a password.
    """
    if text.startswith(("postgres://", "postgresql://", "postgresql+psycopg2://")):
        text = "postgresql+psycopg://" + text.partition("://")[2]
    scheme = _scheme(text, ("sqlite", "postgresql+psycopg"))
    _no_password(text, "set PGPASSWORD in the environment, or use ~/.pgpass")
    if scheme == "sqlite":
        _sqlite(text)
    return text


def _scheme(text: str, known: tuple[str, ...]) -> str:
    expected = " or ".join(f"{each}:///file" if each == "sqlite" else f"{each}://..." for each in known)
    try:
        scheme, colons, _ = text.partition("://")
        _ = urlsplit(text).port
    except ValueError:
        raise InvalidValueError(f"{_told(text)} is not a valid address: expected {expected}") from None
    if colons and scheme.lower() in known:
        return scheme.lower()
    if not colons and _BARE.fullmatch(text) and "http" in known:
        raise InvalidValueError(f"expected {expected}; did you mean {shown('http://' + text)}?")
    if "databricks" in known and scheme.partition("+")[0] in _DATABASES:
        raise InvalidValueError(f"expected {expected}: a server's own database is its `backend_store:`")
    raise InvalidValueError(f"expected {expected}, got {_told(text)}{did_you_mean(scheme, known) if colons else ''}")


def _told(text: str) -> str:
    """Return an address that can't be read, for a message: what stands before an ``@`` may be a password."""
    return "'(hidden)'" if "@" in text else shown(text)


def _no_password(text: str, remedy: str) -> None:
    parts = urlsplit(text)
    try:
        query = parse_qs(parts.query)
    except ValueError:
        query = {}
    if parts.password or any(is_secret_key(key) for key in query) or (parts.username and "http" in parts.scheme):
        raise InvalidValueError(f"a secret must not stand in an address: leave it out and {remedy}")


def _sqlite(text: str) -> None:
    if not text.startswith("sqlite:///"):
        raise InvalidValueError(
            f"{shown(text)} names no file: write sqlite:///alerter.db or sqlite:////var/lib/alerter.db"
        )


TrackingUri = Annotated[Text, AfterValidator(tracking_uri), WithJsonSchema({"type": "string"})]
"""Where MLflow's client connects to."""

WebUrl = Annotated[Text, AfterValidator(web_url), WithJsonSchema({"type": "string", "format": "uri"})]
"""A web address that people or clients open."""

HookUrl = Annotated[Text, AfterValidator(hook_url), WithJsonSchema({"type": "string", "format": "uri"})]
"""A web address that something is posted to."""

DatabaseUrl = Annotated[Text, AfterValidator(database), WithJsonSchema({"type": "string"})]
"""A SQLAlchemy URL."""
