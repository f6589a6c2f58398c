"""Budget periods and local days: calendar arithmetic in an IANA time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class PeriodKind(StrEnum):
    """How often a budget starts anew."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"
    FIXED = "fixed"
    ROLLING = "rolling"


@dataclass(frozen=True, slots=True)
class PeriodSpec:
    """The period of a budget as it is written in the configuration.

    Attributes:
        kind: daily ... rolling.
        week_start: 0 (Monday) to 6, for weekly periods.
        fiscal_month: 1 to 12, the month in which quarters and years are counted from.
        first: first local day of a fixed period.
        end: the day after the last one of a fixed period.
        days: length of a rolling window in local days, today included.
    """

    kind: PeriodKind
    week_start: int = 0
    fiscal_month: int = 1
    first: date | None = None
    end: date | None = None
    days: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """Local days ``[start, end)`` of one period; ``kind`` tells which calendar made it."""

    kind: PeriodKind
    start: date
    end: date

    def label(self) -> str:
        """Return the name that people use for it, such as ``November``, ``Q4 2026`` or ``week of 23 Nov``."""
        match self.kind:
            case PeriodKind.DAILY:
                return f"{self.start:%a} {self.start.day} {self.start:%b}"
            case PeriodKind.WEEKLY:
                return f"week of {self.start.day} {self.start:%b}"
            case PeriodKind.MONTHLY:
                return f"{self.start:%B}"
            case PeriodKind.QUARTERLY if self.start.month % 3 == 1:
                return f"Q{(self.start.month + 2) // 3} {self.start.year}"
            case PeriodKind.YEARLY if self.start.month == 1:
                return f"{self.start.year}"
            case PeriodKind.ROLLING:
                return f"last {(self.end - self.start).days} days"
            case _:
                last = self.end - timedelta(days=1)
                return f"{self.start.day} {self.start:%b %Y} to {last.day} {last:%b %Y}"


@lru_cache(maxsize=65536)
def midnight_ms(zone: str, ordinal: int) -> int:
    """Return the first instant (epoch ms) of a local day, given as ``date.toordinal()``.

    Where DST skips midnight this is the moment of the change; where it repeats, the first of the two.
    """
    day = date.fromordinal(ordinal)
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return round(local.timestamp() * 1000)


def day_of(zone: str, at_ms: int) -> int:
    """Return the local day (``date.toordinal()``) that an instant falls on."""
    ordinal = at_ms // DAY_MS + _EPOCH_ORDINAL
    if at_ms < midnight_ms(zone, ordinal):
        return ordinal - 1
    if at_ms >= midnight_ms(zone, ordinal + 1):
        return ordinal + 1
    return ordinal


def day_edges(zone: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return ``(local day, last instant counted to it)`` for each local day that ``[start, end)`` touches.

    The last instants rise strictly and end with ``end_ms``; an empty interval yields its one day.
    """
    day = day_of(zone, start_ms)
    edges = []
    while (midnight := midnight_ms(zone, day + 1)) < end_ms:
        edges.append((day, midnight))
        day += 1
    edges.append((day, end_ms))
    return edges


def bounds_ms(period: Period, zone: str) -> tuple[int, int]:
    """Return a period's ``[start, end)`` as epoch milliseconds in a time zone."""
    return midnight_ms(zone, period.start.toordinal()), midnight_ms(zone, period.end.toordinal())


def period_on(spec: PeriodSpec, day: date) -> Period | None:
    """Return the period that a local day falls in; None outside a fixed period."""
    kind = spec.kind
    match kind:
        case PeriodKind.DAILY:
            return Period(kind, day, day + timedelta(days=1))
        case PeriodKind.WEEKLY:
            start = day - timedelta(days=(day.weekday() - spec.week_start) % 7)
            return Period(kind, start, start + timedelta(days=7))
        case PeriodKind.ROLLING:
            return Period(kind, day - timedelta(days=spec.days - 1), day + timedelta(days=1))
        case PeriodKind.FIXED:
            if spec.first is None or spec.end is None or not spec.first <= day < spec.end:
                return None
            return Period(kind, spec.first, spec.end)
        case _:
            months = {PeriodKind.MONTHLY: 1, PeriodKind.QUARTERLY: 3, PeriodKind.YEARLY: 12}[kind]
            month = day.year * 12 + day.month - 1
            month -= (month - (spec.fiscal_month - 1)) % months
            return Period(kind, _first_of(month), _first_of(month + months))


def period_at(spec: PeriodSpec, zone: str, at_ms: int) -> Period | None:
    """Return the period that an instant falls in, in a time zone; None outside a fixed period."""
    return period_on(spec, date.fromordinal(day_of(zone, at_ms)))


def last_closed(spec: PeriodSpec, zone: str, at_ms: int) -> Period | None:
    """Return the latest period that is over at an instant; None of rolling budgets and before a fixed period's end."""
    if spec.kind is PeriodKind.ROLLING:
        return None
    today = date.fromordinal(day_of(zone, at_ms))
    if spec.kind is PeriodKind.FIXED:
        over = spec.first is not None and spec.end is not None and spec.end <= today
        return Period(spec.kind, spec.first, spec.end) if over and spec.first and spec.end else None
    current = period_on(spec, today)
    return period_on(spec, current.start - timedelta(days=1)) if current else None


def utc(at_ms: int) -> datetime:
    """Return epoch milliseconds as an aware UTC datetime."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def local(at_ms: int, zone: str) -> datetime:
    """Return epoch milliseconds as an aware datetime in a time zone."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))


def iso(at_ms: int) -> str:
    """Return epoch milliseconds as ISO 8601 text in UTC, to the millisecond only where needed."""
    text = utc(at_ms).isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
