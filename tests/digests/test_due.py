"""When a digest is due, at every change of the clock and after every downtime."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from alerter.core.digests import DigestSpec, Every, due

BERLIN = "Europe/Berlin"
HOUR = 3_600_000
APIA = datetime(2011, 12, 20, tzinfo=UTC)
"""Ten days before the one that it skipped."""


def spec(every: Every = Every.DAILY, at: time = time(9), zone: str = BERLIN, **more: object) -> DigestSpec:
    return DigestSpec("d", ("all",), every, at, zone, **more)  # type: ignore[arg-type]


def ms(*parts: int, zone: str = BERLIN, fold: int = 0) -> int:
    return round(datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)  # type: ignore[arg-type, misc]


def test_a_daily_one_is_due_from_its_minute_on_once() -> None:
    last, day = date(2026, 11, 22), date(2026, 11, 23)
    assert due(spec(), last, ms(2026, 11, 23, 9) - 1) is None
    assert due(spec(), last, ms(2026, 11, 23, 9)) == day
    assert due(spec(), last, ms(2026, 11, 23, 23, 59)) == day
    assert due(spec(), day, ms(2026, 11, 23, 9)) is None
    assert due(spec(), day, ms(2026, 11, 24, 8, 59)) is None


def test_after_downtime_only_the_latest_is_due() -> None:
    assert due(spec(), date(2026, 11, 2), ms(2026, 11, 23, 8)) == date(2026, 11, 22)
    assert due(spec(Every.WEEKLY, weekday=0), date(2026, 10, 5), ms(2026, 11, 26, 8)) == date(2026, 11, 23)


def test_weekdays_only_leaves_saturday_and_sunday_out() -> None:
    friday = date(2026, 11, 20)
    for day, wanted in ((21, None), (22, None), (23, date(2026, 11, 23))):
        assert due(spec(weekdays_only=True), friday, ms(2026, 11, day, 12)) == wanted
    assert due(spec(weekdays_only=True), date(2026, 11, 19), ms(2026, 11, 22, 12)) == friday


@pytest.mark.parametrize("weekday", range(7))
def test_a_weekly_one_comes_on_its_day(weekday: int) -> None:
    found = due(spec(Every.WEEKLY, weekday=weekday), None, ms(2026, 11, 23, 8, 59))
    assert found is not None
    assert found.weekday() == weekday
    assert date(2026, 11, 16) <= found <= date(2026, 11, 22)


@pytest.mark.parametrize(
    ("zone", "day", "at", "wanted"),
    [
        (BERLIN, date(2026, 3, 29), time(2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # 02:30 is skipped: 03:30
        (BERLIN, date(2026, 10, 25), time(2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the first of two
        ("America/New_York", date(2026, 3, 8), time(2, 0), datetime(2026, 3, 8, 7, 0, tzinfo=UTC)),
        ("America/New_York", date(2026, 11, 1), time(1, 30), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("America/Sao_Paulo", date(2018, 11, 4), time(0, 0), datetime(2018, 11, 4, 3, 0, tzinfo=UTC)),  # no midnight
        ("Asia/Kathmandu", date(2026, 11, 23), time(9, 0), datetime(2026, 11, 23, 3, 15, tzinfo=UTC)),
    ],
)
def test_where_the_clock_changes_it_goes_out_once(zone: str, day: date, at: time, wanted: datetime) -> None:
    made = spec(at=at, zone=zone)
    start, last, found = round(wanted.timestamp() * 1000) - 6 * HOUR, day - timedelta(days=1), []
    for tick in range(start, start + 20 * HOUR, HOUR // 4):
        claimed = due(made, last, tick)
        if claimed is not None:
            found.append((claimed, tick))
            last = claimed
    assert found == [(day, round(wanted.timestamp() * 1000))]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]),
    st.times(),
    st.integers(round(APIA.timestamp()), round(APIA.timestamp()) + 18 * 365 * 86_400),
    st.lists(st.integers(1, 30 * 60), max_size=60),
)
def test_days_never_repeat_and_none_is_missed_by_a_daemon_that_runs(
    zone: str, at: time, start: int, minutes: list[int]
) -> None:
    made = spec(at=at.replace(microsecond=0), zone=zone)
    now = start * 1000
    last = due(made, None, now)
    assert last is not None
    for step in minutes:
        now += step * 60_000
        found = due(made, last, now)
        today = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).date()
        if found is not None:
            assert last < found <= today
            last = found
        assert today - last <= timedelta(days=2)  # Apia had no 30 December 2011
