"""How a medium shows words, and how figures and instants are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from alerter.core.alerts import Alert
from alerter.core.money import NANOS, human
from alerter.core.periods import local
from alerter.core.text import NAME_LIMIT, one_line

CENTS_BELOW = 10_000 * NANOS
"""Amounts of a budget from here up are shown without cents."""

# English on every machine, whatever its locale.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Style:
    """How a medium shows words.

    Attributes:
        safe: makes untrusted text, of at most so many characters, safe for the medium.
        strong: emphasises text that is ours.
        who: shows who acted; `safe` where the medium has no people of its own.
    """

    safe: Callable[[str, int], str]
    strong: Callable[[str], str]
    who: Callable[[str], str] | None = None

    def text(self, untrusted: str) -> str:
        """Return a name, an owner or a tag value, safe and short."""
        return self.safe(untrusted, NAME_LIMIT)


PLAIN = Style(safe=one_line, strong=str)
"""For media without markup, or that escape whole lines themselves."""


def money(alert: Alert, nanos: int) -> str:
    """Return an amount of the alert's budget, with cents for small budgets only, so that its amounts line up."""
    return human(nanos, alert.currency, cents=alert.amount_nanos < CENTS_BELOW)


def percent(part: int, whole: int, *, places: int = 1) -> str:
    """Return ``81.2 %``, rounded down: what is not reached is not claimed. From 1,000 % up, whole numbers."""
    if whole <= 0:
        return "over 100 %" if part > 0 else "0 %"
    tenths = part * 1000 // whole
    if places == 0 or abs(tenths) >= 10_000:
        return f"{tenths // 10:,} %"
    return f"{tenths // 10}.{tenths % 10} %"


def share_words(part: int, whole: int) -> str:
    """Return ``94 %``, a share of run time or of runs, rounded down; what is there but rounds to nothing is told."""
    found = part * 100 // whole if whole else 0
    return "less than 1 %" if part and not found else f"{found} %"


def without_price(tokens: int) -> str:
    """Return ``no price for 4,700,000 LLM tokens``; ``""`` where all have one."""
    return f"no price for {tokens:,} LLM tokens" if tokens > 0 else ""


def moment(at_ms: int, timezone: str) -> str:
    """Return an instant as ``Mon 23 Nov 14:32`` in a time zone."""
    at = local(at_ms, timezone)
    return f"{day_words(at)} {at:%H:%M}"


def day_words(at: datetime | date) -> str:
    """Return a day as ``Mon 23 Nov``."""
    return f"{_WEEKDAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}"
