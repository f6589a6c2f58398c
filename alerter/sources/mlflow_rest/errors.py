"""What can go wrong on the way to MLflow, told without secrets."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from alerter.core.ports import SourceError


class ReadError(SourceError):
    """MLflow could not be read; ``cause`` and ``remedy`` are whole sentences, ``status`` is HTTP's, 0 for none."""

    def __init__(self, source: str, cause: str, remedy: str, *, status: int = 0) -> None:
        super().__init__(f"source {source}: {cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy
        self.status = status


class TransientError(ReadError):
    """Another attempt may succeed; ``retry_after`` is in seconds where the server said so."""

    def __init__(self, source: str, cause: str, remedy: str, retry_after: float = 0.0, *, status: int = 0) -> None:
        super().__init__(source, cause, remedy, status=status)
        self.retry_after = retry_after


class MissingError(ReadError):
    """Something that was asked for by its id is no longer there."""


def without_credentials(uri: str) -> str:
    """Return a URI without user, password, query and fragment, fit for a log."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return uri.split("://", maxsplit=1)[0] + "://(unreadable)"
    host = f"[{host}]" if ":" in host else host
    if not host:  # urlunsplit writes "sqlite:/x" for "sqlite:///x", and "sqlite://x" for "sqlite:////x"
        return f"{parts.scheme}://{parts.path}" if parts.scheme else parts.path
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))
