"""The log: a line an event on standard error, with its level, and without secrets, whoever wrote them."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TextIO

HIDDEN = "(hidden)"

_SHORTEST = 6
"""A secret that is shorter is not looked for: it would hide half of every line."""

_NAMES = re.compile(r"TOKEN|PASSW|SECRET|CREDENTIAL|API_?KEY")
_PATTERNS = (
    re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+"),
    re.compile(r"(?<=hooks\.slack\.com/)\S+"),
    re.compile(r"(?<=://)[^/\s@]+:[^/\s@]*(?=@)"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{6,}|(?<=basic )[\w+/=]{6,}"),
    re.compile(r"(?i)(?<=ticket=)[\w.%-]+"),
)


class LineFormatter(logging.Formatter):
    """Formats ``time=... level=... logger=... message``; what an exception adds stands in the same line."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        known = sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        text = record.getMessage()
        if record.exc_info:
            text += f" traceback={self.formatException(record.exc_info)!r}"
        head = f"time={at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z level={record.levelname.lower()}"
        return f"{head} logger={record.name} {_one_line(self._without_secrets(text))}"

    def _without_secrets(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(HIDDEN, text)
        return text


def set_up_logging(
    *, verbose: bool = False, environ: Mapping[str, str] = os.environ, stream: TextIO | None = None
) -> None:
    """Log to standard error: from ``info`` on, from ``debug`` on if ``verbose``; of other packages only warnings.

    Other packages stay at warnings in any case: at ``debug`` they log whole requests, with their headers.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(secrets_in(environ)))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("alerter").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(True)


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Return the values of an environment, and of its credential files, that a log must not show."""
    from dataclasses import fields

    from pydantic import SecretStr

    from alerter.config import ConfigError, Secrets

    found = [value for name, value in environ.items() if _NAMES.search(name.upper())]
    try:
        read = Secrets.read(environ)
    except ConfigError:
        return found  # loading the configuration tells what is wrong with them
    values = [getattr(read, each.name) for each in fields(read)]
    return found + [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
