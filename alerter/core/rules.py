"""When a budget's alerts may be told: quiet hours, reminders, escalation. Wall-clock arithmetic in its time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from alerter.core.periods import DAY_MS, HOUR_MS, local

_SATURDAY = 5


class Mode(StrEnum):
    """Whether alerts are told, or only evaluated and recorded."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Local hours in which nothing below 100 % is told: ``[start, end)``, over midnight where ``end`` is earlier.

    Attributes:
        weekends: Saturdays and Sundays are quiet as a whole.
    """

    start: time
    end: time
    weekends: bool = False

    def cover(self, at_ms: int, zone: str) -> bool:
        """Whether an instant is within them, in a time zone."""
        at = local(at_ms, zone)
        if self.weekends and at.weekday() >= _SATURDAY:
            return True
        clock = at.time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def end_ms(self, at_ms: int, zone: str) -> int:
        """Return when the quiet that an instant falls in is over (epoch ms); the instant itself if it is in none."""
        day = local(at_ms, zone).date()
        edges = [at_ms]
        for ahead in range(4):
            edges += [_at(day + timedelta(days=ahead), clock, zone) for clock in (time(0), self.end)]
        ahead_of = sorted(edge for edge in edges if edge >= at_ms)
        return next((edge for edge in ahead_of if not self.cover(edge, zone)), ahead_of[-1])

    def __str__(self) -> str:
        return f"{self.start:%H:%M} to {self.end:%H:%M}{' and at weekends' if self.weekends else ''}"


@dataclass(frozen=True, slots=True)
class AlertRules:
    """What is told when, of one budget.

    Attributes:
        mode: observe records alerts and tells nobody.
        repeat_interval_ms: at or above 100 % an alert that nobody has acknowledged is told again so often; 0 is never.
        repeat_on_weekdays: reminders wait from Saturday and Sunday until Monday, at the same time of day.
        escalate_to: the receiver that is told once after ``escalate_after_ms`` without an acknowledgement, or None.
        min_alert_nanos: while less than this is spent (or expected, of a forecast), nothing is told.
    """

    mode: Mode = Mode.ENFORCE
    repeat_interval_ms: int = DAY_MS
    repeat_on_weekdays: bool = True
    escalate_to: str | None = None
    escalate_after_ms: int = 4 * HOUR_MS
    quiet_hours: QuietHours | None = None
    min_alert_nanos: int = 0

    def repeat_ms(self, since_ms: int, zone: str) -> int | None:
        """Return when what was told last at ``since_ms`` is told again, or None for never; epoch ms."""
        if not self.repeat_interval_ms:
            return None
        due_ms = since_ms + self.repeat_interval_ms
        due = local(due_ms, zone)
        if not self.repeat_on_weekdays or due.weekday() < _SATURDAY:
            return due_ms
        return _at(due.date() + timedelta(days=7 - due.weekday()), due.time(), zone)

    def quiet(self, at_ms: int, zone: str) -> bool:
        """Whether an instant is within the quiet hours."""
        return self.quiet_hours is not None and self.quiet_hours.cover(at_ms, zone)


def _at(day: date, clock: time, zone: str) -> int:
    """Return a local time as epoch ms; one that a clock change leaves out is as much later as the clock jumped."""
    return round(datetime.combine(day, clock, ZoneInfo(zone)).timestamp() * 1000)
