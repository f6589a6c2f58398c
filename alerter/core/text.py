"""Untrusted text made fit for one line: tags, run names and notes are whatever somebody typed."""

from __future__ import annotations

import re
import unicodedata

NAME_LIMIT = 80
"""Characters of a name that a person still reads at a glance."""

_JOINER = "\u200d"  # holds families of emoji together; every other invisible character goes
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co"})
_SLACK_ACTOR = re.compile(r"slack:[A-Z0-9]+ \((?P<name>.+)\)")
_SPACES = re.compile(r"\s+")
# What terminals obey, or what turns the text around it.
_SPEAKS = r"\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
_IN_JSON = re.compile(f"[{_SPEAKS}]")  # what is below a space is escaped there
_IN_TEXT = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f{_SPEAKS}]")
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str, limit: int = NAME_LIMIT) -> str:
    """Return text as one visible line of at most ``limit`` characters, cut with an ellipsis.

    Line breaks and control characters become spaces; characters that reorder or hide text (right-to-left
    overrides, zero-width marks, lone surrogates) are dropped.
    """
    # A value may be megabytes long: what can't be shown need not be looked at.
    kept = text[: limit * 8]
    if kept.isprintable() and "  " not in kept:  # no break, no other space, nothing invisible: nearly every text
        return clip(kept.strip(), limit)
    kept = _BREAKS.sub(" ", kept)
    kept = "".join(sign for sign in kept if sign == _JOINER or unicodedata.category(sign) not in _INVISIBLE)
    return clip(_SPACES.sub(" ", kept).strip(), limit)


def visible_json(text: str) -> str:
    """Return the same JSON with what a terminal would obey, or can't show, as escapes."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def hushed(text: str) -> str:
    """Return text with its line breaks, but without what a terminal would obey."""
    return _IN_TEXT.sub("\ufffd", text)


def actor_name(actor: str) -> str:
    """Return who acted as people know them: ``anna (Slack)`` for ``slack:U01ANNA (anna)``, else as recorded.

    Text of other origin is returned as it is, so that it must still be made safe.
    """
    found = _SLACK_ACTOR.fullmatch(actor)
    return f"{found['name']} (Slack)" if found else actor


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters, the last of them an ellipsis where something was cut off."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def joined(*parts: str) -> str:
    """Return what there is to say as one line: ``$88/h · running``."""
    return " · ".join(part for part in parts if part)
