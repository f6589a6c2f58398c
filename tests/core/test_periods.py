"""Local days and periods at every change of clocks, against plain UTC walks through the zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from alerter.core.periods import (
    Period,
    PeriodKind,
    PeriodSpec,
    bounds_ms,
    day_edges,
    day_of,
    iso,
    last_closed,
    midnight_ms,
    period_at,
    period_on,
)

ZONES = [
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # none; +05:45
    "America/New_York",
    "Europe/Berlin",
    "America/Santiago",  # at midnight: a day that begins at 01:00
    "Asia/Beirut",  # at midnight, too
]
HOUR = timedelta(hours=1)


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def day_at(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def changes(zone: str) -> list[datetime]:
    """The hours of 2025-2027 (UTC) within which the zone's offset changes."""
    tz, found = ZoneInfo(zone), []
    at = datetime(2025, 1, 1, tzinfo=UTC)
    while at.year < 2028:
        if at.astimezone(tz).utcoffset() != (at + HOUR).astimezone(tz).utcoffset():
            found.append(at)
        at += HOUR
    return found


def first_instant(zone: str, day: date) -> datetime:
    """The first minute of a local day, by walking through UTC from well before it."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    step = HOUR
    while day_at(at + step, zone) < day:
        at += step
    while day_at(at, zone) < day:
        at += timedelta(minutes=1)
    return at


def test_these_zones_change_their_clocks_as_the_tests_assume() -> None:
    assert {zone: len(changes(zone)) for zone in ZONES} == {zone: 0 if "Kath" in zone else 6 for zone in ZONES}


@pytest.mark.parametrize("zone", ZONES)
def test_midnights_and_days_around_every_change_of_clocks(zone: str) -> None:
    moments = changes(zone) or [datetime(2026, 2, 28, 12, tzinfo=UTC)]
    for moment in moments:
        for shift in range(-2, 3):
            day = day_at(moment, zone) + timedelta(days=shift)
            assert midnight_ms(zone, day.toordinal()) == ms(first_instant(zone, day)), day
        at = moment - timedelta(hours=30)
        while at < moment + timedelta(hours=30):
            assert day_of(zone, ms(at)) == day_at(at, zone).toordinal(), at
            assert day_of(zone, ms(at) - 1) == day_at(at - timedelta(milliseconds=1), zone).toordinal(), at
            at += timedelta(minutes=30)


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_days_is_as_long_as_its_year(zone: str) -> None:
    for year in (2025, 2026, 2027):
        start, end = first_instant(zone, date(year, 1, 1)), first_instant(zone, date(year + 1, 1, 1))
        edges = day_edges(zone, ms(start), ms(end))
        assert len(edges) == 365
        assert edges[-1][1] == ms(end)
        lengths = [
            b - a for a, b in zip([ms(start), *(edge for _, edge in edges)], [e for _, e in edges], strict=False)
        ]
        odd = [length for length in lengths if length != 86_400_000]
        shift = 1_800_000 if "Lord" in zone else 3_600_000
        assert sorted(odd) == ([] if "Kath" in zone else [86_400_000 - shift, 86_400_000 + shift])


@given(st.sampled_from(ZONES), st.integers(1_735_689_600_000, 1_830_000_000_000), st.integers(0, 5 * 86_400_000))
def test_edges_cut_an_interval_into_its_local_days(zone: str, start: int, length: int) -> None:
    edges = day_edges(zone, start, start + length)
    assert edges[-1][1] == start + length
    since = start
    for day, until in edges:
        assert day_of(zone, since) == day
        assert until > since or length == 0
        assert day_of(zone, max(until - 1, since)) == day
        since = until
    assert len({day for day, _ in edges}) == len(edges)


DAY = date(2026, 11, 23)  # a Monday
PERIODS = [
    (PeriodSpec(PeriodKind.DAILY), DAY, "2026-11-23", "2026-11-24"),
    (PeriodSpec(PeriodKind.DAILY), date(2028, 2, 29), "2028-02-29", "2028-03-01"),
    (PeriodSpec(PeriodKind.WEEKLY), DAY, "2026-11-23", "2026-11-30"),
    (PeriodSpec(PeriodKind.WEEKLY), date(2026, 11, 29), "2026-11-23", "2026-11-30"),
    (PeriodSpec(PeriodKind.WEEKLY, week_start=6), DAY, "2026-11-22", "2026-11-29"),
    (PeriodSpec(PeriodKind.WEEKLY, week_start=6), date(2026, 11, 22), "2026-11-22", "2026-11-29"),
    (PeriodSpec(PeriodKind.WEEKLY, week_start=2), date(2026, 12, 31), "2026-12-30", "2027-01-06"),
    (PeriodSpec(PeriodKind.MONTHLY), date(2028, 2, 29), "2028-02-01", "2028-03-01"),
    (PeriodSpec(PeriodKind.MONTHLY), date(2026, 12, 31), "2026-12-01", "2027-01-01"),
    (PeriodSpec(PeriodKind.QUARTERLY), DAY, "2026-10-01", "2027-01-01"),
    (PeriodSpec(PeriodKind.QUARTERLY, fiscal_month=2), DAY, "2026-11-01", "2027-02-01"),
    (PeriodSpec(PeriodKind.QUARTERLY, fiscal_month=3), date(2027, 1, 15), "2026-12-01", "2027-03-01"),
    (PeriodSpec(PeriodKind.YEARLY), DAY, "2026-01-01", "2027-01-01"),
    (PeriodSpec(PeriodKind.YEARLY, fiscal_month=10), date(2026, 9, 30), "2025-10-01", "2026-10-01"),
    (PeriodSpec(PeriodKind.YEARLY, fiscal_month=10), date(2026, 10, 1), "2026-10-01", "2027-10-01"),
    (PeriodSpec(PeriodKind.YEARLY, fiscal_month=12), date(2027, 11, 30), "2026-12-01", "2027-12-01"),
    (PeriodSpec(PeriodKind.ROLLING, days=1), DAY, "2026-11-23", "2026-11-24"),
    (PeriodSpec(PeriodKind.ROLLING, days=30), date(2028, 3, 1), "2028-02-01", "2028-03-02"),
]


@pytest.mark.parametrize(("spec", "day", "start", "end"), PERIODS)
def test_the_period_of_a_day(spec: PeriodSpec, day: date, start: str, end: str) -> None:
    assert period_on(spec, day) == Period(spec.kind, date.fromisoformat(start), date.fromisoformat(end))


def test_a_fixed_period_has_no_other() -> None:
    spec = PeriodSpec(PeriodKind.FIXED, first=date(2026, 1, 1), end=date(2026, 4, 1))
    found = [period_on(spec, day) is not None for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 31))]
    assert found == [False, True, True]
    assert period_on(spec, date(2026, 4, 1)) is None
    start, end = bounds_ms(Period(PeriodKind.FIXED, date(2026, 1, 1), date(2026, 4, 1)), "Asia/Kathmandu")
    closed = [last_closed(spec, "Asia/Kathmandu", at_ms) for at_ms in (start - 1, start, end - 1, end)]
    assert closed == [None, None, None, Period(PeriodKind.FIXED, date(2026, 1, 1), date(2026, 4, 1))]


CALENDARS = st.sampled_from(
    [
        *(PeriodSpec(kind) for kind in (PeriodKind.DAILY, PeriodKind.MONTHLY)),
        *(PeriodSpec(PeriodKind.WEEKLY, week_start=day) for day in range(7)),
        *(PeriodSpec(kind, fiscal_month=m) for kind in (PeriodKind.QUARTERLY, PeriodKind.YEARLY) for m in range(1, 13)),
    ]
)


@given(CALENDARS, st.sampled_from(ZONES), st.integers(1_735_689_600_000, 1_830_000_000_000))
def test_periods_follow_one_another_without_a_gap(spec: PeriodSpec, zone: str, at_ms: int) -> None:
    period = period_at(spec, zone, at_ms)
    assert period is not None
    start, end = bounds_ms(period, zone)
    assert start <= at_ms < end
    before, after = period_at(spec, zone, start - 1), period_at(spec, zone, end)
    assert before is not None
    assert after is not None
    assert (before.end, after.start) == (period.start, period.end)
    assert last_closed(spec, zone, at_ms) == before


def test_a_window_that_rolls_never_closes() -> None:
    assert last_closed(PeriodSpec(PeriodKind.ROLLING, days=7), "UTC", 1_800_000_000_000) is None


def test_the_day_that_a_new_period_begins_with_is_the_budgets_own() -> None:
    midnight_utc = ms(datetime(2026, 12, 1, tzinfo=UTC))
    spec = PeriodSpec(PeriodKind.MONTHLY)
    starts = {zone: period_at(spec, zone, midnight_utc) for zone in ("America/New_York", "Asia/Kathmandu")}
    assert [each.start.month for each in starts.values() if each] == [11, 12]


@pytest.mark.parametrize(
    ("spec", "day", "label"),
    [
        (PeriodSpec(PeriodKind.DAILY), DAY, "Mon 23 Nov"),
        (PeriodSpec(PeriodKind.WEEKLY), DAY, "week of 23 Nov"),
        (PeriodSpec(PeriodKind.MONTHLY), DAY, "November"),
        (PeriodSpec(PeriodKind.QUARTERLY), DAY, "Q4 2026"),
        (PeriodSpec(PeriodKind.QUARTERLY, fiscal_month=2), DAY, "1 Nov 2026 to 31 Jan 2027"),
        (PeriodSpec(PeriodKind.YEARLY), DAY, "2026"),
        (PeriodSpec(PeriodKind.YEARLY, fiscal_month=10), DAY, "1 Oct 2026 to 30 Sep 2027"),
        (PeriodSpec(PeriodKind.ROLLING, days=30), DAY, "last 30 days"),
    ],
)
def test_labels(spec: PeriodSpec, day: date, label: str) -> None:
    period = period_on(spec, day)
    assert period is not None
    assert period.label() == label


def test_iso_shows_milliseconds_only_where_there_are_some() -> None:
    assert [iso(0), iso(1_500)] == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.500Z"]
