"""When digests are due: local times of day, counted against the last one that went out, never a timer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from alerter.core.periods import local

_SATURDAY = 5
_DAYS = 7


class Every(StrEnum):
    """How often a digest comes."""

    DAILY = "daily"
    WEEKLY = "weekly"

    @property
    def days(self) -> int:
        """The local days that one digest looks back on."""
        return 1 if self is Every.DAILY else _DAYS


@dataclass(frozen=True, slots=True)
class DigestSpec:
    """A digest as it is configured.

    Attributes:
        name: by which it is counted as sent.
        receivers: the names of those who get it, each with budgets of their own.
        every, at, timezone: when; ``weekday`` (0 is Monday) is that of a weekly one.
        weekdays_only: a daily one doesn't come on Saturday and Sunday.
        budgets: names or globs of what it shows; empty is what is addressed to the receiver.
    """

    name: str
    receivers: tuple[str, ...]
    every: Every
    at: time = time(9)
    timezone: str = "UTC"
    weekday: int = 0
    weekdays_only: bool = False
    budgets: tuple[str, ...] = ()


def due(spec: DigestSpec, last: date | None, now_ms: int) -> date | None:
    """Return the local day whose digest should go out now, or None.

    After downtime that is the latest day only, whatever was missed. ``last`` is the day of the last one; with None, of
    a digest that is new, it is the latest that has passed, which nobody waits for.
    """
    today = local(now_ms, spec.timezone).date()
    for ago in range(_DAYS + 1):
        day = today - timedelta(days=ago)
        if last is not None and day <= last:
            return None
        if _is_one(spec, day) and _at_ms(spec, day) <= now_ms:
            return day
    return None


def _is_one(spec: DigestSpec, day: date) -> bool:
    if spec.every is Every.WEEKLY:
        return day.weekday() == spec.weekday
    return not spec.weekdays_only or day.weekday() < _SATURDAY


def _at_ms(spec: DigestSpec, day: date) -> int:
    """Return when a day's digest is due (epoch ms): a time that DST skips is as much later, of two the first."""
    return round(datetime.combine(day, spec.at, ZoneInfo(spec.timezone)).timestamp() * 1000)
