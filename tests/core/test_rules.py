"""Quiet hours and reminders by the wall clock, over midnight, weekends and clock changes."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerter.core.rules import AlertRules, QuietHours

BERLIN = "Europe/Berlin"
NIGHT = QuietHours(time(20), time(7))
LUNCH = QuietHours(time(12), time(13, 30))
WEEKEND = QuietHours(time(20), time(7), weekends=True)


def at(text: str, zone: str = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def local(at_ms: int | None, zone: str = BERLIN) -> str:
    assert at_ms is not None
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("hours", "when", "ends"),
    [
        (NIGHT, "2026-11-23 19:59", None),
        (NIGHT, "2026-11-23 20:00", "2026-11-24 07:00"),
        (NIGHT, "2026-11-24 00:00", "2026-11-24 07:00"),
        (NIGHT, "2026-11-24 06:59", "2026-11-24 07:00"),
        (NIGHT, "2026-11-24 07:00", None),
        (LUNCH, "2026-11-23 12:00", "2026-11-23 13:30"),
        (LUNCH, "2026-11-23 13:30", None),
        (WEEKEND, "2026-11-27 20:00", "2026-11-30 07:00"),  # Friday evening to Monday morning
        (WEEKEND, "2026-11-28 12:00", "2026-11-30 07:00"),
        (NIGHT, "2026-11-28 12:00", None),
        (QuietHours(time(12), time(13), weekends=True), "2026-11-28 09:00", "2026-11-30 00:00"),
        (NIGHT, "2026-03-28 23:00", "2026-03-29 07:00"),  # the night of 23 h
        (NIGHT, "2026-10-24 23:00", "2026-10-25 07:00"),  # the night of 25 h
    ],
)
def test_quiet_hours(hours: QuietHours, when: str, ends: str | None) -> None:
    assert hours.cover(at(when), BERLIN) is (ends is not None)
    assert local(hours.end_ms(at(when), BERLIN)) == (ends or when)


def test_every_minute_of_a_week_with_a_clock_change_is_quiet_or_not_by_the_wall_clock() -> None:
    for first in ("2026-03-26 00:00", "2026-10-22 00:00"):
        start = at(first)
        for minute in range(0, 7 * 24 * 60, 7):
            now = start + minute * 60_000
            clock = datetime.fromtimestamp(now / 1000, ZoneInfo(BERLIN))
            wanted = clock.weekday() >= 5 or clock.hour >= 20 or clock.hour < 7
            assert WEEKEND.cover(now, BERLIN) is wanted
            end = WEEKEND.end_ms(now, BERLIN)
            assert not WEEKEND.cover(end, BERLIN)
            assert (end == now) is not wanted


@pytest.mark.parametrize(
    ("last", "due"),
    [
        ("2026-11-23 14:30", "2026-11-24 14:30"),
        ("2026-11-26 14:30", "2026-11-27 14:30"),
        ("2026-11-27 14:30", "2026-11-30 14:30"),  # Friday to Monday
        ("2026-11-28 14:30", "2026-11-30 14:30"),
        ("2026-10-23 14:30", "2026-10-26 14:30"),  # Saturday 14:30 is due; Monday is after the clock change
        ("2026-03-27 14:30", "2026-03-30 14:30"),
    ],
)
def test_a_reminder_waits_for_the_working_day_at_the_same_time(last: str, due: str) -> None:
    assert local(AlertRules().repeat_ms(at(last), BERLIN)) == due


def test_every_day_is_every_day_and_never_is_never() -> None:
    assert local(AlertRules(repeat_on_weekdays=False).repeat_ms(at("2026-11-27 14:30"), BERLIN)) == "2026-11-28 14:30"
    assert AlertRules(repeat_interval_ms=0).repeat_ms(0, BERLIN) is None


def test_a_reminder_never_comes_early() -> None:
    rules = AlertRules(repeat_interval_ms=4 * 3_600_000)
    start = at("2026-10-20 00:00")
    for hour in range(24 * 14):
        last = start + hour * 3_600_000
        due = rules.repeat_ms(last, BERLIN)
        assert due is not None
        assert due - last >= 4 * 3_600_000
        assert datetime.fromtimestamp(due / 1000, ZoneInfo(BERLIN)).weekday() < 5
        assert due - last <= timedelta(days=2, hours=6).total_seconds() * 1000
