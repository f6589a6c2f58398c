"""What is wrong in a configuration: every problem with its place, and words that help to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_SHOWN = 60
_SECRET = re.compile(r"xox[a-z]-|xapp-|hooks\.slack\.com|://[^/\s]*@|^(sk|ghp|glpat|dapi|AKIA)[-_0-9A-Z]?\w{12,}")
_SECRET_KEY = re.compile(r"token|passw(or)?d|secret|credential|api_?key|private_?key|webhook", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        path: the file, relative if the configuration's folder was given so.
        line, column: counted from 1; both 0 where the whole file is meant.
        message: what was expected and what to write instead; never a secret's value.
    """

    path: Path
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else f"{self.path}"
        return f"{place}: {self.message}"


class ConfigError(Exception):
    """A configuration can't be used; ``problems`` holds everything found in all of its files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(each) for each in self.problems))


def shown(value: object) -> str:
    """Return a value quoted for a message: one line, at most 60 characters, hidden where it looks like a secret."""
    text = str(value)
    if _SECRET.search(text):
        return "'(hidden)'"
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return ascii_controls(repr(text))


def ascii_controls(text: str) -> str:
    """Return a text with what a terminal would act upon made visible."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return ``; did you mean 'x'?`` for the closest known word, or ``""`` where none is close."""
    candidates = {str(each).casefold(): str(each) for each in known}
    close = get_close_matches(str(word).casefold()[:200], candidates, n=1, cutoff=0.6)
    return f"; did you mean '{candidates[close[0]]}'?" if close else ""


def one_of(known: Iterable[object]) -> str:
    """Return known words as people list them: ``a, b or c``."""
    words = [str(each) for each in known]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def is_secret_key(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return _SECRET_KEY.search(key) is not None


def looks_secret(value: object) -> bool:
    """Whether a value looks like a credential, whatever its key is called."""
    return isinstance(value, str) and _SECRET.search(value) is not None


def secret_remedy(key: str, context: str = "") -> str:
    """Return what to do instead of writing a secret into YAML: which environment variable holds it."""
    words = f"{context} {key}".casefold()
    if "app" in key.casefold() and "slack" in words:
        names = "SLACK_APP_TOKEN"
    elif "sign" in key.casefold():
        names = "SLACK_SIGNING_SECRET"
    elif "slack" in words:
        names = "SLACK_BOT_TOKEN"
    elif "mail" in words or "smtp" in words:
        names = "SMTP_PASSWORD"
    elif "web" in words and "webhook" not in words:
        names = "ALERTER_WEB_TOKEN"
    elif "source" in words or "mlflow" in words or "tracking" in words:
        names = "MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_PASSWORD"
    else:
        names = "its environment variable (SLACK_BOT_TOKEN, SMTP_PASSWORD, ...)"
    return f"a secret must not stand in YAML: remove it and set {names} in the environment"
